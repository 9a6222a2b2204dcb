# SPDX-License-Identifier: Apache-2.0
"""What reading a key file leaves behind: in the process, and in the kernel's page cache."""

import base64
import hashlib
import mmap
import os
import re
import subprocess
import sys

from harness import environment, fuse, memory, process, report, tls

PASSPHRASE = "correct horse battery staple"
KINDS = {
    "rsa": ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "p256": ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "ed25519": ["genpkey", "-algorithm", "ED25519"],
}


def forms(env, kind, directory=None):
    """The key in every form: (name, file, ways to read it, passphrase)."""
    key = tls.key_file(env, f"{kind}.pem", KINDS[kind])
    made = [("PKCS#8", key, ["pem_fp", "pem_pipe", "pem_bio", "store"], None)]

    def add(name, ways, arguments, passphrase=None):
        file = os.path.join(directory or env.directory, f"{kind}-{len(made)}")
        subprocess.run(["openssl", *arguments, "-out", file], env=env.plain(), check=True,
                       capture_output=True, timeout=60)
        made.append((name, file, ways, passphrase))

    if kind != "ed25519":
        add("traditional", ["pem_fp", "pem_reopened", "pem_bio"], ["pkey", "-in", key, "-traditional"])
    add("encrypted", ["pem_fp", "pem_bio", "store"],
        ["pkey", "-in", key, "-aes256", "-passout", f"pass:{PASSPHRASE}"], PASSPHRASE)
    add("DER", ["der_fp", "der_bio", "store"], ["pkey", "-in", key, "-outform", "DER"])
    certificate = env.path(f"{kind}.crt")
    subprocess.run(["openssl", "req", "-x509", "-key", key, "-subj", "/CN=localhost", "-days", "2",
                    "-out", certificate], env=env.plain(), check=True, capture_output=True,
                   timeout=60)
    add("PKCS#12", ["p12_fp", "store"],
        ["pkcs12", "-export", "-inkey", key, "-in", certificate, "-passout",
         f"pass:{PASSPHRASE}"], PASSPHRASE)
    return made


def reader(env, way, file, passphrase, environ):
    command = [env.helper("read_key"), way, file, *([passphrase] if passphrase else [])]
    child = process.Child(env, command, environ, stdin=subprocess.PIPE)
    child.wait_for("^ready")
    return child


def check_kind(env, rep, kind):
    """Every form by every way: copies without the preload, none with it."""
    for name, file, ways, passphrase in forms(env, kind):
        key = env.path(f"{kind}.pem")
        for way in ways:
            for protected in False, True:
                child = reader(env, way, file, passphrase, env.chosen(protected))
                title = f"{name} by {way}, " + ("with the preload" if protected else "without")
                memory.check_scan(env, rep, [key], [child.pid], protected, title)
                child.popen.stdin.close()
                result = child.wait(10)
                rep.equal((result.status, result.err), (0, ""), f"{title}: ends well")


def scenario_rsa(env, rep):
    check_kind(env, rep, "rsa")


def scenario_p256(env, rep):
    check_kind(env, rep, "p256")


def scenario_ed25519(env, rep):
    check_kind(env, rep, "ed25519")


def check_reading(env, rep, key, way, file, passphrase, protected, pins, title):
    """A key file is read: copies without the preload, none with it. pins: the file system reads into
    the reader's own pages."""
    title = f"{title}, " + ("with the preload" if protected else "without")
    child = reader(env, way, file, passphrase, env.chosen(protected))
    memory.check_scan(env, rep, [key], [child.pid], protected, title)
    child.popen.stdin.close()
    result = child.wait(10)
    rep.equal(result.status, 0, f"{title}: ends well")
    # What the program opened itself has an ordinary buffer in any case.
    opens = protected and pins and way in ("pem_bio", "der_bio", "store")
    process.expect_messages(rep, result.messages,
                            ["a file system cannot read into secret memory"] if opens else [], title)


