# SPDX-License-Identifier: Apache-2.0
"""Programs that keep keys by other crypto libraries than OpenSSL: each started with a key, put to work,
and left waiting so that its memory can be looked at."""

import hashlib
import os
import re
import signal
import subprocess

from . import process, tls

# What each Python program below begins with. Nothing of the key may come into Python's own memory.
PYTHON = """
import ctypes, ctypes.util, os, sys, time
def library(name):
    return ctypes.CDLL(ctypes.util.find_library(name) or name, mode=os.RTLD_NOW | os.RTLD_GLOBAL)
libc = ctypes.CDLL(None)
pointer, size = ctypes.c_void_p, ctypes.c_size_t
"""


# A program that checks a library's memory functions: sys.argv[1] is the kind of memory that is expected.
CHECKS = PYTHON + """
failed = 0
def check(good, what):
    global failed
    failed += not good
    print(("ok" if good else "not ok"), "-", what, flush=True)
def kind(address):
    for line in open("/proc/self/maps"):
        start, end = (int(part, 16) for part in line.split()[0].split("-"))
        if start <= address < end:
            return "secret" if "/secretmem" in line else "ordinary"
def functions(**results):
    # In the global scope the preload's functions come first, as for a program that is linked.
    for name, result in results.items():
        getattr(everything, name).restype = result
    return everything
take_type, give_type = ctypes.CFUNCTYPE(pointer, size), ctypes.CFUNCTYPE(None, pointer)
resize_type = ctypes.CFUNCTYPE(pointer, pointer, size)
is_type = ctypes.CFUNCTYPE(ctypes.c_int, pointer)
libc.malloc.restype = libc.realloc.restype = pointer
given = []
own_take = take_type(lambda bytes: libc.malloc(size(bytes)))
own_give = give_type(lambda block: given.append(block) or libc.free(pointer(block)))
own_resize = resize_type(lambda block, bytes: libc.realloc(pointer(block), size(bytes)))
own_is = is_type(lambda block: 0)
def filled(block, bytes):
    ctypes.memset(block, 7, bytes)
    return block
def whole(block, bytes):
    return ctypes.string_at(block, bytes) == bytes * b"\\7"
"""

GCRYPT_CHECKS = CHECKS + """
loaded, everything = library("gcrypt"), ctypes.CDLL(None)
everything = functions(gcry_check_version=ctypes.c_char_p, gcry_malloc=pointer, gcry_malloc_secure=pointer,
                       gcry_realloc=pointer)
late = sys.argv[2] == "late"
early = everything.gcry_malloc_secure(size(100)) if late else None
check(everything.gcry_check_version(None).startswith(b"1."), "its version")
everything.gcry_control(24, 16384, 0)
everything.gcry_control(38, 0)
if late:
    check(everything.gcry_is_secure(pointer(early)) == 1, "what was there before is secure")
    everything.gcry_free(pointer(early))
plain, secure = (filled(function(size(100)), 100) for function in (everything.gcry_malloc, everything.gcry_malloc_secure))
check(kind(plain) == ("ordinary" if late else sys.argv[1]), "a block")
check(kind(secure) == sys.argv[1], "a secure block")
check([everything.gcry_is_secure(pointer(one)) for one in (plain, secure)] == [0, 1], "one is secure")
secure = everything.gcry_realloc(pointer(secure), size(5000))
check(whole(secure, 100) and everything.gcry_is_secure(pointer(secure)) == 1, "it grows, and stays secure")
if os.fork() == 0:
    os._exit(0 if whole(secure, 100) and whole(plain, 100) else 1)
check(os.wait()[1] == 0, "a child has both")
if sys.argv[2] == "own":
    everything.gcry_set_allocation_handler(own_take, own_take, own_is, own_resize, own_give)
    block = filled(everything.gcry_malloc(size(100)), 100)
    check(kind(block) == "ordinary", "the program's functions are used")
    secure = everything.gcry_realloc(pointer(secure), size(9000))
    check(whole(secure, 100) and kind(secure) == sys.argv[1], "a block from before stays")
    everything.gcry_free(pointer(block))
    check(given == [block], "the program gets its own back")
for block in plain, secure:
    everything.gcry_free(pointer(block))
check(len(given) == (sys.argv[2] == "own"), "and no other")
print("done", flush=True)
os._exit(failed)
"""

