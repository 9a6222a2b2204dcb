# SPDX-License-Identifier: Apache-2.0
"""AWS-LC, shared and linked into a program: a server of this project, and HAProxy. These tests exist where the
build has an AWS-LC (SECRETSSL_AWS_LC); scripts/test matrix runs them."""

import os
import signal
import sys

import test_sessions
from harness import figures, keys, memory, process, programs, report, tls
from harness.register import bear, check, counted, stays, web

REFUSED = r"CRYPTO_set_mem_functions.* are refused.*: libsecretssl's functions stay in use"
COPY = "the program contains a copy of BoringSSL or AWS-LC that looks for no allocator"


class Server(process.Child):
    """programs/aws_lc.c, linked in some way"""

    def __init__(self, env, identity, way, environ, *arguments):
        super().__init__(env, [env.helper(f"aws_lc_{way}"), identity.certificate, identity.key, *arguments], environ)
        self.port = int(self.wait_for(r"^port (\d+)$")[1])


def shown(rep, pids, env, protected, title):
    """What stat says of each process."""
    found = [figures.of(env, pid) for pid in pids]
    rep.equal([(one["state"], one["not_reached"]) for one in found],
              [("protected" if protected else "unprotected", [])] * len(pids), f"{title}: stat")
    result = figures.stat(env, "--strict", *pids)
    rep.equal(result.status == 0, protected, f"{title}: stat --strict")


def serve(env, rep, name, way):
    """Handshakes of both versions, each in a child of fork; then the server and a child are looked at."""
    identity = keys.Identity(env, "rsa")

    def measure(protected):
        title = f"{name} " + ("with the preload" if protected else "without")
        server = Server(env, identity, way, env.chosen(protected, SECRETSSL_REQUIRE="1"))
        contexts = [tls.context(identity, version) for version in tls.VERSIONS]
        for version, client in zip(tls.VERSIONS, contexts):
            with tls.connect(server.port, client) as secure:
                rep.equal(secure.version(), f"TLSv{version}", f"{title}: a handshake of TLS {version}")
        with tls.Load(server.port, contexts) as load:
            bear(load, 20)
        rep.ok(load.done >= 20 and not load.failures, f"{title}: {load.done} connections under load, none fails",
               load.failures[:5])
        with tls.connect(server.port, contexts[1]):
            pids = [server.pid, *process.children(server.pid)]
            rep.equal(len(pids), 2, f"{title}: a child serves the connection")
            rep.equal([memory.is_protected(pid) for pid in pids], [protected] * 2, f"{title}: secret memory in both")
            answer = counted(env, rep, identity, pids, title)
            shown(rep, pids, env, protected, title)
        result = server.stop()
        rep.ok(result.status == -signal.SIGTERM and result.err == "", f"{title}: ends when asked, and says nothing",
               result)
        return answer

    check(env, rep, name, measure)


def scenario_shared(env, rep):
    serve(env, rep, "AWS-LC, shared", "shared")


def scenario_static(env, rep):
    """Linked into the program, which exports its functions."""
    serve(env, rep, "AWS-LC, static", "static")


def scenario_hidden(env, rep):
    """Linked into the program, which exports nothing of it."""
    serve(env, rep, "AWS-LC, static and hidden", "hidden")


def scenario_fixed(env, rep):
    """Linked in such a way that it looks for no allocator: it is not reached, and everything says so."""
    identity = keys.Identity(env, "rsa")
    server = Server(env, identity, "fixed", env.preloaded())
    rep.ok(b"hello" in tls.fetch(server.port, tls.context(identity)), "it works with the preload")
    _, copies, _ = counted(env, rep, identity, [server.pid], "with the preload")
    rep.ok(copies, f"{len(copies)} copies with the preload")
    found = figures.of(env, server.pid)
    rep.equal((found["state"], [one["what"] for one in found["not_reached"]]), ("unreached", ["BoringSSL or AWS-LC"]),
              "stat")
    rep.equal(figures.stat(env, "--strict", server.pid).status, 1, "stat --strict")
    said = process.run(env, [env.tool, "doctor", str(server.pid)], env.plain())
    rep.ok(said.status == 1 and "cannot reach the TLS in this process" in said.out, "doctor", said)
    server.stop()
    command = [env.helper("aws_lc_fixed"), identity.certificate, identity.key]
    result = process.run(env, command, env.preloaded(SECRETSSL_REQUIRE="1"))
    rep.ok(result.status == 78 and len(result.err.splitlines()) == 1 and COPY in result.err and result.out == "",
           "required: status 78 and one line", result)
    result = process.run(env, [env.tool, "run", "--require", *command], env.plain())
    rep.ok(result.status == 125 and "contains BoringSSL or AWS-LC, which cannot be reached" in result.err
           and result.out == "", "run --require does not start it", result)


