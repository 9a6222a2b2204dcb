# SPDX-License-Identifier: Apache-2.0
"""Debian's name servers, its TURN server and OpenVPN: how each is started, and asked."""

import os
import pwd
import signal
import struct
import subprocess

from . import tls
from .programs import Service

QUESTION = b"\5hello\5tests\0"
ADDRESS = bytes([127, 0, 0, 42])


class NameServer(Service):
    """Answers a question for hello.tests, over TLS. AppArmor has profiles for these programs where
    Debian puts them, which would allow neither the preload nor the directory: so they are copied."""

    original = None

    def program(self):
        return self.env.reachable(self.original)

    def ask(self, client):
        query = (struct.pack("!HHHHHH", 4711, 0x100, 1, 0, 0, 0) + QUESTION
                 + struct.pack("!HH", 1, 1))
        with tls.connect(self.port, client) as secure:
            secure.sendall(struct.pack("!H", len(query)) + query)
            answer = tls.exactly(secure, struct.unpack("!H", tls.exactly(secure, 2))[0])
        return None if answer[:2] == query[:2] and ADDRESS in answer else answer


class Unbound(NameServer):
    """Two threads."""

    original = "/usr/sbin/unbound"

    def prepare(self):
        self.write("conf", f"""\
server:
  interface: 127.0.0.1@{self.port}
  tls-port: {self.port}
  tls-service-key: "{self.identity.key}"
  tls-service-pem: "{self.identity.certificate}"
  do-daemonize: no
  chroot: ""
  username: ""
  directory: "{self.directory}"
  pidfile: ""
  logfile: "{self.path("log")}"
  use-syslog: no
  num-threads: 2
  module-config: "iterator"
  local-zone: "tests." static
  local-data: "hello.tests. A 127.0.0.42"
remote-control:
  control-enable: no
""")

    def arguments(self):
        return [self.program(), "-d", "-c", self.path("conf")]


class Named(NameServer):
    """It becomes a user of its own."""

    original = "/usr/sbin/named"

    def prepare(self):
        owner = pwd.getpwnam("bind")
        os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        self.write("zone", """\
$TTL 60
@ IN SOA localhost. root.localhost. 1 60 60 60 60
@ IN NS localhost.
hello IN A 127.0.0.42
""")
        self.own("server.key", self.identity.key, "bind")
        self.write("conf", f"""\
options {{
  directory "{self.directory}";
  pid-file none;
  session-keyfile none;
  managed-keys-directory "{self.directory}";
  recursion no;
  dnssec-validation no;
  listen-on port {self.port} tls tests {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
}};
controls {{ }};
tls tests {{
  key-file "{self.path("server.key")}";
  cert-file "{self.identity.certificate}";
}};
zone "tests" {{ type primary; file "{self.path("zone")}"; }};
""")

    def key_file(self):
        return self.path("server.key")

    def arguments(self):
        return [self.program(), "-g", "-u", "bind", "-c", self.path("conf")]

    def ready(self):
        """It listens before it has its zones."""
        return super().ready() and "all zones loaded" in self.child.err


class Turnserver(Service):
    """coturn, asked for the address that it sees (STUN)."""

    MAGIC = struct.pack("!I", 0x2112A442)

    def prepare(self):
        self.plain_port = tls.free_port()

    def arguments(self):
        return ["/usr/bin/turnserver", "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1",
                f"--listening-port={self.plain_port}", f"--tls-listening-port={self.port}",
                "--no-udp", "--no-dtls", "--no-cli", "--no-auth", "--realm=tests",
                f"--cert={self.identity.certificate}", f"--pkey={self.identity.key}",
                f"--pidfile={self.path('pid')}", f"--db={self.path('db')}", "--log-file=stdout",
                "--min-port=49152", "--max-port=49160"]

    def ask(self, client):
        transaction = os.urandom(12)
        with tls.connect(self.port, client) as secure:
            secure.sendall(struct.pack("!HH", 1, 0) + self.MAGIC + transaction)
            answer = tls.exactly(secure, 20)
        right = answer[:2] == b"\1\1" and answer[4:] == self.MAGIC + transaction
        return None if right else answer


class OpenVpn(Service):
    """A server for many clients with a device that is never configured. Its clients are OpenVPN
    too: one handshake of each lasts until both have the keys of the data channel."""

    threads = 8
    options = ()

    def prepare(self):
        self.own("server.key", self.identity.key, "root")

    def key_file(self):
        """The clients have no preload, and leave their key's file in the page cache."""
        return self.path("server.key")

    def common(self, key):
        return ["--ca", self.identity.certificate, "--cert", self.identity.certificate, "--key",
                key, "--ifconfig-noexec", "--verb", "3"]

    def arguments(self):
        return ["/usr/sbin/openvpn", "--mode", "server", "--tls-server", "--proto", "tcp-server",
                "--local", "127.0.0.1", "--port", str(self.port), "--dev", "tun", "--topology",
                "subnet", "--server", "192.0.2.0", "255.255.255.0", "--dh", "none",
                "--duplicate-cn", "--log", self.path("log"), *self.common(self.key_file()),
                *self.options]

    def ready(self):
        return "Initialization Sequence Completed" in self.log()

    def hold(self, _client):
        command = ["/usr/sbin/openvpn", "--client", "--proto", "tcp-client", "--remote", "127.0.0.1",
                   str(self.port), "--nobind", "--dev", "null", "--route-noexec",
                   "--connect-retry-max", "1", *self.common(self.identity.key)]
        return Client(self.env, command)

    def ask(self, client):
        held = self.hold(client)
        try:
            return held.connected()
        finally:
            held.close()


class Client:
    """A client of OpenVPN's, until its close()."""

    def __init__(self, env, command):
        self.popen = subprocess.Popen(command, env=env.plain(), stdout=subprocess.PIPE, text=True,
                                      cwd=env.directory)

    def connected(self):
        """Waits until it is; what it said if it never was, else None."""
        said = []
        for line in self.popen.stdout:
            said.append(line)
            if "Initialization Sequence Completed" in line:
                return None
        return "".join(said)

    def close(self):
        self.popen.send_signal(signal.SIGTERM)
        self.popen.communicate()


class OpenVpnLocked(OpenVpn):
    """It locks all of its memory. It would not where it cannot have a limit of 100 MB."""

    options = ("--mlock",)

    def environment(self, environ):
        environ = super().environment(environ)
        preloads = [environ.get("LD_PRELOAD"), self.env.helper("libfake_limit.so")]
        return {**environ, "LD_PRELOAD": " ".join(filter(None, preloads))}
