# SPDX-License-Identifier: Apache-2.0
"""The register: web servers, a proxy, and what php-fpm's scripts do with TLS."""

import re
import signal
import sys

from harness import keys, memory, process, report, squid, tls, web
from harness.register import Asked, bear, counted, serve


def scenario_lighttpd(env, rep):
    """It asks for kernel TLS by itself."""
    serve(env, rep, "lighttpd", web.Lighttpd, says=["kernel TLS is refused"])


def scenario_gunicorn(env, rep):
    serve(env, rep, "gunicorn", web.Gunicorn)


def scenario_hitch(env, rep):
    serve(env, rep, "hitch", web.Hitch)


def scenario_php_fpm(env, rep):
    """A TLS client with a certificate, in each of its workers."""
    serve(env, rep, "php-fpm, client certificate", web.PhpFpm)


def scenario_squid(env, rep):
    serve(env, rep, "Squid", squid.SquidWorker)


def scenario_squid_alone(env, rep):
    serve(env, rep, "Squid, -N", squid.Squid)


def scenario_squid_unreached(env, rep):
    """Started by root, LD_PRELOAD reaches the process that watches, and not the one that works."""
    identity = keys.Identity(env, "rsa")
    for kind, reached in (squid.SquidUnreached, False), (squid.SquidUser, True):
        title = kind.__name__
        server = kind(env, identity, env.preloaded())
        rep.equal(server.ask(tls.context(identity)), None, f"{title}: answers")
        pids = server.processes()
        rep.equal([memory.has_file(pid, "libsecretssl") for pid in pids], [True, reached],
                  f"{title}: which processes have the preload")
        said = process.run(env, [env.tool, "stat", str(pids[1])], env.plain())
        rep.equal(bool(re.search("unprotected: OpenSSL without libsecretssl", said.out)), not reached,
                  f"{title}: stat says so of the one that works")
        _, copies, _ = counted(env, rep, identity, pids, title)
        rep.equal(not copies, reached, f"{title}: {len(copies)} copies")
        server.stop()


def scenario_squid_bump(env, rep):
    """Text of the key goes from the proxy to its helpers and back. These give what BN_bn2hex returned to free(),
    which ends them with the preload."""
    identity = keys.Identity(env, "rsa")
    for protected in False, True:
        title = f"Squid, ssl_bump {'with the preload' if protected else 'without'}"
        server = squid.SquidBump(env, identity, env.chosen(protected))
        with Asked(server, None) as load:
            bear(load, 20)
        rep.ok(load.done >= 20 and not load.failures, f"{title}: {load.done} connections under load, none fails",
               f"{load.failures[:2]}\n{server.log()[-3000:]}")
        pids = [pid for pid in server.processes() if process.program(pid) == "squid"]
        _, copies, _ = counted(env, rep, identity, pids, title)
        numbers = [copy for copy in copies if copy[0] != "PEM"]
        rep.note(f"{title}: {len(copies)} copies, {len(numbers)} of them numbers")
        rep.ok((numbers == []) == protected and copies, f"{title}: text is left, and "
               + ("nothing else" if protected else "numbers"), copies)
        status = server.certify(env.chosen(protected))
        rep.ok((status.status == -signal.SIGABRT and "free(): invalid pointer" in status.err) == protected
               and status.out.startswith("OK ") != protected, f"{title}: a helper", status)
        rep.equal(server.deaths(), [], f"{title}: no process died")
        server.stop()
        rep.equal(server.says(), [], f"{title}: says nothing")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
