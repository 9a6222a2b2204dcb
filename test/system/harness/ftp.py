# SPDX-License-Identifier: Apache-2.0
"""Debian's FTP servers, with a process for each connection. Commands and data go over TLS."""

import ftplib
import os

from .environment import unpacked
from .programs import Service


class Ftp(Service):
    """An anonymous user reads a file."""

    steady = False

    def content(self):
        """The directory that a client sees."""
        os.makedirs(self.path("root"), exist_ok=True)
        self.write("root/file", "hello\n")
        return self.path("root")

    def hold(self, client):
        ftp = ftplib.FTP_TLS(context=client, timeout=20)
        ftp.connect("127.0.0.1", self.port)
        ftp.login("anonymous", "tests@localhost")
        ftp.prot_p()
        return ftp

    def ask(self, client):
        try:
            ftp, got = self.hold(client), []
            ftp.retrlines("RETR file", got.append)
            ftp.quit()
            return None if got == ["hello"] else got
        except (EOFError, ftplib.Error) as failure:
            return repr(failure)


class Vsftpd(Ftp):
    """Lowers RLIMIT_AS to 200 MB in each of its children. Its key is read before they are made, by
    syscall(SYS_clone) if they are isolated, which is its default."""

    isolate = "YES"

    def prepare(self):
        self.write("conf", f"""\
listen=YES
listen_address=127.0.0.1
listen_port={self.port}
background=NO
anonymous_enable=YES
local_enable=NO
anon_root={self.content()}
secure_chroot_dir={self.empty()}
isolate={self.isolate}
isolate_network={self.isolate}
ssl_enable=YES
allow_anon_ssl=YES
force_anon_logins_ssl=YES
force_anon_data_ssl=YES
require_ssl_reuse=NO
rsa_cert_file={self.identity.certificate}
rsa_private_key_file={self.identity.key}
xferlog_enable=NO
""")

    def empty(self):
        os.makedirs(self.path("empty"), exist_ok=True)
        return self.path("empty")

    def arguments(self):
        return ["/usr/sbin/vsftpd", self.path("conf")]


class VsftpdForking(Vsftpd):
    isolate = "NO"


class Proftpd(Ftp):
    """Debian's package cannot be installed beside vsftpd: scripts/setup only unpacks it."""

    def prepare(self):
        modules = unpacked("proftpd-mod-crypto", "usr", "lib", "proftpd")
        self.write("conf", f"""\
ModulePath {modules}
LoadModule mod_tls.c
ServerType standalone
ServerName tests
DefaultAddress 127.0.0.1
Port {self.port}
UseIPv6 off
UseReverseDNS off
User nobody
Group nogroup
PidFile {self.path("pid")}
ScoreboardFile {self.path("scoreboard")}
DelayTable none
AuthUserFile {self.users()}
WtmpLog off
TransferLog none
UseFtpUsers off
SystemLog {self.path("log")}
TLSEngine on
TLSRequired on
TLSLog {self.path("tls")}
TLSOptions NoSessionReuseRequired
TLSRSACertificateFile {self.identity.certificate}
TLSRSACertificateKeyFile {self.identity.key}
<Anonymous {self.content()}>
  User nobody
  Group nogroup
  UserAlias anonymous nobody
  RequireValidShell off
</Anonymous>
""")

    def users(self):
        """A file of users in which there is none."""
        os.chmod(self.write("users", ""), 0o600)
        return self.path("users")

    def arguments(self):
        return [unpacked("proftpd-core", "usr", "sbin", "proftpd"),
                "--nodaemon", "--config", self.path("conf")]
