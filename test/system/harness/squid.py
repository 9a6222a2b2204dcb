# SPDX-License-Identifier: Apache-2.0
"""Squid with OpenSSL: in front of a server, and as a proxy that opens its clients' TLS."""

import os
import pwd
import re
import signal
import socket
import ssl
import subprocess

from . import keys, process, tls
from .web import ANSWER, Backend, Http


class Squid(Http):
    """One process, which leaves root."""

    backend = None
    mode = "-N"

    def prepare(self):
        self.backend = self.backend or self.origin()
        owner = pwd.getpwnam("proxy")
        os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        self.write("conf", f"""\
{self.listens()}
http_access allow all
cache deny all
cache_effective_user proxy
cache_effective_group proxy
visible_hostname localhost
pid_filename {self.path("pid")}
cache_log {self.path("log")}
access_log stdio:{self.path("access")}
coredump_dir {self.directory}
pinger_enable off
shutdown_lifetime 1 seconds
""")

    def origin(self):
        return Backend()

    def listens(self):
        return f"""\
https_port 127.0.0.1:{self.port} accel defaultsite=localhost no-vhost \
tls-cert={self.identity.certificate} tls-key={self.key_file()}
cache_peer 127.0.0.1 parent {self.backend.port} 0 no-query originserver"""

    def arguments(self):
        return ["/usr/sbin/squid", self.mode, "-YC", "-f", self.path("conf"), "-n", f"tests{self.port}"]

    def listened(self):
        """How often it has said that it listens, which it does in a moment."""
        return len(re.findall("Accepting .*Socket connections", self.log()))

    def ready(self):
        return super().ready() and self.listened() > 0

    def after(self, client):
        """It reads its configuration and its key again."""
        before = self.listened()
        os.kill(self.child.pid, signal.SIGHUP)
        if not process.wait_until(lambda: self.listened() > before and tls.listening(self.port), 20):
            return self.log()
        return self.ask(client)

    def stop(self):
        self.backend.close()
        return super().stop()


class SquidWorker(Squid):
    """As Debian's unit starts it: a process that stays root executes one that works. This one's real user
    is root and its effective one is not, so ld.so ignores LD_PRELOAD as in a set-id program. It does not
    ignore the file of the whole machine, which is made in mounts of its own."""

    mode = "--foreground"
    # What it reads in /etc
    needs = ("passwd", "group", "nsswitch.conf", "hosts", "services", "ld.so.cache", "squid", "ssl")
    covered = False

    def environment(self, environ):
        environ = super().environment(environ)
        self.covered = "LD_PRELOAD" in environ
        if self.covered:
            os.makedirs(self.path("etc"), exist_ok=True)
            subprocess.run(["cp", "-a", *(f"/etc/{name}" for name in self.needs), self.path("etc")],
                           check=True, timeout=20)
            self.write("etc/ld.so.preload", environ.pop("LD_PRELOAD") + "\n")
        return environ

    def begin(self):
        super().begin()
        if self.covered:
            process.cover("/etc", self.path("etc"))


class SquidUnreached(SquidWorker):
    """With LD_PRELOAD all the same."""

    environment = Squid.environment


class SquidUser(SquidUnreached):
    """Started as its user, as by User= of a unit, who can read the key."""

    user = "proxy"

    def prepare(self):
        self.own("server.key", self.identity.key, self.user)
        super().prepare()

    def key_file(self):
        return self.path("server.key")


class Origin(Backend):
    """A TLS server. Its key is not the one that is looked for."""

    def __init__(self, identity):
        self.certificate = identity.certificate
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(identity.certificate, identity.key)
        super().__init__()

    def answer(self, plain):
        with plain:
            try:
                plain.settimeout(30)
                with self.context.wrap_socket(plain, server_side=True) as secure:
                    secure.recv(65536)
                    secure.sendall(ANSWER)
                    secure.unwrap()
            except OSError:
                pass


class SquidBump(Squid):
    """Opens the TLS of its clients with certificates that its helpers sign. They get the text of the key
    from it with each request, and give it back: their certificates have the same key."""

    helper = "/usr/lib/squid/security_file_certgen"
    key = None
    def prepare(self):
        if self.key is None:
            self.key = self.own("server.key", self.identity.key, "proxy")
            # With the name of an origin its certificates would look like signed by themselves.
            subprocess.run(["openssl", "req", "-x509", "-key", self.identity.key, "-days", "2", "-subj",
                            "/CN=authority", "-out", self.path("authority")], check=True,
                           env=self.env.plain(), timeout=20)
            self.client = ssl.create_default_context(cafile=self.path("authority"))
            subprocess.run([*self.helpers(), "-c"], check=True, env=self.env.plain(),
                           capture_output=True, timeout=20)
            subprocess.run(["chown", "-R", "proxy:", self.path("database")], check=True, timeout=20)
        super().prepare()

    def key_file(self):
        return self.key

    def origin(self):
        return Origin(keys.Identity(self.env, "ecdsa"))

    def listens(self):
        return f"""\
http_port 127.0.0.1:{self.port} ssl-bump generate-host-certificates=on dynamic_cert_mem_cache_size=4MB \
tls-cert={self.path("authority")} tls-key={self.key}
sslcrtd_program /usr/bin/env --unset=LD_PRELOAD {" ".join(self.helpers())}
sslcrtd_children 2 startup=2
ssl_bump bump all
tls_outgoing_options cafile={self.backend.certificate}"""

    def certify(self, environ):
        """What a helper answers to a request, and how it ends."""
        texts = []
        for name in self.path("authority"), self.identity.key:
            with open(name, encoding="ascii") as file:
                texts.append(file.read())
        request = "host=other.tests\n" + "".join(texts)
        return process.run(self.env, self.helpers(), environ, text=f"new_certificate {len(request)} {request}")

    def helpers(self):
        return [self.helper, "-s", self.path("database"), "-M", "4MB"]

    def hold(self, _client):
        """A connection to the origin, as the client believes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as plain:
            host = f"localhost:{self.backend.port}"
            plain.sendall(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            answer = b""
            while not answer.endswith(b"\r\n\r\n") and (block := plain.recv(1)):
                answer += block
            if b" 200 " not in answer:
                raise OSError(f"the proxy answers {answer!r}")
            return self.client.wrap_socket(plain, server_hostname="localhost")

    def ask(self, client):
        with self.hold(client) as secure:
            secure.sendall(tls.REQUEST.replace(b"localhost", f"localhost:{self.backend.port}".encode()))
            answer = b""
            while block := secure.recv(65536):
                answer += block
        right = b" 200 " in answer.split(b"\r\n", 1)[0] and answer.endswith(b"hello\n")
        return None if right else answer
