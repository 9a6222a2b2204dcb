# SPDX-License-Identifier: Apache-2.0
"""SECRETSSL_TRACE=1: what is live at the end, by the call stacks that asked for it.

The programs of trace/ leave known blocks behind, from functions with telling names; over the
library and, under the preload, over OpenSSL's allocation functions.
"""

import os
import re
import sys

from harness import keys, nginx, process, report, tls

WAYS = {"library": "libsecretmem", "openssl": "libsecretssl"}
HIDE_LIBUNWIND = process.hide("/usr/lib/*/libunwind*.so.8*")
FRAME = r"#(\d+) 0x[0-9a-f]+ (?:(\S+)\+0x[0-9a-f]+ )?\((\S+)\+0x[0-9a-f]+\)"
AMOUNT = r"(\d+) bytes? in (\d+) blocks?"

KNOWN = [(50000, 1, ["two_of_50000", "known", "main"]), (50000, 1, ["two_of_50000", "known", "main"]),
         (5000, 1, ["one_of_5000", "known", "main"]),
         (5000, 1, ["one_of_5000", *["below"] * 6, "known", "main"]),
         (300, 3, ["three_of_100", "known", "main"])]


class Trace:
    """What one process said: the total, the places, and lines that are neither."""

    def __init__(self, text, speaker, pid):
        self.total, self.places, self.rest, self.unknown, self.other = None, [], None, None, []
        self.orderly = True
        for line in text.splitlines():
            head = f"{speaker}: [{pid}] "
            if line.startswith(head):
                self.take(line.removeprefix(head))

    def take(self, text):
        frame = re.fullmatch(FRAME, text)
        if frame and self.places:
            stack = self.places[-1][2]
            self.orderly = self.orderly and int(frame[1]) == len(stack)
            stack.append(frame[2])
        elif match := re.fullmatch(f"trace: {AMOUNT} live at the end", text):
            self.total = (int(match[1]), int(match[2]))
        elif match := re.fullmatch(f"trace: {AMOUNT} from", text):
            self.places.append((int(match[1]), int(match[2]), []))
        elif match := re.fullmatch(rf"trace: {AMOUNT} from (\d+) more places?", text):
            self.rest = (int(match[1]), int(match[2]), int(match[3]))
        elif match := re.fullmatch(f"trace: {AMOUNT} without a call stack", text):
            self.unknown = (int(match[1]), int(match[2]))
        elif text == "trace: no block is live at the end":
            self.total = (0, 0)
        else:
            self.other.append(text)

    def check(self, rep, title, places, total=None, unknown=None, rest=None):
        """places: bytes, blocks and the functions from the nearest one on, in any order of equals"""
        wanted = total or (sum(place[0] for place in places), sum(place[1] for place in places))
        rep.equal(self.total, wanted, f"{title}: bytes and blocks")
        got = [(size, blocks, stack[:len(wanted_stack[2])]) for (size, blocks, stack), wanted_stack
               in zip(self.places, places)]
        rep.equal(sorted(got), sorted(places), f"{title}: the places and the functions")
        sizes = [place[0] for place in self.places]
        rep.ok(len(self.places) == len(places) and sizes == sorted(sizes, reverse=True)
               and self.orderly, f"{title}: no more places, most bytes first")
        rep.equal((self.unknown, self.rest), (unknown, rest), f"{title}: the rest")


def start(env, way, case, **options):
    settings = {"SECRETSSL_TRACE": "1", **options.pop("settings", {})}
    environ = env.preloaded(**settings) if way == "openssl" else env.plain(**settings)
    return process.run(env, [os.path.join(env.helpers, f"trace-{way}", "leaks"), case], environ,
                       **options)


def trace_of(way, result, pid=None):
    return Trace(result.err, WAYS[way], pid or result.pid)


