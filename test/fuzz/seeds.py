# SPDX-License-Identifier: Apache-2.0
"""Makes inputs from which the harnesses begin: usage: seeds.py NAME DIRECTORY.

What is small is in corpus/ already. These are made anew, because keys are random.
"""
import base64
import os
import re
import struct
import subprocess
import sys
import tempfile

KINDS = {
    "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:512"],
    "rsa3": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", "-pkeyopt", "rsa_keygen_primes:3"],
    "pss": ["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:1024"],
    "ec": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "explicit": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:explicit"],
    "x25519": ["-algorithm", "X25519"],
    "ed448": ["-algorithm", "ED448"],
    "mldsa": ["-algorithm", "ML-DSA-44"],
    "mlkem": ["-algorithm", "ML-KEM-512"],
}
FORMS = {
    "pem": ["pkey"],
    "der": ["pkey", "-outform", "DER"],
    "old": ["pkey", "-traditional"],
    "oldder": ["pkey", "-traditional", "-outform", "DER"],
    "sealed": ["pkcs8", "-topk8", "-iter", "2", "-passout", "pass:fuzz"],
    "sealedder": ["pkcs8", "-topk8", "-iter", "2", "-passout", "pass:fuzz", "-outform", "DER"],
    "oldsealed": ["pkey", "-traditional", "-aes128", "-passout", "pass:fuzz"],
    "blob": ["rsa", "-outform", "MSBLOB"],
    "pvk": ["rsa", "-outform", "PVK", "-pvk-none"],
}
PASSPHRASE, KEY_LOG = b"\x02", b"\x01"


