# SPDX-License-Identifier: Apache-2.0
"""TLS clients and servers on loopback."""

import os
import re
import socket
import ssl
import subprocess
import threading
import time

from . import process

VERSIONS = {"1.2": ("-tls1_2", ssl.TLSVersion.TLSv1_2), "1.3": ("-tls1_3", ssl.TLSVersion.TLSv1_3)}
REQUEST = b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listening(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server(process.Child):
    """openssl s_server; it chooses its port itself."""

    def __init__(self, env, identity, environ, options=(), **more):
        super().__init__(
            env, ["openssl", "s_server", "-accept", "127.0.0.1:0", "-key", identity.key,
                  "-cert", identity.certificate, *options], environ, **more)
        self.port = int(self.wait_for(r"^ACCEPT 127\.0\.0\.1:(\d+)")[1])


def client_command(identity, port, options=()):
    return ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile",
            identity.certificate, "-verify_return_error", "-ign_eof", *options]


def s_client(env, identity, port, environ, options=()):
    """One connection by openssl s_client, which asks for a page and reads it to its end."""
    return process.run(env, client_command(identity, port, options), environ,
                       text=REQUEST.decode(), seconds=30)


def context(identity, version=None, with_certificate=False):
    made = ssl.create_default_context(cafile=identity.certificate)
    if version:
        made.minimum_version = made.maximum_version = VERSIONS[version][1]
    if with_certificate:
        made.load_cert_chain(identity.certificate, identity.key)
    return made


def connect(port, client, seconds=20):
    """A connection that stays, after its handshake."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds * process.SLOWNESS) as plain:
        return client.wrap_socket(plain, server_hostname="localhost")


def fetch(port, client, path=b"/", seconds=20):
    """A new connection, a full handshake, one request; the whole answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds * process.SLOWNESS) as plain:
        plain.settimeout(seconds * process.SLOWNESS)
        with client.wrap_socket(plain, server_hostname="localhost") as secure:
            secure.sendall(REQUEST.replace(b"/", path, 1))
            answer = b""
            while block := secure.recv(65536):
                answer += block
            return answer


def exactly(connection, size):
    """So many bytes of a connection."""
    got = b""
    while len(got) < size:
        block = connection.recv(size - len(got))
        if not block:
            raise OSError(f"the connection ended after {got!r}")
        got += block
    return got


class Load:
    """Threads that each make one new connection after another and note every failure."""

    def __init__(self, port, contexts, threads=4, path=b"/"):
        self.port, self.contexts, self.path = port, contexts, path
        self.stopped = threading.Event()
        self.lock = threading.Lock()
        self.done, self.failures = 0, []
        self.threads = [threading.Thread(target=self.loop, args=(n,)) for n in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def once(self, client):
        """One connection; what is wrong with the answer, or None."""
        answer = fetch(self.port, client, self.path)
        return None if b" 200 " in answer.split(b"\r\n", 1)[0] else answer[:200]

    def loop(self, number):
        turn = number
        while not self.stopped.is_set():
            begin = time.monotonic()
            turn += 1
            try:
                error = self.once(self.contexts[turn % len(self.contexts)])
            except OSError as failure:
                error = failure
            with self.lock:
                self.done += 1
                if error is not None:
                    self.failures.append((begin, time.monotonic(), error))


class HoldingServer:
    """Accepts one TLS client at a time and answers it only when told to."""

    ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"

    def __init__(self, identity, ask_certificate):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(identity.certificate, identity.key)
        if ask_certificate:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(identity.certificate)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.connected, self.release = threading.Event(), threading.Event()
        self.peer, self.error = None, None
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        try:
            self.socket.settimeout(30 * process.SLOWNESS)
            plain, _ = self.socket.accept()
            with plain, self.context.wrap_socket(plain, server_side=True) as secure:
                secure.settimeout(30 * process.SLOWNESS)
                secure.recv(65536)
                self.peer = secure.getpeercert()
                self.connected.set()
                self.release.wait(60)
                secure.sendall(self.ANSWER)
                secure.unwrap()
        except OSError as failure:
            self.error = failure
            self.connected.set()

    def close(self):
        self.release.set()
        self.thread.join(30)
        self.socket.close()


def reused(result):
    return bool(re.search(r"^Reused, TLSv1", result.out, re.M))


def new_session(result):
    return bool(re.search(r"^New, TLSv1", result.out, re.M))


def key_file(env, name, arguments):
    """Runs openssl with -out NAME; the path."""
    path = env.path(name)
    subprocess.run(["openssl", *arguments, "-out", path], env=env.plain(), check=True,
                   capture_output=True, timeout=60)
    return os.path.abspath(path)