def leaves(env, rep, case, places, ways=WAYS, other=(), **expected):
    """The case leaves these blocks and says nothing else; without the setting it is silent."""
    for way in ways:
        title = f"{way} {case}"
        result = start(env, way, case)
        trace = trace_of(way, result)
        rep.ok(result.status == 0 and "done" in result.out, f"{title}: runs to its end", result)
        trace.check(rep, title, places, **expected)
        rep.ok(len(trace.other) == len(other) and all(map(re.search, other, trace.other)),
               f"{title}: nothing else is said", trace.other)
        control = start(env, way, case, settings={"SECRETSSL_TRACE": "0"})
        rep.ok(control.status == 0 and control.err == "", f"{title}: silent without", control)


def scenario_known(env, rep):
    """Every size, and a stack for each place."""
    leaves(env, rep, "known", KNOWN)


def scenario_clean(env, rep):
    leaves(env, rep, "clean", [])


def scenario_resized(env, rep):
    """A block belongs to who gave it its size, whether it moved or not."""
    leaves(env, rep, "resized", [(900000, 1, ["moving", "resized", "main"]),
                                 (3000, 1, ["moving", "resized", "main"]),
                                 (990, 1, ["in_place", "resized", "main"]),
                                 (10, 1, ["first", "resized", "main"])])


def scenario_threads(env, rep):
    """Blocks of four threads at one place; and others that the threads freed."""
    leaves(env, rep, "threads", [(2560, 40, ["ten_of_64", "busy"]),
                                 (300, 3, ["three_of_100", "threads", "main"])])


def scenario_handlers(env, rep):
    """What an exit handler frees is no leak, and what it takes is one."""
    leaves(env, rep, "handlers", [(300, 3, ["three_of_100", "handlers", "main"]),
                                  (55, 1, ["after_all", "at_exit"])])


def scenario_forked(env, rep):
    """Each process reports what is live in it: the child what it got and what it took."""
    for way in WAYS:
        result = start(env, way, "forked")
        pids = set(re.findall(rf"^{WAYS[way]}: \[(\d+)\]", result.err, re.M))
        children = [int(pid) for pid in pids if int(pid) != result.pid]
        if not rep.equal(len(children), 1, f"{way}: one child reports"):
            continue
        trace_of(way, result).check(rep, f"{way} parent", [
            (5000, 1, ["one_of_5000", "forked", "main"]),
            (300, 3, ["three_of_100", "forked", "main"])])
        trace_of(way, result, children[0]).check(rep, f"{way} child", [
            (300, 3, ["three_of_100", "forked", "main"]),
            (77, 1, ["in_the_child", "forked", "main"])])


def scenario_fork_handlers(env, rep):
    """Handlers of fork, and other threads meanwhile, take and free blocks; children do so, too."""
    leaves(env, rep, "fork_handlers", [(1280, 20, ["ten_of_64", "busy"])])


def scenario_places(env, rep):
    """Beyond twenty places, one line for the rest."""
    for way in WAYS:
        trace = trace_of(way, start(env, way, "places"))
        rep.equal((trace.total, len(trace.places), trace.rest), ((512, 32), 20, (192, 12, 12)),
                  f"{way}: twenty and the rest")
        rep.ok(all(stack[:7] == ["place"] * 6 + ["places"] for _, _, stack in trace.places),
               f"{way}: by their stacks", trace.places)


def scenario_full(env, rep):
    """More stacks than there is room for: counted without, and said once; old ones are known."""
    leaves(env, rep, "full", [(300, 3, ["three_of_100", "full", "main"])], total=(5300, 4),
           unknown=(5000, 1), other=["more than 65534 call stacks"])


def scenario_reload(env, rep):
    """A library at the place of another: what was known of that one's frames is forgotten."""
    for way in WAYS:
        result = start(env, way, "reload", settings={"FRAMES": env.helpers})
        trace = trace_of(way, result)
        rep.ok(result.status == 0 and "done" in result.out, f"{way}: runs to its end", result)
        # Two stacks, if those of the same library are one; the last is loaded at the end.
        whole = ["take_60", "inner", "take_here", "reload", "main"]
        rep.equal(trace.total, (240, 4), f"{way}: four blocks")
        rep.equal(sum(place[1] for place in trace.places), 4, f"{way}: all have stacks")
        rep.ok(all(stack[0] == "take_60" and stack[3:5] == whole[3:]
                   for _, _, stack in trace.places), f"{way}: down to main", trace.places)
        rep.ok(any(stack[:5] == whole for _, _, stack in trace.places),
               f"{way}: the names of what is loaded", trace.places)