def openssl(arguments, text=b""):
    done = subprocess.run(["openssl", *arguments], input=text, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout if done.returncode == 0 else b""


def pkcs12(key, passphrase):
    certificate = openssl(["req", "-x509", "-new", "-key", "/dev/stdin", "-subj", "/CN=f", "-days", "9"], key)
    return openssl(["pkcs12", "-export", "-iter", "2", "-maciter", "-passout", f"pass:{passphrase}"], key + certificate)


def key_seeds():
    for kind, options in KINDS.items():
        key = openssl(["genpkey", *options])
        for form, command in FORMS.items() if key else ():
            text = openssl(command, key)
            if text:
                yield f"{kind}-{form}", (PASSPHRASE if "sealed" in form else b"\0") + text
        if kind in ("rsa", "ec") and key:
            yield f"{kind}-p12", PASSPHRASE + pkcs12(key, "fuzz")
            yield f"{kind}-p12-empty", b"\0" + pkcs12(key, "")
    line = b"CLIENT_RANDOM " + b"0a" * 32 + b" " + b"F1" * 48 + b"\n"
    yield "log", KEY_LOG + b"# a comment\n" + line + b"SERVER_TRAFFIC_SECRET_0\t" + line[14:] + b"\r\n"


OBJECT = """
int CRYPTO_set_mem_functions(void) { return 1; }
int hash_object_function(void) { return 2; }
extern int OPENSSL_memory_alloc(void) __attribute__((weak)), hash_object_sought(void) __attribute__((weak));
int (*places[])(void) = {OPENSSL_memory_alloc, hash_object_sought, f};
"""


def elf_seeds():
    """Objects without padding, which would be most of an input."""
    with tempfile.TemporaryDirectory() as directory:
        for style in "gnu", "sysv", "both":
            for soname in "libcrypto.so.3", "":
                path = os.path.join(directory, "object")
                options = ["-Wl,--no-as-needed,-soname," + soname, "-lc"] if soname else []
                subprocess.run(
                    ["cc", "-O1", "-g0", "-fno-asynchronous-unwind-tables", "-shared", "-nostdlib", "-fPIC", "-s",
                     "-Wl,--build-id=none,-z,noseparate-code,-z,max-page-size=16,-z,norelro,--hash-style=" + style,
                     *options, "-o", path, "-x", "c", "-"],
                    input=b"int f(void) { return 3; }" + OBJECT.encode(), check=True)
                yield f"{style}-{soname or 'none'}", open(path, "rb").read()


# The records of fuzz_tool.c, in the order of its enums
RECORDS = ["maps", "comm", "stat", "status", "limits", "environ", "auxv", "library", "kernel_core", "uid_map", "cgroup",
           "cgroup_limit", "cgroup_usage", "cgroup_stat", "core_pattern", "memory", "secret_memory", "old_kernel"]
MAPS = b"""\
555555554000-555555556000 r-xp 00000000 fe:01 40 /usr/sbin/nginx
7ffff7000000-7ffff7002000 r-xp 00000000 fe:01 41 /usr/lib/libcrypto.so.3
7ffff7002000-7ffff7004000 rw-p 00002000 fe:01 41 /usr/lib/libcrypto.so.3
7ffff7100000-7ffff7104000 rw-p 00003000 fe:01 42 /usr/lib/libsecretssl.so
Rss:                  16 kB
VmFlags: rd wr mr mw me
7ffff7200000-7ffff7210000 rw-s 00000000 00:0e 1 /secretmem (deleted)
7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0 [stack]
Rss:                   8 kB
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]
"""
KEY = bytes(range(1, 33))


def record(name, content=b"", address=None):
    content = content if address is None else address.to_bytes(6, "little") + content
    return bytes([RECORDS.index(name)]) + len(content).to_bytes(2, "little") + content


def counters(caches, *numbers):
    """As struct sm_stats begins, and has the first counters."""
    head = struct.pack("<QIIQII", 0x5453544154534D53, 2, 800, caches, 8, 0)
    return head + struct.pack(f"<{len(numbers)}Q", *numbers)


def tool_seeds():
    files = record("comm", b"nginx\n") + record("stat", b"7 (nginx) S 1 7 7")
    library = next(content for name, content in elf_seeds() if name == "gnu-libcrypto.so.3")
    cache = 0x7FFFF7103000
    # The second number is of secret pages, the third of locked ones, the last of hooks.
    rest = [16, 4, 4, 4, 4, 65536, 9, 5, 300, 0, 0, 0, 0, 0, 0, 0, 2]
    memory = (record("memory", counters(cache, 0, 16, 0, 0, 0, *rest), 0x7FFFF7100100)
              + record("memory", struct.pack("<QQQq", 0, 9, 5, 300), cache)
              + record("secret_memory", b"\1", 0x7FFFF7200000))
    yield "protected", files + record("maps", MAPS) + record("library", library) + memory
    yield "unprotected", (files + record("maps", MAPS[:400]) + record("library", library) + record("old_kernel")
                          + record("environ", b"A=1\0LD_PRELOAD=/usr/lib/libsecretssl.so\0")
                          + record("auxv", struct.pack("<4Q", 23, 1, 0, 0)))
    yield "degraded", (files + record("maps", MAPS) + record("library", library) 
                       + record("memory", counters(0, 0, 16, 3, 0, 0, *rest), 0x7FFFF7100100)
                       + record("secret_memory", b"\1", 0x7FFFF7200000)
                       + record("status", b"Name:\tn\nSeccomp:\t2\n")
                       + record("limits", b"Limit Soft\nMax file size             1000       1000 bytes\n"))
    yield "copies", (files + record("maps", MAPS) + record("memory", b"xyz" + KEY + KEY[::-1], 0x7FFFFFFDF000)
                     + record("memory", base64.b64encode(b"\x30\x22\x04\x20" + KEY), 0x7FFFFFFE1000)
                     + record("library", KEY + bytes(9000)))
    yield "zombie", record("comm", b"x\x1b[31m\n") + record("stat", b"7 (a) b) Z 1") + record("maps")
    group = b"0::/system.slice/nginx.service\n"
    yield "machine", (record("uid_map", b"0 0 4294967295\n") + record("cgroup", group + b"4:memory:/a/b\n")
                      + record("cgroup_limit", b"1048576\n") + record("cgroup_usage", b"1000000\n")
                      + record("cgroup_stat", b"anon 1\ninactive_file 4096\n") + record("core_pattern", b"|/bin/x %p\n"))
    head = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    segments = (struct.pack("<IIQQQQQQ", 1, 7, 176, 0xFFFF888000000000, 0, 100, 100, 4096)
                + struct.pack("<IIQQQQQQ", 1, 7, 200, 0xFFFFFFFF81000000, 0, 20, 20, 4096))
    yield "kernel", record("kernel_core", head + segments + b"k" * 30 + KEY + bytes(60))


def settings_seeds():
    """Every setting that the library has, so that one that the harness does not know is found at once."""
    source = os.path.join(os.path.dirname(__file__), "../../src/base/settings.c")
    with open(source, encoding="utf-8") as file:
        names = re.findall(r'^    \{"([A-Z_]+)", (?:CHOICE|SIZE|LOG),', file.read(), re.M)
    if not names:
        sys.exit(f"{source} has no settings")
    for name in names:
        values = ["", "0", "1", "8M", "off", "prefer", "require", "auto", "/tmp/log"]
        yield name, b"\0" + b"\0".join(f"SECRETSSL_{name}={value}".encode() for value in values)


SEEDS = {"settings": settings_seeds, "elf": elf_seeds, "keys": key_seeds, "tool": tool_seeds}


def write(name, directory):
    os.makedirs(directory, exist_ok=True)
    for seed, content in SEEDS.get(name, tuple)():
        with open(os.path.join(directory, seed), "wb") as file:
            file.write(content)


if __name__ == "__main__":
    write(*sys.argv[1:])