def scenario_own_functions(env, rep):
    """AWS-LC takes memory functions of the program once, if the process has no OPENSSL_memory_alloc: the preload has."""
    identity = keys.Identity(env, "rsa")
    # A program with AWS-LC inside calls AWS-LC's function, which refuses by itself.
    for way, says in ("shared", [REFUSED]), ("static", []), ("hidden", []):
        for protected in False, True:
            title = f"{way} " + ("with the preload" if protected else "without")
            server = Server(env, identity, way, env.chosen(protected), "own")
            rep.equal(server.out.splitlines()[:2], ["set 0", "used 0"] if protected else ["set 1", "used 1"],
                      f"{title}: whether its functions are in use")
            rep.ok(b"hello" in tls.fetch(server.port, tls.context(identity)), f"{title}: answers")
            _, copies, _ = counted(env, rep, identity, [server.pid], title)
            rep.equal(copies == [], protected, f"{title}: {len(copies)} copies")
            process.expect_messages(rep, server.stop().messages, says if protected else [], title)
    server = Server(env, identity, "shared", env.preloaded(SECRETSSL_FUNCTIONS="ignore"), "own")
    rep.equal(server.out.splitlines()[:2], ["set 1", "used 0"], "ignored: it is told that they are in use")
    rep.equal(server.stop().messages, [], "ignored: no message")


class Haproxy(programs.Haproxy):
    way = None

    def arguments(self):
        return [f"/opt/haproxy/{self.way}", *super().arguments()[1:]]

    def workers(self):
        return [pid for pid in self.processes() if pid != self.child.pid]

    def reload(self):
        """HAProxy's master may miss a signal in the first moments."""
        said = "Reloading HAProxy"
        before = self.child.err.count(said)
        for _ in range(10):
            os.kill(self.child.pid, signal.SIGUSR2)
            if process.wait_until(lambda: self.child.err.count(said) > before, 2):
                return True
        return False


class HaproxyShared(Haproxy):
    way = "shared"


class HaproxyStatic(Haproxy):
    way = "static"


class HaproxyHidden(Haproxy):
    way = "hidden"


def reload(env, rep, kind):
    """Reloads below load: the processes that serve then are protected too, and required to be."""
    identity = keys.Identity(env, "rsa")
    for protected in False, True:
        title = "reloaded " + ("with the preload" if protected else "without")
        server = kind(env, identity, env.chosen(protected, SECRETSSL_REQUIRE="1"))
        with tls.Load(server.port, [tls.context(identity)]) as load:
            for turn in range(3):
                before = set(server.workers())
                rep.ok(server.reload() and process.wait_until(lambda: not before & set(server.workers()), 20),
                       f"{title}: other workers after reload {turn + 1}", (before, server.child.err))
                bear(load, load.done + 20)
        rep.ok(load.done >= 60 and not load.failures, f"{title}: {load.done} connections, none fails",
               load.failures[:5])
        workers = sorted(stays(server) - {server.child.pid})
        _, copies, _ = counted(env, rep, identity, [server.child.pid, *workers], title, server.key_file())
        rep.equal(copies == [], protected, f"{title}: {len(copies)} copies")
        shown(rep, workers, env, protected, title)
        rep.equal(server.deaths(), [], f"{title}: no process died")
        rep.equal(server.stop().messages, [], f"{title}: no message")


def scenario_haproxy_shared(env, rep):
    web(env, rep, "HAProxy, AWS-LC shared", HaproxyShared)
    reload(env, rep, HaproxyShared)


def scenario_haproxy_static(env, rep):
    """As HAProxy is linked by default, with its symbols exported, and AWS-LC's among them"""
    web(env, rep, "HAProxy, AWS-LC static", HaproxyStatic)
    reload(env, rep, HaproxyStatic)


def scenario_haproxy_hidden(env, rep):
    web(env, rep, "HAProxy, AWS-LC static and hidden", HaproxyHidden)
    reload(env, rep, HaproxyHidden)


def scenario_sealed_sessions(env, rep):
    """The shared cache of HAProxy with AWS-LC's shared libraries (docs/sessions.md)"""
    test_sessions.caches(env, rep, "HAProxy, AWS-LC", lambda identity, environ: HaproxyShared(env, identity, environ))


if __name__ == "__main__":
    report.main(sys.modules[__name__])