def scenario_direct_io(env, rep):
    """A file system that pins the reader's pages cannot read into secret memory: the buffer is
    ordinary memory then, and cleared. DER that is larger than the buffer is read past it."""
    for name, file, ways, passphrase in forms(env, "rsa"):
        with open(file, "rb") as stream:
            contents = stream.read()
        for way in ways:
            if way == "pem_pipe":
                continue
            for protected in False, True:
                served = fuse.Served(env.path(f"{way} {name} {protected}".replace("#", "")),
                                     contents, direct=True)
                try:
                    check_reading(env, rep, env.path("rsa.pem"), way, served.file, passphrase, protected,
                                  True, f"{name} by {way}, direct_io")
                finally:
                    served.end()


def scenario_direct_io_large(env, rep):
    """What libcrypto reads at once is more than a stream's buffer holds."""
    contents = b"".join(b"%d\n" % number for number in range(20000))
    served = fuse.Served(env.path("large"), contents, direct=True)
    try:
        for protected in False, True:
            result = process.run(env, ["openssl", "dgst", "-sha256", "-r", served.file],
                                 env.chosen(protected), seconds=20)
            rep.equal(result.out.split(" ")[0], hashlib.sha256(contents).hexdigest(),
                      f"digest, {'with the preload' if protected else 'without'}")
            result = process.run(env, ["openssl", "enc", "-base64", "-in", served.file],
                                 env.chosen(protected), seconds=20)
            rep.ok(base64.b64decode(result.out) == contents,
                   f"base64, {'with the preload' if protected else 'without'}")
    finally:
        served.end()


def scenario_written(env, rep):
    """The text of a key that libcrypto wrote to a stream of its own is cleared when that is closed."""
    key = tls.key_file(env, "written.pem", KINDS["rsa"])
    for protected in False, True:
        title = "with the preload" if protected else "without"
        child = reader(env, "pem_written_bio", key, None, env.chosen(protected))
        memory.check_scan(env, rep, [key], [child.pid], protected, title)
        child.popen.stdin.close()
        rep.equal(child.wait(10).status, 0, f"{title}: ends well")
        with open(key, "rb") as one, open(f"{key}.written", "rb") as other:
            rep.ok(one.read() == other.read(), f"{title}: the same text")


def scenario_mapped_stream(env, rep):
    """fopen's mode "m": its buffer is the file, and cannot be written."""
    key = tls.key_file(env, "mapped.pem", KINDS["p256"])
    for protected in False, True:
        result = read_once(env, "pem_mapped", key, None, env.chosen(protected))
        rep.equal(result.status, 0, "with the preload" if protected else "without")


def streams(env, rep, *cases):
    for case in cases:
        process.run_both(env, rep, "streams", case)


def scenario_written_stream(env, rep):
    """A program writes to the stream that libcrypto has read, and that fails."""
    streams(env, rep, "full", "blocked")


def scenario_terminal(env, rep):
    """A stream of libcrypto's to a terminal is as unbuffered as without us."""
    streams(env, rep, "terminal")


def scenario_reopened_stream(env, rep):
    """One that libcrypto opened: its secret buffer is given back once."""
    streams(env, rep, "reopened")


DEEPBIND = """
import ctypes, os, sys
libcrypto = ctypes.CDLL('libcrypto.so.3', mode=os.RTLD_NOW | int(sys.argv[2]))
for name in 'BIO_new_file', 'PEM_read_bio_PrivateKey':
    getattr(libcrypto, name).restype = ctypes.c_void_p
bio = ctypes.c_void_p(libcrypto.BIO_new_file(sys.argv[1].encode(), b'r'))
assert libcrypto.PEM_read_bio_PrivateKey(bio, None, None, None)
libcrypto.BIO_free(bio)
print('ready', flush=True)
sys.stdin.read()
"""


def scenario_deepbind(env, rep):
    """What docs/threat-model.md says of RTLD_DEEPBIND: the key is protected, its file is not."""
    key = tls.key_file(env, "deep.pem", KINDS["rsa"])
    for flag, left in (0, 0), (os.RTLD_DEEPBIND, 6):
        child = process.Child(env, [sys.executable, "-c", DEEPBIND, key, str(flag)],
                              env.preloaded(), stdin=subprocess.PIPE)
        child.wait_for("^ready")
        result = memory.scan(env, [key], child.pid)
        found = int(re.search(r": (\d+) cop", result.out)[1])
        rep.equal(result.out.count("PEM"), left, f"dlopen with {flag}: copies of the text")
        # Vector registers, which nobody clears then, may add parts of numbers on the stack.
        rep.ok((found > 0) == (left > 0), f"dlopen with {flag}: copies", result)
        child.popen.stdin.close()
        rep.equal(child.wait(10).status, 0, f"dlopen with {flag}: ends well")


