# SPDX-License-Identifier: Apache-2.0
"""The register: FTP servers."""

import sys

from harness import ftp, report
from harness.register import serve


def scenario_vsftpd(env, rep):
    """By its default it reads its key, makes each child by syscall(SYS_clone), and allows it 200 MB
    of address space: the preload sees both."""
    serve(env, rep, "vsftpd", ftp.Vsftpd)


def scenario_vsftpd_fork(env, rep):
    serve(env, rep, "vsftpd, isolate=NO", ftp.VsftpdForking)


def scenario_proftpd(env, rep):
    serve(env, rep, "ProFTPD", ftp.Proftpd)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