def scenario_shorter_stack(env, rep):
    """What is known of an earlier stack is not read where a shorter one has its end."""
    leaves(env, rep, "shorter_stack", [])


def scenario_linker_lock(env, rep):
    """Another thread has the linker's lock for long: stacks do not need it, nor in a child."""
    leaves(env, rep, "linker_lock", [(5000, 1, ["one_of_5000", "linker_lock", "main"]),
                                     (300, 3, ["three_of_100", "linker_lock", "main"])])


def scenario_late(env, rep):
    """Threads before the first allocation: libunwind cannot be loaded safely."""
    leaves(env, rep, "late", [], ways=["openssl"], total=(300, 3), unknown=(300, 3),
           other=["had threads before it allocated"])
    leaves(env, rep, "late", [(300, 3, ["three_of_100", "late", "main"])], ways=["library"])


def scenario_seccomp(env, rep):
    """A filter that kills for what libunwind needs: no stacks behind it; one that does not."""
    for case, places, unknown, said in (
            ("sandbox_kills", [(300, 3)], (5000, 1), 1),
            ("sandbox_spares", [(5000, 1), (300, 3)], None, 0)):
        result = start(env, "openssl", case)
        trace = trace_of("openssl", result)
        rep.ok(result.status == 0 and "done" in result.out, f"{case}: runs to its end", result)
        rep.equal(([place[:2] for place in trace.places], trace.unknown, trace.total),
                  (places, unknown, (5300, 4)), f"{case}: what has a stack")
        rep.ok(all(len(place[2]) > 4 for place in trace.places), f"{case}: stacks", trace.places)
        rep.equal(len([line for line in trace.other if "seccomp filter forbids" in line]), said,
                  f"{case}: said {said} times")


def scenario_without_libunwind(env, rep):
    """One line, and blocks are counted all the same."""
    for way in WAYS:
        result = start(env, way, "known", setup=HIDE_LIBUNWIND)
        trace = trace_of(way, result)
        rep.ok(result.status == 0 and len(trace.other) == 1
               and "cannot be loaded" in trace.other[0], f"{way}: one line says so", result)
        trace.check(rep, way, [], total=(110300, 7), unknown=(110300, 7))
        result = start(env, way, "known", setup=HIDE_LIBUNWIND,
                       settings={"SECRETSSL_TRACE": "0"})
        rep.ok(result.status == 0 and result.err == "", f"{way}: nobody misses it", result)


def scenario_without_room(env, rep):
    """No address space for the tables: one line, and blocks are counted all the same."""
    result = start(env, "library", "known", limits={"AS": 20 << 20})
    trace = trace_of("library", result)
    rep.ok(result.status == 0 and len(trace.other) == 1
           and "no memory for the tables" in trace.other[0], "one line says so", result)
    trace.check(rep, "20 MiB", [], total=(110300, 7), unknown=(110300, 7))


def scenario_not_loaded(env, rep):
    """libunwind is not there unless it is asked for, nor in a program without libcrypto."""
    for value, way in (("0", "library"), ("1", "library"), ("0", "openssl"), ("1", "openssl")):
        result = start(env, way, "clean", settings={
            "SECRETSSL_TRACE": value, "LD_DEBUG": "files", "LD_DEBUG_OUTPUT": env.path("files")})
        with open(env.path(f"files.{result.pid}"), encoding="utf-8") as file:
            rep.equal("libunwind" in file.read(), value == "1", f"{way}: loaded with {value}")
    result = process.run(env, ["cat", "/proc/self/maps"], env.preloaded(SECRETSSL_TRACE="1"))
    rep.ok("libsecretssl" in result.out and "unwind" not in result.out and result.err == "",
           "a program without libcrypto: nothing is loaded, nothing is said", result)