NODE = """
const https = require('https'), fs = require('fs');
const [how, file, certificate, passphrase] = process.argv.slice(2);
const key = fs.readFileSync(file), cert = fs.readFileSync(certificate);
https.createServer(how == 'pfx' ? { pfx: key, passphrase } : { key, cert, passphrase });
if (how == 'fill') key.fill(0);
console.log('ready');
setInterval(() => {}, 1000);
"""


def scenario_node(env, rep):
    """What docs/threat-model.md says of node: its own buffer, and what avoids that."""
    files = {name: file for name, file, _, _ in forms(env, "rsa")}
    with open(env.path("node.js"), "w", encoding="ascii") as file:
        file.write(NODE)
    for how, form, left in (("key", "PKCS#8", 6), ("fill", "PKCS#8", 0), ("key", "encrypted", 0),
                            ("pfx", "PKCS#12", 0)):
        child = process.Child(env, ["node", env.path("node.js"), how, files[form],
                                    env.path("rsa.crt"), PASSPHRASE], env.preloaded())
        child.wait_for("^ready")
        result = memory.scan(env, [env.path("rsa.pem")], child.pid)
        found = int(re.search(r": (\d+) cop", result.out)[1])
        rep.equal((found, result.out.count("PEM")), (left, left), f"node, {form}, {how}: copies")
        child.stop()


def cached(file):
    """The kernel's count of the file's pages in its cache."""
    done = subprocess.run(["fincore", "--noheadings", "--output", "PAGES", file], check=True,
                          capture_output=True, text=True, timeout=20)
    return int(done.stdout or 0)


def read_once(env, way, file, passphrase, environ):
    child = reader(env, way, file, passphrase, environ)
    child.popen.stdin.close()
    return child.wait(10)


def on_disk(env):
    """A directory beside the build, which is where a disk is if there is one."""
    directory = os.path.join(env.build, f"key-files-{os.getpid()}")
    os.makedirs(directory, exist_ok=True)
    return directory


def scenario_page_cache(env, rep):
    """A key file's pages are dropped when libcrypto closes it; those of others are not."""
    directory = on_disk(env)
    try:
        for name, file, ways, passphrase in forms(env, "rsa", directory):
            if not file.startswith(directory):
                continue
            for way in ways:
                title = f"{name} by {way}"
                read_once(env, way, file, passphrase, env.plain())
                rep.ok(cached(file) > 0, f"{title}: without the preload it is cached")
                read_once(env, way, file, passphrase, env.preloaded(SECRETSSL_DROP_CACHE="0"))
                rep.ok(cached(file) > 0, f"{title}: nor does it go with SECRETSSL_DROP_CACHE=0")
                result = read_once(env, way, file, passphrase,
                                   env.preloaded(SECRETSSL_DROP_CACHE="1"))
                rep.equal((cached(file), result.err), (0, ""), f"{title}: it is dropped")
        # Not on the disk yet
        dirty = os.path.join(directory, "dirty.pem")
        with open(env.path("rsa.pem"), "rb") as source, open(dirty, "wb") as target:
            target.write(source.read())
        read_once(env, "pem_fp", dirty, None, env.preloaded(SECRETSSL_DROP_CACHE="1"))
        rep.equal(cached(dirty), 0, "one that was just written is dropped too")
        for action in "MINCORE_EPERM", "MINCORE_KILL":
            with open(dirty, "ab") as target:
                target.write(b"\n")
            result = process.run(
                env, [env.helper("with_filter"), action, env.helper("read_key"), "pem_fp", dirty],
                env.preloaded(SECRETSSL_DROP_CACHE="1"))
            rep.equal((cached(dirty), result.status, result.err), (0, 0, ""), f"{action}: it is dropped")
        certificate = os.path.join(directory, "certificate.pem")
        os.rename(env.path("rsa.crt"), env.path("rsa-copy.crt"))
        with open(env.path("rsa-copy.crt"), "rb") as source, open(certificate, "wb") as target:
            target.write(source.read())
        process.run(env, ["openssl", "x509", "-in", certificate, "-noout"],
                    env.preloaded(SECRETSSL_DROP_CACHE="1"))
        rep.ok(cached(certificate) > 0, "a certificate stays")
    finally:
        subprocess.run(["rm", "-r", directory], check=True)


