# SPDX-License-Identifier: Apache-2.0
"""secretssl stat: the figures of live processes, from outside."""

import json
import os
import re
import signal
import subprocess
import sys

from harness import environment, figures, keys, memory, process, report, tls
from harness.nginx import Nginx


def scenario_figures(env, rep):
    """Blocks made, freed and live are counted exactly; so are bytes; nothing is present elsewhere."""
    none = figures.of(env, figures.seclude(env, env.preloaded(), "plain", 0).pid)
    some = figures.of(env, figures.seclude(env, env.preloaded(), "plain", 100).pid)
    for name, value in ("live_allocations", 100), ("allocations", 100), ("frees", 0), \
            ("live_bytes", 100 * figures.BLOCK):
        rep.equal(some[name] - none[name], value, f"{name}: that of 100 blocks more")
    rep.equal((some["state"], some["status"]), ("protected", 0), "protected")
    rep.ok(100 * figures.BLOCK <= some["secret_bytes"] <= some["kernel_secret_bytes"] <= some["mapped_bytes"],
           "at least the blocks are present, at most what is mapped", some)
    rep.equal(sum(some["partitions"].values()), some["secret_bytes"], "the partitions are the whole")
    rep.equal(some["faults"] * 4096, some["secret_bytes"], "each page was made present once")
    rep.equal([some[name] for name in ("locked_bytes", "plain_bytes", "ordinary_bytes",
                                       "spilled_allocations", "spilled_bytes", "failed_allocations",
                                       "degraded_pages")], [0] * 7, "nothing is elsewhere")
    rep.equal((some["hooks"], some["libraries"]), (1, ["libsecretssl.so"]), "one libcrypto is hooked")
    rep.equal(some["limit_bytes"], 256 << 20, "the arena's cap")
    plain = figures.of(env, figures.seclude(env, env.plain(), "plain").pid)
    rep.ok(plain["state"] == "unprotected" and plain["status"] == 1 and "secret_bytes" not in plain
           and "libcrypto" in plain["openssl"], "without the preload: unprotected", plain)


def scenario_secluded(env, rep):
    """Without descriptors, as another user, in an empty root, stopped: the figures are the same."""
    usual = figures.of(env, figures.seclude(env, env.preloaded(), "plain").pid)
    for case in "closed", "user", "chroot", "stopped":
        child = figures.seclude(env, env.preloaded(), case.replace("stopped", "plain"))
        if case == "stopped":
            os.kill(child.pid, signal.SIGSTOP)
        found = figures.of(env, child.pid)
        differ = {name: (usual[name], found.get(name)) for name in usual
                  if name not in ("pid", "uid", "kernel_secret_bytes", "mapped_bytes")
                  and usual[name] != found.get(name)}
        rep.equal(differ, {}, f"{case}: as without")
        if case == "user":
            rep.equal(found["uid"] in (0, environment.PLAIN_USER), True, "of a user of its own")
        plain = figures.of(env, figures.seclude(env, env.plain(), case.replace("stopped", "plain")).pid)
        rep.equal(plain["state"], "unprotected", f"{case}, without the preload: unprotected")


def scenario_leaderless(env, rep):
    """The first thread has ended, others go on: their memory is the process's."""
    for environ, state in (env.preloaded(), "protected"), (env.plain(), "unprotected"):
        child = figures.seclude(env, environ, "leaderless")
        ended = process.wait_until(lambda pid=child.pid: not process.alive(pid))
        found = figures.of(env, child.pid)
        rep.ok(ended and found["state"] == state
               and (state == "unprotected" or found["live_bytes"] >= 100 * figures.BLOCK),
               state, found)


def scenario_forked(env, rep):
    """Each child has figures of its own; one of a raw fork has no secrets, and is not believed."""
    parent = figures.seclude(env, env.preloaded(), "fork")
    children = process.children(parent.pid)
    rep.equal(len(children), 2, "two children")
    ours = figures.of(env, parent.pid)
    rep.equal((ours["forks"], ours["fork_pages"]), (2, 0), "the parent copied two children")
    for child in children:
        figures.named(child, "secluded")
        found = figures.of(env, child)
        rep.equal(found["live_allocations"] - ours["live_allocations"], 10, "ten blocks more in it")
        rep.ok(found["state"] == "protected" and found["forks"] == 0 and found["fork_pages"] > 0,
               "its own figures", found)
    parent = figures.seclude(env, env.preloaded(), "raw_fork")
    child = process.children(parent.pid)[0]
    figures.named(child, "secluded")
    found = figures.of(env, child)
    rep.ok(found["state"] == "unknown" and "raw fork" in found["reason"] and found["status"] == 2,
           "a child that nobody announced", found)
    rep.equal(figures.of(env, parent.pid)["state"], "protected", "and its parent")


