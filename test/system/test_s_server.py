# SPDX-License-Identifier: Apache-2.0
"""openssl s_server and s_client: versions, key kinds, resumption; and a scan of the server."""

import sys

from harness import figures, keys, memory, report, tls


def conversation(env, rep, version, kind, protected):
    """Full and resumed handshakes with one server, then what can be read of its key."""
    title = f"TLS {version} {kind} {'with' if protected else 'without'} the preload"
    environ = env.chosen(protected)
    identity = keys.Identity(env, kind)
    option = tls.VERSIONS[version][0]
    server = tls.Server(env, identity, environ, [option, "-www"])
    session = env.path("session.pem")

    first = tls.s_client(env, identity, server.port, environ, [option, "-sess_out", session])
    rep.ok(first.status == 0 and tls.new_session(first) and "HTTP/1.0 200 ok" in first.out,
           f"{title}: full handshake and a page", first)
    second = tls.s_client(env, identity, server.port, environ, [option, "-sess_in", session])
    rep.ok(second.status == 0 and tls.reused(second) and "HTTP/1.0 200 ok" in second.out,
           f"{title}: resumed handshake and a page", second)
    client = tls.context(identity, version)
    pages = [tls.fetch(server.port, client) for _ in range(20)]
    rep.ok(all(b"200 ok" in page for page in pages), f"{title}: 20 more full handshakes")

    memory.check_scan(env, rep, [identity.key], [server.pid], protected, title)
    numbers = memory.find(server.pid, identity.private_numbers())
    if protected:
        rep.ok(not numbers, f"{title}: no private number, seen by a second scanner", numbers)
        rep.ok(memory.secret_bytes(server.pid) > 0, f"{title}: the server has secret memory")
        figures.check_uncached(env, rep, server.pid, title)
    else:
        rep.ok(numbers, f"{title}: the second scanner finds private numbers")
        rep.equal(memory.secret_bytes(server.pid), 0, f"{title}: no secret memory")
    text = memory.find(server.pid, [identity.pem_line()])
    if protected:
        rep.ok(not text, f"{title}: no line of the PEM text", text)
    ended = server.stop()
    rep.equal([first.messages, second.messages, ended.messages], [[], [], []],
              f"{title}: no message")


def both(env, rep, version, kind):
    conversation(env, rep, version, kind, protected=False)
    conversation(env, rep, version, kind, protected=True)


def scenario_tls12_rsa(env, rep):
    both(env, rep, "1.2", "rsa")


def scenario_tls12_ecdsa(env, rep):
    both(env, rep, "1.2", "ecdsa")


def scenario_tls13_rsa(env, rep):
    both(env, rep, "1.3", "rsa")


def scenario_tls13_ecdsa(env, rep):
    both(env, rep, "1.3", "ecdsa")


def scenario_client_certificate(env, rep):
    """Client authentication: both ends hold a private key."""
    identity = keys.Identity(env, "rsa")
    for protected in (False, True):
        environ = env.chosen(protected)
        server = tls.Server(env, identity, environ,
                            ["-www", "-Verify", "1", "-CAfile", identity.certificate])
        options = ["-cert", identity.certificate, "-key", identity.key]
        result = tls.s_client(env, identity, server.port, environ, options)
        title = "with the preload" if protected else "without"
        rep.ok(result.status == 0 and "200 ok" in result.out,
               f"client certificate {title}", result)
        memory.check_scan(env, rep, [identity.key], [server.pid], protected,
                          f"server {title}")
        rep.equal(server.stop().messages + result.messages, [], f"{title}: no message")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