def scenario_page_cache_untold(env, rep):
    """Of a file that is neither ours nor writable the kernel says that all of it is there."""
    directory = on_disk(env)
    command = [env.reachable(env.helper("read_key")), "pem_fp"]
    preload = env.reachable(env.preload)
    try:
        key = os.path.join(directory, "group.pem")
        subprocess.run(["cp", tls.key_file(env, "key.pem", KINDS["p256"]), key], check=True)
        os.chown(key, 0, environment.PLAIN_USER)
        os.chmod(key, 0o640)
        for protected in False, True:
            environ = env.chosen(protected, SECRETSSL_DROP_CACHE="1")
            if protected:
                environ["LD_PRELOAD"] = preload
            # The directories above it are not everybody's.
            with open(key, "rb") as file:
                os.fsync(file.fileno())
                path = f"/proc/self/fd/{file.fileno()}"
                result = process.run(env, [*command, path], environ,
                                     user=environment.PLAIN_USER, pass_fds=[file.fileno()])
            rep.equal((result.status, result.err), (0, ""), "it is read, and nothing is claimed")
            rep.equal(cached(key) == 0, protected, "it is dropped with the preload only")
    finally:
        subprocess.run(["rm", "-r", directory], check=True)


LOCKED = """
import ctypes, ssl, sys
if ctypes.CDLL(None).mlockall(3) != 0:
    sys.exit("mlockall")
ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*sys.argv[1:])
"""


def scenario_page_cache_mlockall(env, rep):
    """Where all memory is locked, every mapping is filled at once; the look at a file that was
    dropped does not bring it back."""
    directory = on_disk(env)
    try:
        key = os.path.join(directory, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x",
                        "-keyout", key, "-out", env.path("crt")], env=env.plain(), check=True,
                       capture_output=True, timeout=60)
        for protected in False, True:
            result = process.run(env, ["/usr/bin/python3", "-c", LOCKED, env.path("crt"), key],
                                 env.chosen(protected, SECRETSSL_DROP_CACHE="1"))
            rep.equal((result.status, result.err), (0, ""), "the key is read")
            rep.equal(cached(key) == 0, protected, "it is dropped with the preload only")
    finally:
        subprocess.run(["rm", "-r", directory], check=True)


def scenario_page_cache_stays(env, rep):
    """Where the pages cannot be dropped, one line says so."""
    directory = on_disk(env)
    message = r"a key file stays in the kernel's page cache"
    try:
        key = tls.key_file(env, "key.pem", KINDS["p256"])
        shared = f"/dev/shm/secretssl-{os.getpid()}.pem"
        mapped = os.path.join(directory, "mapped.pem")
        for target in shared, mapped:
            subprocess.run(["cp", key, target], check=True)
        with open(mapped, "rb") as file, \
                mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapping:
            rep.ok(mapping[0] == ord("-"), "another process has it mapped")
            for file_name, why in (mapped, "mapped"), (shared, "on tmpfs"):
                result = read_once(env, "pem_fp", file_name, None,
                                   env.preloaded(SECRETSSL_DROP_CACHE="1"))
                rep.ok(cached(file_name) > 0, f"{why}: it stays")
                process.expect_messages(rep, result.messages, [message], why)
                result = read_once(env, "pem_fp", file_name, None,
                                   env.preloaded(SECRETSSL_DROP_CACHE="0"))
                rep.equal(result.err, "", f"{why}: nothing is said where nothing is asked for")
    finally:
        subprocess.run(["rm", "-r", directory, shared], check=True)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
