# SPDX-License-Identifier: Apache-2.0
"""Secrets of TLS sessions: where they are with the preload, and where they are all the same."""

import socket
import ssl
import sys

from harness import keys, process, programs, report, tls
from harness.nginx import Nginx


def logged(env, identity, version, name, ticket=True):
    """A client that keeps a key log, and its file."""
    client = tls.context(identity, version)
    client.keylog_filename = env.path(name)
    if not ticket:
        client.options |= ssl.OP_NO_TICKET
    return client, env.path(name)


def scan(env, log, pids):
    return process.run(env, [env.tool, "scan", "--keylog", log, *map(str, pids)], env.plain())


def scenario_connection(env, rep):
    """A live connection's secrets: in the server's ordinary memory without the preload, and with
    it in secret memory only."""
    identity = keys.Identity(env, "ecdsa")
    for version in "1.2", "1.3":
        for protected in False, True:
            server = tls.Server(env, identity, env.chosen(protected), ["-www"])
            client, log = logged(env, identity, version, f"log-{version}-{protected}")
            with tls.connect(server.port, client) as connection:
                rep.equal(connection.version(), f"TLSv{version}", "connected")
                result = scan(env, log, [server.pid])
            rep.ok((result.status, "session " in result.out) == ((0, False) if protected else (1, True)),
                   f"TLS {version} {'with' if protected else 'without'} the preload", result)
            server.stop()


def scenario_nginx_cache(env, rep):
    """nginx's shared session cache is shared memory of nginx's own, which the preload does not
    reach: master secrets of TLS 1.2 lie there, and none without the cache."""
    identity = keys.Identity(env, "ecdsa")
    for cache, protected, status in (("off", True, 0), ("shared:tests:1m", True, 1),
                                     ("shared:tests:1m", False, 1)):
        server = Nginx(env, [identity], env.chosen(protected), cache=cache)
        client, log = logged(env, identity, "1.2", f"log-{cache}-{protected}", ticket=False)
        for _ in range(8):
            tls.fetch(server.port, client)
        result = scan(env, log, [server.master, *server.workers()])
        rep.equal(result.status, status, f"cache {cache}, {'with' if protected else 'without'} the preload")
        rep.note(result.out)
        if cache != "off":
            rep.ok("session CLIENT_RANDOM" in result.out, "master secrets are what is found", result)
        server.stop()


def scenario_sealed(env, rep):
    """SECRETSSL_SESSIONS=sealed: what a program serialises is of use to its own processes only."""
    process.run_checks(env, rep, "session_cache", ["ordinary", "plain"], env.plain(), title="without us")
    process.run_checks(env, rep, "session_cache", ["secret", "plain"], env.preloaded(), title="not sealed")
    for more in {}, {"SECRETSSL_REQUIRE": "1"}, {"SECRETSSL_FORK": "deny"}:
        process.run_checks(env, rep, "session_cache", ["secret", "sealed"],
                           env.preloaded(SECRETSSL_SESSIONS="sealed", **more), title=f"sealed, {more}",
                           messages=["a cached session is damaged, or was sealed with the key of an unrelated"] * 2)


def resumed(server, client, turns=24):
    """How many of so many connections, each with the session of the first, resume it."""
    def connection(session=None):
        raw = socket.create_connection(("127.0.0.1", server.port), 20)
        return client.wrap_socket(raw, server_hostname="localhost", session=session)

    def resumes():
        with connection(session) as another:
            return another.session_reused

    with connection() as first:
        session = first.session
    # A server sends its last word before it fills the cache.
    process.wait_until(resumes, 5)
    return sum(resumes() for _ in range(turns))


def caches(env, rep, name, start):
    """A server's shared cache: master secrets in it, or none with sealed sessions, which resume
    all the same, in every worker."""
    identity = keys.Identity(env, "ecdsa")
    for sessions, status in ("plain", 1), ("sealed", 0):
        server = start(identity, env.preloaded(SECRETSSL_SESSIONS=sessions))
        client, log = logged(env, identity, "1.2", f"log-{name}-{sessions}", ticket=False)
        rep.equal(resumed(server, client), 24, f"{name}, {sessions}: each connection resumes")
        for _ in range(8):
            tls.connect(server.port, client).close()
        result = scan(env, log, server.processes())
        # 2: a process ended meanwhile, or could not be read as a whole
        rep.ok(result.status in (status, 2) and
               ("session CLIENT_RANDOM" in result.out) == (status == 1),
               f"{name}, {sessions}: secrets in its processes", result)
        rep.note(result.out)
        server.stop()


def scenario_sealed_nginx(env, rep):
    def start(identity, environ):
        server = Nginx(env, [identity], environ)
        server.processes = lambda: [server.master, *server.workers()]
        return server

    caches(env, rep, "nginx", start)


def scenario_sealed_haproxy(env, rep):
    caches(env, rep, "HAProxy", lambda identity, environ: programs.Haproxy(env, identity, environ))


def scenario_sealed_apache(env, rep):
    caches(env, rep, "Apache", lambda identity, environ: programs.ApacheEvent(env, identity, environ))


if __name__ == "__main__":
    report.main(sys.modules[__name__])
