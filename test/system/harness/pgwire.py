# SPDX-License-Identifier: Apache-2.0
"""Sessions in PostgreSQL's protocol over TLS, of a user who needs no password."""

import struct

TLS_REQUEST = struct.pack("!II", 8, 80877103)
PROTOCOL = 196608  # 3.0


def start(plain, client, database="postgres", name=None):
    """A session on a connection, after the server has said that it is ready for queries."""
    plain.sendall(TLS_REQUEST)
    if plain.recv(1) != b"S":
        raise OSError("the server does not speak TLS")
    secure = client.wrap_socket(plain, server_hostname=name)
    body = b"user\0tests\0database\0" + database.encode() + b"\0\0"
    secure.sendall(struct.pack("!II", 8 + len(body), PROTOCOL) + body)
    until_ready(secure)
    return secure


def ask(secure, query):
    """The server's messages in answer to a query."""
    text = query.encode() + b"\0"
    secure.sendall(b"Q" + struct.pack("!I", 4 + len(text)) + text)
    return until_ready(secure)


def until_ready(secure):
    answer = b""
    while not answer.endswith(b"Z\0\0\0\5I"):
        block = secure.recv(65536)
        if not block:
            raise OSError(f"the server ended the session: {answer[:200]!r}")
        answer += block
    return answer