def scenario_degraded(env, rep):
    """Locked pages, allocations that the C library got, a full arena: counted, and said."""
    wrapper = [env.helper("with_filter"), "EPERM"]
    # Where uncached memory is required it would not start.
    child = process.Child(env, [*wrapper, env.helper("seclude"), "plain", "locked", "100"],
                          env.preloaded(SECRETSSL_UNCACHED="off"))
    figures.named(child.pid, "locked")
    found = figures.of(env, child.pid)
    rep.ok(found["state"] == "degraded" and found["secret_bytes"] == 0
           and found["locked_bytes"] >= 100 * figures.BLOCK
           and found["degraded_pages"] * 4096 == found["locked_bytes"] and found["status"] == 0,
           "no secret memory: locked", found)
    found = figures.of(env, figures.seclude(env, env.preloaded(SECRETSSL_ARENA_SIZE="64K"), "plain").pid)
    rep.ok(found["state"] == "degraded" and found["spilled_allocations"] > 0
           and found["spilled_bytes"] >= figures.BLOCK * found["spilled_allocations"] / 2,
           "a full arena: spilled", found)
    text = figures.stat(env, figures.seclude(env, env.preloaded(SECRETSSL_ARENA_SIZE="64K"), "plain").pid)
    rep.ok(re.search(r"degraded: \d+ allocations went to the C library", text.out), "in words", text)
    child = figures.seclude(env, env.preloaded(SECRETSSL_ARENA_SIZE="64K", SECRETSSL_REQUIRE="1"), "refused")
    found = figures.of(env, child.pid)
    rep.ok(found["state"] == "refusing" and found["failed_allocations"] > 0
           and found["spilled_allocations"] == 0, "a full arena, required: refusing", found)
    text = figures.stat(env, child.pid)
    rep.ok(re.search(r"refusing: \d+ allocations were refused", text.out), "refusing, in words", text)


def scenario_uncached(env, rep):
    """Thread keys are scarce: the preload has one before the program; who has none counts it."""
    for library, function, environ, threads, messages in (
            ("libcrypto.so.3", "CRYPTO_malloc", env.preloaded(), 0, 0),
            (env.library, "secretmem_malloc", env.plain(), 2, 1)):
        child = process.Child(env, [env.helper("keys"), library, function, "with keys"], environ)
        rep.ok(figures.named(child.pid, "with keys"), f"{function} behind 40 keys", child.out)
        found = figures.of(env, child.pid)
        rep.equal(found["uncached_threads"], threads, f"{function}: threads without a cache")
        rep.equal((child.err.count("no thread key below 32"), child.err.count("\n")),
                  (messages, messages), f"{function}: said {messages} times, and nothing else")


def scenario_uncached_bytes(env, rep):
    """Bytes of keys that no CPU caches: all of them where the kernel can and it is asked to."""
    identity = keys.Identity(env, "rsa")
    can = memory.takes_uncached()
    for mode, wanted in ("off", False), ("prefer", can), ("require", True):
        if mode == "require" and not can:
            continue  # that it refuses to start is in test_settings.py
        server = tls.Server(env, identity, env.preloaded(SECRETSSL_UNCACHED=mode), ["-www"])
        figures.check_uncached(env, rep, server.pid, mode, wanted)
        text = figures.stat(env, server.pid)
        rep.equal(" uncached), 0 KiB locked" in text.out, wanted, f"{mode}: said in words")
        server.stop()


UNCACHED_ALL = "/sys/module/secretmem/parameters/uncached_all"


def numbers(env, case, **options):
    """What stat says of a program with 2 MB of numbers and of its child, and what it said itself."""
    path = env.reachable(env.helper("seclude"))
    parent = figures.seclude(env, env.preloaded(SECRETSSL_UNCACHED="prefer"), case, 2000, path=path, **options)
    child = process.wait_until(lambda: process.children(parent.pid))[0]
    if not figures.named(child, "secluded"):
        raise RuntimeError(f"{case}: no child: {parent.err}")
    return figures.of(env, parent.pid), figures.of(env, child), parent.err