def scenario_spilled(env, rep):
    """What the C library got is not traced, and the report says so."""
    for way in WAYS:
        result = start(env, way, "known", settings={"SECRETSSL_ARENA_SIZE": "64K"})
        trace = trace_of(way, result)
        rep.ok(result.status == 0 and trace.total and trace.total[0] < 110300
               and any("allocations went to the C library" in line for line in trace.other),
               f"{way}: a line says how many", result)


def scenario_openssl(env, rep):
    """Nothing that openssl(1) does is live behind OpenSSL's own exit handler."""
    key = env.path("key.pem")
    for command in (["version"], ["genpkey", "-algorithm", "RSA", "-out", key],
                    ["pkey", "-in", key, "-noout", "-text"], ["dgst", "-sha256", key],
                    ["req", "-x509", "-key", key, "-subj", "/CN=a", "-out", env.path("cert.pem")],
                    ["s_client", "-connect", "127.0.0.1:1"]):
        result = process.run(env, ["openssl", *command], env.preloaded(SECRETSSL_TRACE="1"))
        trace = trace_of("openssl", result)
        rep.ok(trace.total == (0, 0) and not trace.other, f"openssl {command[0]}", result)


def scenario_python(env, rep):
    """A libcrypto that dlopen() brings: the stacks of what is in use at the end."""
    script = ("import ssl, os\ncontext = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
              "os.register_at_fork(before=lambda: context.get_ciphers())\n"
              "if os.fork() == 0:\n    os._exit(0)\nos.wait()\nprint('done')\n")
    result = process.run(env, ["/usr/bin/python3", "-c", script], env.preloaded(
        SECRETSSL_TRACE="1"))
    trace = trace_of("openssl", result)
    rep.ok(result.status == 0 and "done" in result.out and trace.total and not trace.other
           and not trace.unknown, "python: a report, and all of it has stacks", result)


def scenario_s_server(env, rep):
    """Twenty connections, then it ends in order and reports."""
    identity = keys.Identity(env, "ecdsa")
    server = tls.Server(env, identity, env.preloaded(SECRETSSL_TRACE="1"),
                        ["-www", "-naccept", "21"])
    pages = [tls.fetch(server.port, tls.context(identity)) for _ in range(20)]
    rep.ok(all(b"200 ok" in page for page in pages), "it serves")
    with tls.connect(server.port, tls.context(identity)) as last:
        last.sendall(tls.REQUEST)
    ended = server.wait(60)
    trace = trace_of("openssl", ended)
    rep.ok(ended.status == 0 and trace.total is not None and not trace.unknown
           and not trace.other, "it reports, and all blocks have stacks", ended)


def scenario_nginx(env, rep):
    """Four workers serve under it, through reloads; each process that ends reports."""
    identity = keys.Identity(env, "ecdsa")
    log = env.path("trace.log")
    server = nginx.Nginx(env, [identity],
                         env.preloaded(SECRETSSL_TRACE="1", SECRETSSL_LOG=log),
                         main="user root;")  # who may write to the log
    with tls.Load(server.port, [tls.context(identity)]) as load:
        for goal in 200, 400:
            process.wait_until(lambda number=goal: load.done > number, 60)
            rep.ok(server.reload(), f"a reload after {goal} connections")
        process.wait_until(lambda: load.done > 600, 60)
    rep.ok(load.done > 600 and not load.failures, f"{load.done} connections", load.failures[:5])
    rep.equal((server.deaths(), server.grave()), ([], []), "no process died of a signal")
    rep.equal(server.stop().status, 0, "it ends")
    process.wait_until(lambda: not process.children(os.getpid()))
    with open(log, encoding="utf-8") as file:
        text = file.read()
    reports = set(re.findall(r"\[(\d+)\] trace: (?:no block is|.*) live at the end", text))
    rep.equal(len(reports), 13, "the master and three times four workers report")
    rep.ok("without a call stack" not in text, "all blocks have stacks")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
