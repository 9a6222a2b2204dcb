# SPDX-License-Identifier: Apache-2.0
"""OpenSSL's secure heap: the whole family answered by us, and node's own copy."""

import sys

from harness import figures, keys, memory, process, report, tls

NODE_SERVER = """
const https = require('https'), fs = require('fs'), crypto = require('crypto');
const server = https.createServer(
    { key: fs.readFileSync(process.argv[2]), cert: fs.readFileSync(process.argv[3]) },
    (request, response) => response.end('hello\\n'));
server.listen(0, '127.0.0.1', () => console.log('port ' + server.address().port +
    ' heap ' + crypto.secureHeapUsed().total));
"""


def both(env, rep, case):
    process.run_both(env, rep, "secure_heap", case, control="locked")


def scenario_family(env, rep):
    both(env, rep, "family")


def scenario_cleared(env, rep):
    process.run_checks(env, rep, "secure_heap", ["locked", "cleared"], env.plain(),
                       title="without the preload")
    for zero in "1", "0":
        process.run_checks(env, rep, "secure_heap", ["secret", "cleared"],
                           env.preloaded(SECRETSSL_ZERO=zero), title=f"SECRETSSL_ZERO={zero}")


def scenario_freed_by_hook(env, rep):
    """Without the preload there is no such thing: that heap's blocks are not the hook's."""
    process.run_checks(env, rep, "secure_heap", ["secret", "by_hook"], env.preloaded())


def scenario_keys(env, rep):
    both(env, rep, "keys")


def scenario_newer_functions(env, rep):
    """What OpenSSL has since 3.4 and 3.6, called by name and found by dlsym."""
    process.run_both(env, rep, "arrays", "by_name")
    process.run_both(env, rep, "arrays", "by_handle")
    process.run_both(env, rep, "arrays", "none_in_older")
    # Without the preload this library has no secure heap.
    process.run_checks(env, rep, "arrays", ["secret", "secure"], env.preloaded())


def scenario_by_handle(env, rep):
    both(env, rep, "by_handle")


def scenario_own_copy(env, rep):
    """Memory that a libcrypto locks itself."""
    process.run_checks(env, rep, "lock_heap", ["ordinary", "child"], env.plain(),
                       title="without the preload")
    process.run_checks(env, rep, "lock_heap", ["secret", "child"], env.preloaded(SECRETSSL_MLOCK="off"),
                       title="with it")
    process.run_checks(env, rep, "lock_heap", ["secret", "deny"],
                       env.preloaded(SECRETSSL_FORK="deny"), title="SECRETSSL_FORK=deny")


def scenario_locks_something_else(env, rep):
    """A program with a libcrypto in it locks what is not a heap of OpenSSL's: left alone."""
    process.run_checks(env, rep, "lock_heap", ["ordinary", "others"], env.plain(),
                       title="without the preload")
    process.run_checks(env, rep, "lock_heap", ["ordinary", "others"],
                       env.preloaded(SECRETSSL_REQUIRE="1", SECRETSSL_MLOCK="off"), title="with it")


def scenario_own_copy_in_parts(env, rep):
    """A heap of which parts are unmapped."""
    process.run_checks(env, rep, "lock_heap", ["ordinary", "part"], env.plain(),
                       title="without the preload")
    process.run_checks(env, rep, "lock_heap", ["secret", "part"], env.preloaded(),
                       title="with it")


def scenario_own_copy_degrades(env, rep):
    """No secret memory: OpenSSL's heap is locked, as it asked; required, status 78."""
    command = ["EPERM", env.helper("lock_heap"), "ordinary", "child"]
    process.run_checks(env, rep, "with_filter", command, env.preloaded(), title="degraded",
                       messages=[r"no secret memory \(memfd_secret: EPERM\)"])
    result = process.run(env, [env.helper("with_filter"), *command],
                         env.preloaded(SECRETSSL_REQUIRE="1"))
    rep.ok(result.status == 78 and len(result.err.splitlines()) == 1, "required", result)


def scenario_node(env, rep):
    """node --secure-heap: its numbers are nowhere that can be read, and handshakes work."""
    identity = keys.Identity(env, "rsa")
    with open(env.path("server.js"), "w", encoding="ascii") as file:
        file.write(NODE_SERVER)
    for protected in False, True:
        title = "node with the preload" if protected else "node without"
        node = process.Child(
            env, ["node", "--secure-heap=65536", env.path("server.js"), identity.key,
                  identity.certificate], env.chosen(protected))
        port, heap = node.wait_for(r"^port (\d+) heap (\d+)").groups()
        rep.equal(heap, "65536", f"{title}: it has a secure heap")
        client = tls.context(identity)
        pages = [tls.fetch(int(port), client) for _ in range(10)]
        rep.ok(all(b"hello" in page for page in pages), f"{title}: ten handshakes and pages")
        numbers = memory.find(node.pid, identity.private_numbers())
        rep.ok(bool(numbers) != protected, f"{title}: private numbers in readable memory",
               numbers)
        secret = [mapping for mapping in memory.mappings(node.pid) if mapping.secret]
        whole = [mapping for mapping in secret if mapping.end - mapping.start == 65536
                 and mapping.start > 0x7000_0000_0000]
        # A libcrypto in a file of its own has its secure heap answered by name, in the arena.
        linked = any("libcrypto.so" in mapping.name for mapping in memory.mappings(node.pid))
        rep.equal(len(whole), int(protected and not linked), f"{title}: secret pages under its heap")
        rep.equal(node.stop().err, "", f"{title}: no message")


def scenario_beyond_reach(env, rep):
    """A libcrypto opened with RTLD_DEEPBIND makes its secure heap by itself, of ordinary memory:
    that is said, `stat` calls the process degraded, and with SECRETSSL_REQUIRE=1 it ends."""
    code = ("import ctypes, os, sys, time; mode = getattr(os, sys.argv[2]) | os.RTLD_NOW\n"
            "print(ctypes.CDLL(sys.argv[1], mode=mode).plug(), flush=True); time.sleep(60)")
    plugin = env.helper("libsecure_plugin.so")
    said = "secure heap of a libcrypto opened with RTLD_DEEPBIND or dlmopen"
    for mode, state in ("RTLD_LOCAL", "protected"), ("RTLD_DEEPBIND", "degraded"):
        child = process.Child(env, ["/usr/bin/python3", "-c", code, plugin, mode], env.preloaded())
        child.wait_for("^1$")
        rep.equal(figures.of(env, child.pid)["state"], state, f"{mode}: {state}")
        result = child.stop()
        process.expect_messages(rep, result.messages, [said] if state == "degraded" else [], mode)
    result = process.run(env, ["/usr/bin/python3", "-c", code, plugin, "RTLD_DEEPBIND"],
                         env.preloaded(SECRETSSL_REQUIRE="1"), seconds=20)
    rep.equal(result.status, 78, "required: the process ends")
    process.expect_messages(rep, result.messages, ["RTLD_DEEPBIND or dlmopen.* has a secure heap"], "required")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