def scenario_uncached_gone(env, rep):
    """Who gives up the privilege that uncached memory needs gets cached secret memory from then on."""
    env.preload = env.reachable(env.preload)
    can, said = memory.takes_uncached(), "key bytes are in cached secret memory"
    held = None
    if os.path.exists(UNCACHED_ALL):  # of a patched kernel
        with open(UNCACHED_ALL, "r+", encoding="ascii") as file:
            held = file.read()
            file.write("0")
    try:
        found = {case: numbers(env, case) for case in ("numbers", "renounce")}
    finally:
        if held is not None:
            with open(UNCACHED_ALL, "w", encoding="ascii") as file:
                file.write(held)
    for case, (parent, child, errors) in found.items():
        for who, one in ("parent", parent), ("child", child):
            rep.ok(one["state"] == "protected" and one["locked_bytes"] == one["degraded_pages"] == 0
                   and one["spilled_allocations"] == 0 and one["partitions"]["bytes"] >= 2000000,
                   f"{case}, {who}: all is secret memory", one)
        lines = 0 if can and case == "numbers" else 1
        rep.equal((errors.count(said), errors.count("\n")), (lines, lines),
                  f"{case}: said {lines} times that it is cached, and nothing else")
    parent, child, _ = found["numbers"]
    for one in parent, child:
        rep.equal(one["uncached_bytes"], one["partitions"]["bytes"] if can else 0, "the control: all of it")
    parent, child, _ = found["renounce"]
    rep.ok((500000 <= parent["uncached_bytes"] < parent["partitions"]["bytes"]) if can
           else parent["uncached_bytes"] == 0, "what was there before is uncached, what came is not", parent)
    rep.equal(child["uncached_bytes"], 0, "and none of a child's copy")


def kernel_counter(name):
    """What a patched kernel counts of secret memory; 0 in others."""
    try:
        with open(f"/sys/kernel/mm/secretmem/{name}", encoding="ascii") as file:
            return int(file.read())
    except FileNotFoundError:
        return 0


def as_user(memlock):
    return {"user": environment.PLAIN_USER, "limits": {"MEMLOCK": memlock}}


def scenario_blocks(env, rep):
    """What lies in blocks of a patched kernel: what it says itself, not what was asked for."""
    size = kernel_counter("block_size")
    env.preload = env.reachable(env.preload)
    path = env.reachable(env.helper("seclude"))
    # Blocks are taken while half of the limit is left; the administrator raises it, not the preload.
    enough = {"limits": {"MEMLOCK": 512 << 20}} if size > 0 else {}
    for title, options in (("as root", enough), ("16 MB, with 8M", as_user(8 << 20)),
                           ("16 MB, with 64K", as_user(64 << 10))):
        before = kernel_counter("blocks")
        child = figures.seclude(env, env.preloaded(), "plain", 16000, path=path, **options)
        found, taken = figures.of(env, child.pid), (kernel_counter("blocks") - before) * size
        rep.ok(found["block_bytes"] <= taken,
               f"{title}: {found['block_bytes']} bytes in blocks, the kernel gave {taken}", found)
        if title == "as root":
            rep.equal(found["block_bytes"] > 0, size > 0, "some where the kernel has blocks")
        rep.equal(" in whole blocks)" in figures.stat(env, child.pid).out, found["block_bytes"] > 0,
                  f"{title}: said in words")
        child.stop()


def scenario_nginx(env, rep):
    """A master and four workers, each with figures of its own, that count on under load."""
    identity = keys.Identity(env, "ecdsa")
    server = Nginx(env, [identity], env.preloaded())
    before = {pid: figures.of(env, pid) for pid in [server.master, *server.workers()]}
    rep.equal({one["state"] for one in before.values()}, {"protected"}, "all are protected")
    for pid in before:
        figures.check_uncached(env, rep, pid, f"process {pid}")
    client = tls.context(identity)
    for _ in range(40):
        tls.fetch(server.port, client)
    after = {pid: figures.of(env, pid) for pid in before}
    made = sum(after[pid]["allocations"] - before[pid]["allocations"] for pid in before)
    rep.ok(made > 40 * 300, f"{made} allocations for 40 handshakes", after)
    server.stop()


