# SPDX-License-Identifier: Apache-2.0
"""Each limit at its edge, no /proc and no /dev, user namespaces: works, or says what does not."""

import os
import re
import sys
from types import SimpleNamespace

from harness import environment, figures, keys, memory, process, report, tls

PAGE = 4096
# Each limit has a user of its own, because the kernel counts processes and locked memory by user.
USERS = {limit: environment.PLAIN_USER + 1 + number for number, limit in enumerate(
    ("AS", "DATA", "MEMLOCK", "NOFILE", "NPROC", "STACK", "FSIZE"))}
# What the preload's functions may need of a stack that is hardly large enough. An overflow is SIGSEGV.
ON_STACK = {"STACK": 2 * PAGE}
SUMMARY = re.compile(r"summary: (\d+) KiB secret, (\d+) KiB locked, (\d+) KiB plain, .*; "
                     r"(\d+) to the C library, (\d+) failed, ")


class Pair:
    """Handshakes in one process (tls_pair) of an ordinary user, under one limit."""

    def __init__(self, env, limit):
        self.env, self.limit, self.results = env, limit, {}
        self.preload = env.reachable(env.preload)
        identity = keys.Identity(env, "ecdsa")
        os.chmod(identity.key, 0o644)
        self.command = [env.reachable(env.helper("tls_pair")), identity.key, identity.certificate, "2"]

    def run(self, value, how):
        """How it ends with this limit: plain, with the preload, required."""
        if (value, how) not in self.results:
            environ = self.env.plain() if how == "plain" else self.env.plain(
                LD_PRELOAD=self.preload, SECRETSSL_STATS="1",
                SECRETSSL_REQUIRE="1" if how == "required" else "0")
            limits = {self.limit: value, **({"CORE": 0} if self.limit != "CORE" else {})}
            try:
                self.results[value, how] = process.run(self.env, self.command, environ,
                                                       user=USERS[self.limit], limits=limits)
            except BlockingIOError:  # RLIMIT_NPROC does not even let it start.
                self.results[value, how] = SimpleNamespace(status=1, out="", err="not started")
        return self.results[value, how]

    def works(self, value, how):
        result = self.run(value, how)
        return result.status == 0 and result.out == "fine\n"

    def least(self, low, high, how):
        """The least value with which it works, to a page or a fortieth."""
        while high - low > max(1 if high < PAGE else PAGE, high // 40):
            middle = (low + high) // 2
            if high >= PAGE:
                middle -= middle % PAGE
            low, high = (low, middle) if self.works(middle, how) else (middle, high)
        return high

    def complaints(self, value, how):
        """What must not be: a signal that is not there without the preload, silence."""
        result, found = self.run(value, how), []
        less = value - ON_STACK.get(self.limit, 0)
        summary = SUMMARY.search(result.err)
        said = [line for line in result.err.splitlines() if not SUMMARY.search(line)]
        _, locked, plain, fallen, failed = map(int, summary.groups()) if summary else [0] * 5
        if isinstance(result.status, int) and result.status < 0 \
                and self.run(max(less, 0), "plain").status != result.status:
            found.append(f"ended by signal {-result.status}")
        if result.status == "timeout":
            found.append("does not end")
        if less >= 0 and self.works(less, "plain") and not self.works(value, how) and not said \
                and not result.out:
            found.append("does not work, and nothing is said")
        if locked + plain + fallen + failed and not said:
            found.append("less than was promised, and nothing is said")
        if how == "required" and locked + plain:
            found.append("required, and not secret")
        return [f"{self.limit} {value}, {how}: {text}\n{result}" for text in found]


def at_edge(env, rep, limit, high):
    """Looks for the least values with which it works, and tries more values around them."""
    pair = Pair(env, limit)
    rep.ok(pair.works(high, "plain") and pair.works(high, "preloaded"),
           f"{limit} {high}: enough without the preload and with it", pair.run(high, "preloaded"))
    least = {how: pair.least(0, high, how) for how in ("plain", "preloaded", "required")}
    rep.note(f"least {limit}: {least}")
    step = 1 if high < PAGE else PAGE
    tried = {value for value, _ in pair.results} \
        | {value + offset * step for value in least.values() for offset in (-4, -1, 0, 1)}
    bad = [text for value in tried if value >= 0 for how in ("preloaded", "required")
           for text in pair.complaints(value, how)]
    rep.ok(not bad and len(tried) > 4, f"{limit}: with each of {len(tried)} values it works, or says "
           "what does not", "\n".join(bad))


def scenario_address_space(env, rep):
    at_edge(env, rep, "AS", 1 << 30)


def scenario_data(env, rep):
    at_edge(env, rep, "DATA", 256 << 20)


def scenario_memlock(env, rep):
    at_edge(env, rep, "MEMLOCK", 8 << 20)


def scenario_descriptors(env, rep):
    at_edge(env, rep, "NOFILE", 64)


def scenario_processes(env, rep):
    at_edge(env, rep, "NPROC", 64)


def scenario_stack(env, rep):
    at_edge(env, rep, "STACK", 8 << 20)


def scenario_file_size(env, rep):
    at_edge(env, rep, "FSIZE", 1 << 20)


def served(env, rep, title, **options):
    """A server that starts in surroundings of its own: handshakes, and what can be read of its key."""
    wrapper = options.pop("wrapper", [])
    for protected in False, True:
        what = f"{title}, {'with' if protected else 'without'} the preload"
        identity = keys.Identity(env, "ecdsa")
        os.chmod(identity.key, 0o644)
        environ = env.chosen(protected, **({"SECRETSSL_REQUIRE": "1"} if protected else {}))
        child = process.Child(
            env, [*wrapper, "openssl", "s_server", "-accept", "127.0.0.1:0", "-key", identity.key, "-cert",
                  identity.certificate, "-www"], environ, **options)
        port = int(child.wait_for(r"^ACCEPT 127\.0\.0\.1:(\d+)")[1])
        pages = [tls.fetch(port, tls.context(identity, version)) for version in tls.VERSIONS]
        rep.ok(all(b" 200 " in page for page in pages), f"{what}: pages", pages)
        pid = next(pid for pid in (child.pid, *process.children(child.pid))
                   if process.program(pid) == "openssl")
        memory.check_scan(env, rep, [identity.key], [pid], protected, what)
        if protected:
            rep.equal(figures.of(env, pid)["state"], "protected", what)
        child.stop()
        rep.ok(not child.wait().messages, f"{what}: says nothing", child.err)


def without_proc_and_dev():
    process.own_mounts()
    for directory in "/proc", "/dev":
        process.mount("tmpfs", directory, b"tmpfs", 0)


def scenario_no_proc_no_dev(env, rep):
    """Neither /proc nor /dev, from the start of the process on."""
    served(env, rep, "no /proc, no /dev", setup=without_proc_and_dev)


def scenario_user_namespace(env, rep):
    """A namespace in which the user is root, and one in which the user is nobody."""
    served(env, rep, "root of a user namespace", wrapper=["unshare", "--user", "--map-root-user"])
    served(env, rep, "nobody in a user namespace", wrapper=["unshare", "--user"])


if __name__ == "__main__":
    report.main(sys.modules[__name__])
