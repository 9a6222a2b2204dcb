# SPDX-License-Identifier: Apache-2.0
"""QUIC: nginx serves HTTP/3 with the key in secret memory, to openssl s_client. These tests exist where OpenSSL
has QUIC for servers (3.5); scripts/test matrix runs them."""

import sys

from harness import keys, memory, process, report, tls
from harness.nginx import Nginx
from harness.register import bear, check, counted

LISTEN = "listen 127.0.0.1:{port} quic reuseport; http3 on;"


def shake(env, identity, port, environ):
    """One QUIC handshake: whether it was done, and the client's result."""
    command = ["openssl", "s_client", "-quic", "-alpn", "h3", "-brief", "-verify_return_error",
               "-CAfile", identity.certificate, "-connect", f"127.0.0.1:{port}"]
    result = process.run(env, command, environ, text="Q\n", seconds=30)
    return "Protocol version: QUICv1" in result.err, result


def scenario_nginx(env, rep):
    identity = keys.Identity(env, "rsa")

    def measure(protected):
        title = "QUIC " + ("with the preload" if protected else "without")
        environ = env.chosen(protected)
        port = tls.free_port()
        server = Nginx(env, [identity], environ, server=LISTEN.format(port=port))
        results = [shake(env, identity, port, environ) for _ in range(20)]
        failed = [result for done, result in results if not done]
        rep.ok(not failed, f"{title}: 20 handshakes by QUIC", failed[:1])
        with tls.Load(server.port, [tls.context(identity)]) as load:
            bear(load, 20)
        rep.ok(load.done >= 20 and not load.failures, f"{title}: TCP beside it", load.failures[:5])
        answer = counted(env, rep, identity, [server.master, *server.workers()], title)
        rep.equal([memory.is_protected(pid) for pid in server.workers()], [protected] * 4,
                  f"{title}: secret memory in the workers")
        rep.equal((server.deaths(), server.grave()), ([], []), f"{title}: no process died")
        rep.equal([result.messages for _, result in results], [[]] * 20, f"{title}: no message")
        server.stop()
        return answer

    check(env, rep, "nginx, QUIC", measure)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
