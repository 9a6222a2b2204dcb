# SPDX-License-Identifier: Apache-2.0
"""The register: FTP servers."""

import sys

from harness import ftp, keys, process, report, tls
from harness.register import serve


def scenario_vsftpd(env, rep):
    serve(env, rep, "vsftpd, isolate=NO", ftp.Vsftpd)


def scenario_vsftpd_isolated(env, rep):
    """Its default does not work: it reads its key first, and makes each child by a raw clone."""
    identity = keys.Identity(env, "rsa")
    client = tls.context(identity)
    server = ftp.VsftpdIsolated(env, identity, env.plain())
    rep.equal([server.ask(client) for _ in range(3)], [None] * 3, "without the preload: answers")
    server.stop()
    server = ftp.VsftpdIsolated(env, identity, env.preloaded())
    rep.equal([server.ask(client) for _ in range(3)], ["EOFError()"] * 3,
              "with the preload: each connection ends")
    rep.ok(process.alive(server.child.pid), "it still runs")
    server.stop()
    rep.ok(len(server.says()) >= 3, "each child says why", server.says())
    process.expect_messages(rep, server.says(), [
        "fatal: allocation in a child of _Fork or a raw fork, which has no secrets"], "isolated")


def scenario_proftpd(env, rep):
    serve(env, rep, "ProFTPD", ftp.Proftpd)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
