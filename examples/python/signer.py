#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A daemon that holds a key and signs for others, as signer.c: the key is never an object of Python's.

usage: signer.py KEY SOCKET         signs; KEY is a private key of Ed25519 in PEM
       signer.py --sign SOCKET      sends stdin to a signer, in C or Python, and prints the signature in hex
"""

import ctypes
import socket
import sys

SEED, SIGNATURE, MESSAGE = 32, 64, 65536
ED25519 = 1087  # NID_ED25519


class Libcrypto:
    """The functions that are needed, with what they return."""

    def __init__(self):
        self.lib = ctypes.CDLL("libcrypto.so.3")
        pointer, size = ctypes.c_void_p, ctypes.c_size_t
        for name, result, *arguments in (
                ("BIO_new_mem_buf", pointer, pointer, ctypes.c_int),
                ("BIO_free", None, pointer),
                ("PEM_read_bio_PrivateKey", pointer, pointer, pointer, pointer, ctypes.c_char_p),
                ("EVP_PKEY_get_raw_private_key", ctypes.c_int, pointer, pointer, pointer),
                ("EVP_PKEY_new_raw_private_key", pointer, ctypes.c_int, pointer, pointer, size),
                ("EVP_PKEY_free", None, pointer),
                ("EVP_MD_CTX_new", pointer),
                ("EVP_MD_CTX_free", None, pointer),
                ("EVP_DigestSignInit", ctypes.c_int, pointer, pointer, pointer, pointer, pointer),
                ("EVP_DigestSign", ctypes.c_int, pointer, ctypes.c_char_p, pointer, ctypes.c_char_p, size)):
            function = getattr(self.lib, name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)


class Key:
    """The 32 bytes of a key in a sealed arena."""

    def __init__(self, crypto, secretmem, path):
        self.crypto = crypto
        self.arena = secretmem.Arena(4096, secretmem.SEALED | secretmem.REQUIRE | secretmem.FORK_DENY)
        self.seed = self.arena.malloc(SEED)
        text, result = secretmem.read_file(path, MESSAGE)
        if result != secretmem.DROPPED:
            print(f"signer.py: {path} may stay in the kernel's page cache", file=sys.stderr)
        with text:
            bio = crypto.BIO_new_mem_buf(text.address, text.size)
            key = crypto.PEM_read_bio_PrivateKey(bio, None, None, b"")
            size = ctypes.c_size_t(SEED)
            with self.arena.access():
                good = key and crypto.EVP_PKEY_get_raw_private_key(key, self.seed.address, ctypes.addressof(size))
            crypto.EVP_PKEY_free(key)
            crypto.BIO_free(bio)
        if not good or size.value != SEED:
            sys.exit(f"signer.py: {path}: no private key of Ed25519")

    def sign(self, message):
        with self.arena.access():
            key = self.crypto.EVP_PKEY_new_raw_private_key(ED25519, None, self.seed.address, SEED)
        context, size = self.crypto.EVP_MD_CTX_new(), ctypes.c_size_t(SIGNATURE)
        signature = ctypes.create_string_buffer(SIGNATURE)
        good = (self.crypto.EVP_DigestSignInit(context, None, None, None, key) == 1 and
                self.crypto.EVP_DigestSign(context, signature, ctypes.addressof(size), message, len(message)) == 1)
        self.crypto.EVP_MD_CTX_free(context)
        self.crypto.EVP_PKEY_free(key)
        return signature.raw if good else None


def serve(path, place):
    import secretmem  # pylint: disable=import-outside-toplevel # a client needs no library
    secretmem.configure("REQUIRE", "1")
    crypto = Libcrypto()
    secretmem.use_for_libcrypto(crypto.lib)
    key = Key(crypto, secretmem, path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(place)
        server.listen(16)
        print("ready", flush=True)
        while True:
            client, _ = server.accept()
            with client:
                while message := client.recv(MESSAGE):
                    signature = key.sign(message)
                    if signature is None:
                        break
                    client.send(signature)


def ask(place):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(place)
        client.send(sys.stdin.buffer.read())
        print(client.recv(SIGNATURE).hex())


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print(__doc__.strip(), file=sys.stderr)
        sys.exit(2)
    if sys.argv[1] == "--sign":
        ask(sys.argv[2])
    else:
        serve(*sys.argv[1:])
