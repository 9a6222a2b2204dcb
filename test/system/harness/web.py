# SPDX-License-Identifier: Apache-2.0
"""Debian's smaller web servers and proxies, and what php-fpm does with TLS."""

import glob
import os
import pwd
import socket
import ssl
import struct
import threading

from . import tls
from .programs import Service

ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n"


class Http(Service):
    """Answers hello."""

    def ask(self, client):
        answer = tls.fetch(self.port, client)
        right = b" 200 " in answer.split(b"\r\n", 1)[0] and answer.endswith(b"hello\n")
        return None if right else answer


class Lighttpd(Http):
    """A process that watches two workers."""

    def prepare(self):
        os.makedirs(self.path("root"), exist_ok=True)
        self.write("root/index.html", "hello\n")
        self.write("conf", f"""\
server.modules = ("mod_openssl")
server.document-root = "{self.path("root")}"
server.bind = "127.0.0.1"
server.port = {self.port}
server.errorlog = "{self.path("log")}"
server.max-worker = 2
index-file.names = ("index.html")
ssl.engine = "enable"
ssl.pemfile = "{self.identity.certificate}"
ssl.privkey = "{self.identity.key}"
""")

    def arguments(self):
        return ["/usr/sbin/lighttpd", "-D", "-f", self.path("conf")]

    def ready(self):
        return super().ready() and len(self.processes()) >= 3


class Gunicorn(Http):
    """Three workers in Python, forked before they have read the key: each reads it."""

    def prepare(self):
        self.write("application.py", """\
def application(environ, start):
    start("200 OK", [("Content-Length", "6")])
    return [b"hello\\n"]
""")

    def arguments(self):
        return ["/usr/bin/gunicorn", "--workers", "3", "--bind", f"127.0.0.1:{self.port}",
                "--certfile", self.identity.certificate, "--keyfile", self.identity.key,
                "--worker-tmp-dir", self.directory, "application:application"]

    def ready(self):
        return super().ready() and len(self.processes()) >= 4


class Backend:
    """Answers hello to each connection without TLS."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                plain, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(plain,), daemon=True).start()

    @staticmethod
    def answer(plain):
        with plain:
            try:
                plain.settimeout(30)
                if plain.recv(65536):
                    plain.sendall(ANSWER)
            except OSError:
                pass

    def close(self):
        # accept() in the thread ends by it.
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Hitch(Http):
    """A proxy with two workers, which leave root."""

    backend = None

    def prepare(self):
        self.backend = self.backend or Backend()
        with open(self.identity.certificate, encoding="ascii") as one, \
                open(self.identity.key, encoding="ascii") as other:
            # In the order of its manual. In the other, a later look at the certificate alone brings
            # the file back into the page cache.
            self.write("both.pem", other.read() + one.read())
        self.write("conf", f"""\
frontend = "[127.0.0.1]:{self.port}"
backend = "[127.0.0.1]:{self.backend.port}"
pem-file = "{self.path("both.pem")}"
user = "_hitch"
workers = 2
daemon = off
""")

    def key_file(self):
        return self.path("both.pem")

    def arguments(self):
        return ["/usr/sbin/hitch", f"--config={self.path('conf')}"]

    def ready(self):
        return super().ready() and len(self.processes()) >= 3

    def stop(self):
        self.backend.close()
        return super().stop()


class Verifier:
    """A TLS server that wants a certificate of each client, and answers hello, or nothing as long
    as it is silent."""

    def __init__(self, identity):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(identity.certificate, identity.key)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.load_verify_locations(identity.certificate)
        self.speak, self.waiting = threading.Event(), threading.Event()
        self.speak.set()
        self.backend = Backend()
        self.backend.answer = self.answer
        self.port = self.backend.port

    def answer(self, plain):
        with plain:
            try:
                plain.settimeout(30)
                with self.context.wrap_socket(plain, server_side=True) as secure:
                    secure.recv(65536)
                    if not self.speak.is_set():
                        self.waiting.set()
                        self.speak.wait(60)
                    secure.sendall(ANSWER)
                    secure.unwrap()
            except OSError:
                pass

    def close(self):
        self.speak.set()
        self.backend.close()


def record(kind, content):
    """A record of FastCGI, of request 1."""
    return struct.pack("!BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def pair(name, value):
    return bytes([len(name)]) + struct.pack("!I", len(value) | 1 << 31) + name + value


class PhpFpm(Service):
    """What uses OpenSSL in it are the scripts: one that asks a TLS server, and shows its certificate.
    It is asked by FastCGI, so the port is one without TLS."""

    verifier = None

    def prepare(self):
        self.verifier = self.verifier or Verifier(self.identity)
        user = pwd.getpwnam("www-data")
        self.own("client.key", self.identity.key, "www-data")
        self.write("script.php", f"""\
<?php
$context = stream_context_create(['ssl' => ['cafile' => '{self.identity.certificate}',
    'local_cert' => '{self.identity.certificate}', 'local_pk' => '{self.path("client.key")}']]);
echo file_get_contents('https://localhost:{self.verifier.port}/', false, $context);
""")
        self.write("conf", f"""\
[global]
daemonize = no
error_log = {self.path("log")}
pid = {self.path("pid")}
[tests]
user = www-data
group = www-data
listen = 127.0.0.1:{self.port}
pm = static
pm.max_children = 3
""")
        os.chown(self.directory, user.pw_uid, user.pw_gid)

    def key_file(self):
        return self.path("client.key")

    def arguments(self):
        return [max(glob.glob("/usr/sbin/php-fpm[0-9]*")), "--nodaemonize", "--fpm-config",
                self.path("conf"), "-n"]

    def ready(self):
        return super().ready() and len(self.processes()) >= 4

    def request(self):
        """A connection with a request for the script on it."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        parameters = (pair(b"SCRIPT_FILENAME", self.path("script.php").encode())
                      + pair(b"REQUEST_METHOD", b"GET"))
        plain.sendall(record(1, struct.pack("!HB5x", 1, 0)) + record(4, parameters)
                      + record(4, b"") + record(5, b""))
        return plain

    def ask(self, _client):
        with self.request() as plain:
            answer = b""
            while block := plain.recv(65536):
                answer += block
            return None if b"\r\n\r\nhello\n" in answer else answer

    def hold(self, _client):
        """Its connection to a server that does not answer."""
        self.verifier.speak.clear()
        held = self.request()
        if not self.verifier.waiting.wait(30):
            raise RuntimeError(f"php-fpm does not ask\n{self.log()}")
        return held

    def stop(self):
        self.verifier.close()
        return super().stop()