WOLFSSL_CHECKS = CHECKS + """
loaded, everything = library("wolfssl"), ctypes.CDLL(None)
everything = functions(wolfSSL_Malloc=pointer, wolfSSL_Realloc=pointer)
early = filled(everything.wolfSSL_Malloc(size(100)), 100)
before, after = sys.argv[2] == "before", sys.argv[2] == "after"
if before:
    check(everything.wolfSSL_SetAllocators(own_take, own_give, own_resize) == 0, "functions of the program's")
check(everything.wolfSSL_Init() == 1, "it begins")
block = filled(everything.wolfSSL_Malloc(size(100)), 100)
check(kind(early) == "ordinary" and kind(block) == ("ordinary" if before else sys.argv[1]), "a block")
if after:
    check(everything.wolfSSL_SetAllocators(own_take, own_give, own_resize) == 0, "functions of the program's")
    other = filled(everything.wolfSSL_Malloc(size(100)), 100)
    check(kind(other) == "ordinary", "are used")
    everything.wolfSSL_Free(pointer(other))
    check(given == [other], "it gets its block")
block = everything.wolfSSL_Realloc(pointer(block), size(5000))
check(whole(block, 100), "it grows")
for one in early, block:
    everything.wolfSSL_Free(pointer(one))
print("done", flush=True)
os._exit(failed)
"""

# sys.argv[2]: nothing, or a library that is linked with GMP too.
GMP_CHECKS = CHECKS + """
if sys.argv[2]:
    user = ctypes.CDLL(sys.argv[2])
loaded, everything = library("gnutls"), ctypes.CDLL(None)
gmp = ctypes.CDLL("libgmp.so.10")
class Number(ctypes.Structure):
    _fields_ = [("room", ctypes.c_int), ("used", ctypes.c_int), ("limbs", pointer)]
def number(text):
    made = Number()
    assert gmp.__gmpz_init_set_str(ctypes.byref(made), text.encode(), 16) == 0
    return made
def is_number(one, text):
    return gmp.__gmpz_cmp(ctypes.byref(one), ctypes.byref(number(text))) == 0
first, longer = number("7" * 100), "7" * 5000
check(kind(first.limbs) == sys.argv[1], "a number")
resize_number = ctypes.CFUNCTYPE(pointer, pointer, size, size)(lambda p, old, new: libc.realloc(pointer(p), size(new)))
give_number = ctypes.CFUNCTYPE(None, pointer, size)(lambda p, old: given.append(p) or libc.free(pointer(p)))
everything.__gmp_set_memory_functions(own_take, resize_number, give_number)
second = number("7" * 100)
check(kind(second.limbs) == "ordinary", "the program's functions are used")
gmp.__gmpz_clear(ctypes.byref(second))
check(given[-1:] == [second.limbs], "it gets its number back")
gmp.__gmpz_set_str(ctypes.byref(first), longer.encode(), 16)
check(is_number(first, longer) and kind(first.limbs) == sys.argv[1], "a number from before grows in its place")
gmp.__gmpz_clear(ctypes.byref(first))
print("done", flush=True)
os._exit(failed)
"""


class Toolkit:
    """A running program. pids: its processes with the key."""

    def __init__(self, env, identity, environ):
        self.env, self.identity, self.environ = env, identity, environ
        self.child = None
        self.begin()

    def begin(self):
        raise NotImplementedError

    def use(self):
        """Makes the program use its key."""

    @property
    def pids(self):
        return [self.child.pid]

    def start(self, command, environ=None, **options):
        self.child = process.Child(self.env, command, environ or self.environ, **options)

    def stop(self):
        return self.child.stop(signal.SIGTERM)


def rsa_numbers(key):
    text = subprocess.run(["openssl", "rsa", "-in", key, "-noout", "-text"], check=True,
                          capture_output=True, text=True, timeout=60).stdout

    def number(name):
        return int(re.sub(r"[\s:]", "", re.search(name + r":\n((?:\s+[0-9a-f:]+\n)+)", text)[1]), 16)

    return [number(name) for name in ("modulus", "privateExponent", "prime1", "prime2")]


def bytes_of(number):
    """As in a canonical S-expression: big-endian, not negative."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def atom(data):
    return b"%d:%s" % (len(data), data)


class GpgAgent(Toolkit):
    """GnuPG's agent with a key that has no passphrase: it signs by libgcrypt."""

    def begin(self):
        self.home = self.env.path("gnupg-" + str(len(os.listdir(self.env.directory))))
        keys = os.path.join(self.home, "private-keys-v1.d")
        os.makedirs(keys, 0o700)
        os.chmod(self.home, 0o700)
        modulus, exponent, first, second = rsa_numbers(self.identity.key)
        first, second = sorted((first, second))
        numbers = {b"n": modulus, b"e": 65537, b"d": exponent, b"p": first, b"q": second,
                   b"u": pow(first, -1, second)}
        parts = b"".join(b"(%s%s)" % (atom(name), atom(bytes_of(number))) for name, number in numbers.items())
        self.grip = hashlib.sha1(bytes_of(modulus)).hexdigest().upper()
        with open(os.path.join(keys, self.grip + ".key"), "wb") as file:
            file.write(b"(%s(%s%s))" % (atom(b"private-key"), atom(b"rsa"), parts))
        self.start(["gpg-agent", "--homedir", self.home, "--server"], stdin=subprocess.PIPE)
        self.child.wait_for("^OK")

    def use(self):
        self.child.popen.stdin.write(f"SIGKEY {self.grip}\nSETHASH --hash=sha256 {5:064d}\nPKSIGN\n".encode())
        self.child.popen.stdin.flush()
        with_signature = process.wait_until(lambda: "sig-val" in self.child.out and self.child.out.endswith("OK\n"), 20)
        if not with_signature:
            raise RuntimeError(self.child.out)

    def stop(self):
        self.child.popen.stdin.close()
        return self.child.wait(10)


