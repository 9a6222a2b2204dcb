# SPDX-License-Identifier: Apache-2.0
"""Keys and certificates made for a test, and the bytes by which they are known."""

import base64
import subprocess


class Identity:
    """A private key and a self-signed certificate for localhost, as PEM files."""

    def __init__(self, env, kind):
        self.kind = kind
        self.key, self.certificate = env.path(f"{kind}.key"), env.path(f"{kind}.crt")
        algorithm = {"rsa": ["rsa:2048"], "ecdsa": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
                     "ml-dsa-65": ["ML-DSA-65"], "ed25519": ["ed25519"]}
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", *algorithm[kind], "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", self.key, "-out", self.certificate],
            env=env.plain(), check=True, capture_output=True, timeout=60)

    def private_numbers(self):
        """The private numbers as they lie in a BIGNUM: little-endian bytes."""
        command = ["openssl", "pkey", "-in", self.key, "-traditional", "-outform", "DER"]
        der = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
        fields = list(elements(elements_of(der)))
        if self.kind == "rsa":
            # version, n, e, then d, p, q, dP, dQ, qInv
            numbers = [value for tag, value in fields if tag == 2][3:]
        else:
            numbers = [value for tag, value in fields if tag == 4][:1]
        return [number.lstrip(b"\0")[::-1] for number in numbers]

    def pem_line(self):
        """A line of the PEM text from the middle of the private part."""
        with open(self.key, "rb") as file:
            lines = [line for line in file.read().splitlines() if not line.startswith(b"-----")]
        base64.b64decode(b"".join(lines), validate=True)
        return lines[len(lines) // 2]


def length_at(data, position):
    """A DER length: its value, and where the contents begin."""
    first = data[position]
    if first < 0x80:
        return first, position + 1
    count = first & 0x7F
    return int.from_bytes(data[position + 1:position + 1 + count], "big"), position + 1 + count


def elements_of(sequence):
    _, start = length_at(sequence, 1)
    return sequence[start:]


def elements(data):
    position = 0
    while position < len(data):
        length, start = length_at(data, position + 1)
        yield data[position], data[start:start + length]
        position = start + length