def scenario_costs_nothing(env, rep):
    """The process is not stopped, not woken, and gets no page more from being looked at."""
    child = figures.seclude(env, env.preloaded(), "plain")

    def seen():
        with open(f"/proc/{child.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        with open(f"/proc/{child.pid}/status", encoding="ascii") as file:
            status = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
        # Minor and major faults, user and system time; resident pages; context switches
        return (fields[7], fields[9], fields[11], fields[12], fields[21],
                status["voluntary_ctxt_switches"], status["nonvoluntary_ctxt_switches"])

    before = seen()
    for _ in range(20):
        figures.stat(env, child.pid)
    rep.equal(seen(), before, "no fault, no time, no page, no switch")


def scenario_threads(env, rep):
    """What threads that are alive and busy count is in it, and adds up when they are done."""
    identity = keys.Identity(env, "ecdsa")
    server = tls.Server(env, identity, env.preloaded(), ["-www"])
    previous = 0
    for _ in range(5):
        tls.fetch(server.port, tls.context(identity))
        found = figures.of(env, server.pid)
        rep.ok(found["allocations"] > previous
               and found["allocations"] - found["frees"] == found["live_allocations"],
               "allocations grow", found)
        previous = found["allocations"]
    server.stop()


def scenario_all(env, rep):
    """Every protected process, and those that should be and are not."""
    protected = [figures.seclude(env, env.preloaded(), "plain", name="one"),
                 figures.seclude(env, env.preloaded(), "user", name="two")]
    result = figures.stat(env, "--all", "--json")
    states = {one["pid"]: one["state"] for one in json.loads(result.out)["processes"]}
    rep.equal([states.get(one.pid) for one in protected], ["protected"] * 2, "both are there")
    sleeping = process.Child(env, ["sleep", "100"], env.plain())
    plain = figures.seclude(env, env.plain(), "plain", name="three")
    result = figures.stat(env, "--all", "--json")
    states = {one["pid"]: one["state"] for one in json.loads(result.out)["processes"]}
    rep.equal((states.get(plain.pid), result.status), ("unprotected", 1), "and what is unprotected")
    rep.ok(sleeping.pid not in states, "but not what has no TLS")
    text = figures.stat(env, "--all")
    rep.ok(re.search(rf"^ *{plain.pid} +three .*\bunprotected\b", text.out, re.M) and text.status == 1,
           "in a table", text)
    text = figures.stat(env, "--all", "--verbose")
    rep.ok(f"{plain.pid} (three): unprotected" in text.out and text.status == 1, "in words", text)
    rep.ok(figures.stat(env).out.count("protected") >= 3, "no argument means the same")


def full_pipe():
    """Who writes to it waits."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    return reading, writing


def scenario_all_but_tools(env, rep):
    """A tool that runs meanwhile is no process whose TLS is to be protected; one of its name is."""
    other = figures.seclude(env, env.plain(), "plain", name="secretssl")
    reading, writing = full_pipe()
    tool = subprocess.Popen([env.tool, "stat", str(other.pid)], stdout=writing, stderr=subprocess.DEVNULL)
    rep.ok(process.wait_until(lambda: "libcrypto" in process.words(tool.pid, "maps")), "it has OpenSSL")
    states = {one["pid"]: one["state"]
              for one in json.loads(figures.stat(env, "--all", "--json").out)["processes"]}
    rep.equal((states.get(tool.pid), states.get(other.pid)), (None, "unprotected"), "only the other is shown")
    rep.equal(figures.of(env, tool.pid)["state"], "unprotected", "unless it is asked for")
    rep.equal(tool.poll(), None, "it ran meanwhile")
    tool.kill()
    tool.wait()
    for end in reading, writing:
        os.close(end)


OPTION_ERRORS = [(["--zzzz"], "'--zzzz'"), (["-5"], "'5'"), (["--json=1"], "doesn't allow an argument")]


def scenario_arguments(env, rep):
    """What is wrong is named, with what is accepted."""
    help_text = figures.stat(env, "--help")
    rep.ok(help_text.status == 0 and "Exit status" in help_text.out and help_text.err == "", "--help")
    rep.ok(figures.stat(env, "--version").out.startswith("secretssl "), "--version")
    for arguments, said in (["--json", "--prometheus"], "exclude"), (["--all", "1"], "--all"), \
            (["no-program-at-all"], "'no-program-at-all'"), (["0"], "'0'"), (["a/b"], "'a/b'"), ([""], "''"), \
            (["--jsno"], "did you mean '--json'?"):
        result = figures.stat(env, *arguments)
        rep.ok(result.status == 2 and result.out == "" and result.err.count("\n") == 1
               and said in result.err and result.err.startswith("secretssl: stat: "),
               " ".join(arguments), result)
    for arguments, said in OPTION_ERRORS:
        result = figures.stat(env, *arguments)
        rep.ok(result.status == 2 and result.out == "" and said in result.err.partition("\n")[0]
               and result.err.startswith("secretssl stat: ")
               and "Try `secretssl stat --help'" in result.err, " ".join(arguments), result)
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([env.tool, "stat", str(os.getpid())], stdout=full, timeout=60,
                              stderr=subprocess.PIPE, check=False)
    rep.ok(done.returncode == 2 and b"cannot write" in done.stderr, "a full disk", done)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