class Sodium(Toolkit):
    """A program with a key of Ed25519 in memory of sodium_malloc, which it makes inaccessible."""

    CODE = PYTHON + """
sodium = library("sodium")
sodium.sodium_malloc.restype = pointer
assert sodium.sodium_init() >= 0
seed, key = pointer(sodium.sodium_malloc(size(32))), pointer(sodium.sodium_malloc(size(64)))
public, signature = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
file = os.open(sys.argv[1], os.O_RDONLY)
assert os.lseek(file, -32, os.SEEK_END) > 0 and libc.read(file, seed, size(32)) == 32
os.close(file)
assert sodium.crypto_sign_seed_keypair(public, key, seed) == 0
assert sodium.sodium_mprotect_noaccess(seed) == 0 and sodium.sodium_mprotect_readonly(key) == 0
assert sodium.crypto_sign_detached(signature, None, b"text", ctypes.c_ulonglong(4), key) == 0
assert sodium.crypto_sign_verify_detached(signature, b"text", ctypes.c_ulonglong(4), public) == 0
print("ready", flush=True)
sys.stdin.read()
"""

    def begin(self):
        der = self.env.path("ed25519.der")
        subprocess.run(["openssl", "pkey", "-in", self.identity.key, "-outform", "DER", "-out", der], check=True,
                       timeout=60)
        self.start(["/usr/bin/python3", "-c", self.CODE, der], stdin=subprocess.PIPE)
        self.child.wait_for("^ready")


class Server(Toolkit):
    """A TLS server; use() makes handshakes."""

    def command(self, port):
        raise NotImplementedError

    def begin(self):
        self.port = tls.free_port()
        self.start(self.command(self.port), stdin=subprocess.PIPE)
        if not process.wait_until(lambda: self.handshake() or not process.alive(self.child.pid), 20):
            raise RuntimeError(self.child.err)

    def handshake(self):
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-tls1_2"], check=False,
                              input=b"", capture_output=True, timeout=20, env=self.env.plain())
        return b"Cipher is ECDHE" in done.stdout

    def use(self):
        for _ in range(3):
            if not self.handshake():
                raise RuntimeError(self.child.err + self.child.out)


class Botan(Server):
    """Botan's own command: its secure vectors come from a pool that it locks."""

    def command(self, port):
        return ["botan", "tls_server", self.identity.certificate, self.identity.key, f"--port={port}"]


class GnuTls(Server):
    def command(self, port):
        return ["gnutls-serv", "--quiet", "--http", "--x509keyfile", self.identity.key, "--x509certfile",
                self.identity.certificate, "-p", str(port)]


class WolfSsl(Server):
    """Debian has no server of wolfSSL's: one in Python, whose memory the key does not enter."""

    CODE = PYTHON + """
import socket
wolf = library("wolfssl")
for name in "wolfTLSv1_2_server_method", "wolfSSL_CTX_new", "wolfSSL_new":
    getattr(wolf, name).restype = pointer
assert wolf.wolfSSL_Init() == 1
context = pointer(wolf.wolfSSL_CTX_new(pointer(wolf.wolfTLSv1_2_server_method())))
assert wolf.wolfSSL_CTX_use_certificate_file(context, sys.argv[2].encode(), 1) == 1
assert wolf.wolfSSL_CTX_use_PrivateKey_file(context, sys.argv[1].encode(), 1) == 1
listener = socket.create_server(("127.0.0.1", int(sys.argv[3])))
while True:
    connection, _ = listener.accept()
    session = pointer(wolf.wolfSSL_new(context))
    wolf.wolfSSL_set_fd(session, connection.fileno())
    if wolf.wolfSSL_accept(session) == 1:
        wolf.wolfSSL_shutdown(session)
    wolf.wolfSSL_free(session)
    connection.close()
"""

    def command(self, port):
        return ["/usr/bin/python3", "-c", self.CODE, self.identity.key, self.identity.certificate, str(port)]
