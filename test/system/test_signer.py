# SPDX-License-Identifier: Apache-2.0
"""The examples that hold a key and sign for others, in C and Python; and the package for Python."""

import os
import subprocess
import sys

from harness import guest, memory, process, report, tls

EXAMPLES = os.path.join(guest.ROOT, "examples")
PYTHON = "/usr/bin/python3"
CLIENT = [PYTHON, "-B", os.path.join(EXAMPLES, "python", "signer.py"), "--sign"]


def libraries(env):
    return env.plain(LD_LIBRARY_PATH=os.path.dirname(env.library))


def compiled(env):
    program = env.path("signer")
    subprocess.run(["cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-I", os.path.join(guest.ROOT, "include"),
                    os.path.join(EXAMPLES, "signer.c"), "-o", program, env.library, "-lcrypto"], check=True, timeout=120)
    return program


def check_signatures(env, rep, key, place, title):
    """Of messages that are short, long, and too long."""
    public, message, signature = (env.path(name) for name in ("public", "message", "signature"))
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True, timeout=60)
    for size in 1, 1000, 65536:
        with open(message, "wb") as file:
            file.write(os.urandom(size))
        with open(message, "rb") as file:
            said = subprocess.run([*CLIENT, place], stdin=file, capture_output=True, text=True, check=True, timeout=60)
        with open(signature, "wb") as file:
            file.write(bytes.fromhex(said.stdout))
        done = process.run(env, ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-in", message,
                                 "-sigfile", signature], env.plain())
        rep.equal(done.status, 0, f"{title}: a signature of {size} bytes")


def check_signer(env, rep, command, title):
    key = tls.key_file(env, "key.pem", ["genpkey", "-algorithm", "ED25519"])
    place = env.path("socket")
    child = process.Child(env, [*command, key, place], libraries(env))
    child.wait_for("^ready")
    check_signatures(env, rep, key, place, title)
    scan = memory.scan(env, [key], child.pid)
    rep.ok(scan.status == 0, f"{title}: no copy of the key that root can read", scan)
    rep.ok(memory.is_protected(child.pid), f"{title}: there is secret memory")
    child.stop()
    os.unlink(place)
    # The control: who reads the same key with libcrypto alone.
    reader = process.Child(env, [env.helper("read_key"), "pem_bio", key], env.plain(), stdin=subprocess.PIPE)
    reader.wait_for("^ready")
    rep.equal(memory.scan(env, [key], reader.pid).status, 1, "the control: a copy is found")
    reader.stop()


def check_refused(env, rep, command, title):
    """A key of another kind, and no secret memory."""
    other = tls.key_file(env, "other.pem", ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
    key = tls.key_file(env, "key.pem", ["genpkey", "-algorithm", "ED25519"])
    done = process.run(env, [*command, other, env.path("none")], libraries(env))
    rep.ok(done.status == 1 and "no private key of Ed25519" in done.err, f"{title}: an RSA key", done)
    done = process.run(env, [env.helper("with_filter"), "EPERM", *command, key, env.path("none")], libraries(env))
    rep.ok(done.status not in (0, None) and not os.path.exists(env.path("none")) and "ready" not in done.out,
           f"{title}: no secret memory, no service", done)


def scenario_c(env, rep):
    command = [compiled(env)]
    check_signer(env, rep, command, "in C")
    check_refused(env, rep, command, "in C")


def scenario_python(env, rep):
    command = [PYTHON, "-B", os.path.join(EXAMPLES, "python", "signer.py")]
    check_signer(env, rep, command, "in Python")
    check_refused(env, rep, command, "in Python")


def scenario_python_package(env, rep):
    with open(env.path("file"), "wb") as file:
        file.write(os.urandom(5000))
    done = process.run(env, [PYTHON, "-B", os.path.join(guest.ROOT, "test", "system", "programs", "python_api.py"),
                             os.path.join(EXAMPLES, "python"), env.path("file")], libraries(env))
    process.take_over(rep, done, "the package")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
