# SPDX-License-Identifier: Apache-2.0
"""The clients of a soak: a process that makes connections until it gets SIGTERM, and then prints one JSON object.

usage: load.py PLAN    a JSON object: kind (handshakes or waves), server (https or postgresql), port, source (an
                       address of loopback), trust (certificates), and of waves: count, hold (seconds)
"""

import json
import os
import signal
import socket
import ssl
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system"))
from harness import pgwire  # noqa: E402

# A server that is silent for so long has failed.
PATIENCE = 30
REQUEST = b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n"
RESET = struct.pack("ii", 1, 0)


class Https:
    """nginx: each second connection is TLS 1.2, and of those half is signed with each key."""

    def __init__(self, plan):
        self.plan, self.turn = plan, 0
        self.contexts = [self.context(plan["trust"][:1], "aRSA"), self.context(plan["trust"]),
                         self.context(plan["trust"][-1:], "aECDSA"), self.context(plan["trust"])]

    @staticmethod
    def context(trust, ciphers=None):
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname = False
        for certificate in trust:
            made.load_verify_locations(certificate)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        if ciphers:
            made.maximum_version = ssl.TLSVersion.TLSv1_2
            made.set_ciphers(ciphers)
        return made

    def plain(self):
        return socket.create_connection(("127.0.0.1", self.plan["port"]), timeout=PATIENCE,
                                        source_address=(self.plan["source"], 0))

    def open(self):
        """A connection after its handshake."""
        self.turn += 1
        plain = self.plain()
        try:
            return self.contexts[self.turn % len(self.contexts)].wrap_socket(plain)
        except OSError:
            plain.close()
            raise

    def ask(self, secure):
        """One question; the connection ends with it."""
        secure.sendall(REQUEST)
        answer = b""
        while block := secure.recv(4096):
            answer += block
        if b" 200 " not in answer or b"hello" not in answer:
            raise OSError(f"the answer was {answer[:80]!r}")


class Postgresql(Https):
    """A session of PostgreSQL's protocol: the process of a connection asks for a name and no password."""

    def __init__(self, plan):
        super().__init__(plan)
        self.contexts = [self.context(plan["trust"])]

    def open(self):
        plain = self.plain()
        try:
            return pgwire.start(plain, self.contexts[0])
        except OSError:
            plain.close()
            raise

    def ask(self, secure):
        if b"\x017" not in pgwire.ask(secure, "select 7"):
            raise OSError("the answer was wrong")
        secure.sendall(b"X\0\0\0\4")


CLIENTS = {"https": Https, "postgresql": Postgresql}


class Record:
    """What became of the connections."""

    def __init__(self, plan):
        self.plan, self.client = plan, CLIENTS[plan["server"]](plan)
        self.stopped = threading.Event()
        self.done, self.failures, self.waves = 0, [], []
        signal.signal(signal.SIGTERM, lambda *_: self.stopped.set())

    def attempt(self, and_ask):
        """A connection, or None and a failure more."""
        begin = time.monotonic()
        secure = None
        try:
            secure = self.client.open()
            if and_ask:
                self.client.ask(secure)
            self.done += 1
            return secure
        except OSError as error:
            self.failures.append((begin, time.monotonic(), str(error)))
            if secure:
                secure.close()
            return None

    def handshakes(self):
        while not self.stopped.is_set():
            if secure := self.attempt(True):
                secure.close()


def wave(record):
    """Opens so many connections that do nothing, holds them, and closes them: half of them by a reset."""
    begin, held = time.monotonic(), []
    while len(held) < record.plan["count"] and not record.stopped.is_set():
        if secure := record.attempt(False):
            held.append(secure)
    record.waves.append((begin, time.monotonic(), len(held)))
    record.stopped.wait(record.plan["hold"])
    for number, secure in enumerate(held):
        if number % 2:
            secure.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        secure.close()
    record.stopped.wait(record.plan["hold"])


def main(words):
    record = Record(json.loads(words[0]))
    while not record.stopped.is_set():
        if record.plan["kind"] == "waves":
            wave(record)
        else:
            record.handshakes()
    print(json.dumps({"done": record.done, "failures": record.failures, "waves": record.waves}))


if __name__ == "__main__":
    main(sys.argv[1:])
