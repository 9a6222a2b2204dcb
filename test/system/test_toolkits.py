# SPDX-License-Identifier: Apache-2.0
"""Other crypto libraries than OpenSSL: what `secretssl scan` finds of a key in programs that use
them, without the preload and with it. The numbers are those of docs/toolkits.md."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys

from harness import figures, keys, memory, process, report, table, toolkits

PAGE = os.path.join(table.TOP, "docs", "toolkits.md")
ROW = re.compile(r"^\| ([^|]+) \| [^|]+ \| (\d+) \| (\d+) \|", re.M)


def rows():
    with open(PAGE, encoding="utf-8") as file:
        return {name: (int(without), int(left)) for name, without, left in ROW.findall(file.read())}


def copies(env, rep, identity, program, title):
    result = process.run(env, [env.tool, "scan", "--json", "--key", identity.key, *map(str, program.pids)],
                         env.plain(), seconds=60)
    rep.ok(result.status in (0, 1) and result.out, f"{title}: scanned", result)
    found = [copy for one in json.loads(result.out)["processes"] for copy in one["copies"]]
    rep.note(f"{title}: {len(found)}: {sorted({(one['encoding'], one['mapping']) for one in found})}")
    return len(found)


def check(env, rep, name, kind, *, key="rsa", state="protected", counted=(), messages=(), ends=(0, -15, 143)):
    """The control has copies, and with the preload there are as many as the page says."""
    identity = keys.Identity(env, key)
    for protected in False, True:
        title = f"{name} " + ("with the preload" if protected else "without")
        program = kind(env, identity, env.chosen(protected))
        program.use()
        number = copies(env, rep, identity, program, title)
        if protected:
            rep.equal(number, rows()[name][1], f"{title}: copies, as docs/toolkits.md says")
            found = figures.of(env, program.pids[0])
            rep.ok(found["state"] == state and found["secret_bytes"] > 0 and all(found[one] > 0 for one in counted),
                   f"{title}: {state}, {', '.join(counted)}", found)
        else:
            rep.ok(number > 0, f"{title}: the control shows {number} copies")
        result = program.stop()
        rep.ok(result.status in ends, f"{title}: ends when asked", result)
        process.expect_messages(rep, result.messages, messages if protected else (), title)


def scenario_gpg_agent(env, rep):
    check(env, rep, "gpg-agent", toolkits.GpgAgent, counted=("mlocks", "toolkits"))


def scenario_sodium(env, rep):
    check(env, rep, "libsodium", toolkits.Sodium, key="ed25519", counted=("mlocks",))


def scenario_botan(env, rep):
    check(env, rep, "Botan tls_server", toolkits.Botan, counted=("mlocks",))


def scenario_gnutls(env, rep):
    check(env, rep, "gnutls-serv", toolkits.GnuTls, counted=("toolkits",), ends=(1,))


def scenario_wolfssl(env, rep):
    check(env, rep, "wolfSSL server", toolkits.WolfSsl, counted=("toolkits",))


def contract(env, rep, code, case, messages, control=True, **settings):
    for kind, environ in ("ordinary", env.plain()), ("secret", env.preloaded(**settings)):
        if kind == "ordinary" and not control:
            continue
        result = process.run(env, ["/usr/bin/python3", "-c", code, kind, case], environ)
        process.take_over(rep, result, f"{case}, {kind}")
        process.expect_messages(rep, result.messages, messages if kind == "secret" else (), f"{case}, {kind}")


OWN = "allocates in ordinary memory: the program has installed memory functions of its own"


def scenario_libgcrypt(env, rep):
    """Its functions do what the manual says; a program that has others, or began before, goes on."""
    contract(env, rep, toolkits.GCRYPT_CHECKS, "usual", ())
    contract(env, rep, toolkits.GCRYPT_CHECKS, "usual", (), SECRETSSL_ZERO="0")
    # Without the preload libgcrypt has no way to take back what it gave out before.
    contract(env, rep, toolkits.GCRYPT_CHECKS, "own", [OWN], control=False)
    contract(env, rep, toolkits.GCRYPT_CHECKS, "late", ["in use before gcry_check_version"])


def scenario_wolfssl_functions(env, rep):
    contract(env, rep, toolkits.WOLFSSL_CHECKS, "usual", ())
    contract(env, rep, toolkits.WOLFSSL_CHECKS, "before", [OWN])
    contract(env, rep, toolkits.WOLFSSL_CHECKS, "after", [OWN])


def scenario_gmp(env, rep):
    """The numbers of a process with GnuTLS, unless another library is linked with GMP."""
    contract(env, rep, toolkits.GMP_CHECKS, "", ())
    user = env.helper("libgmp_user.so")
    result = process.run(env, ["/usr/bin/python3", "-c", toolkits.GMP_CHECKS, "ordinary", user], env.preloaded())
    process.take_over(rep, result, "another user of GMP")


def scenario_ssh_keys(env, rep):
    """scan --key takes keys in OpenSSH's own form: the same numbers as in another form of the same key."""
    parts = {"rsa": {"RSA d", "RSA p", "RSA q", "RSA dP", "RSA dQ", "RSA qInv"}, "ecdsa": {"EC private"}}
    holder = "import sys, time; held = open(sys.argv[1], 'rb').read(); print('ready', flush=True); time.sleep(60)"
    for kind, wanted in parts.items():
        key, other, der = (env.path(f"{kind}.{end}") for end in ("ssh", "pem", "der"))
        run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", key])
        shutil.copy(key, other)
        run(["ssh-keygen", "-q", "-p", "-m", "PEM", "-N", "", "-P", "", "-f", other])
        run(["openssl", "pkey", "-in", other, "-outform", "DER", "-out", der])
        for held, expected in (der, wanted), ("/dev/null", set()):
            child = process.Child(env, ["/usr/bin/python3", "-c", holder, held], env.plain())
            child.wait_for("^ready")
            result = process.run(env, [env.tool, "scan", "--json", "--key", key, str(child.pid)], env.plain())
            found = {copy["type"] + " " + copy["component"] for one in json.loads(result.out)["processes"]
                     for copy in one["copies"]}
            rep.equal(found, expected, f"{kind}, {os.path.basename(held)}: these parts are found")
            child.stop()
    key = env.path("ed25519.ssh")
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key])
    with open(key, "rb") as file:
        seed = base64.b64decode(b"".join(file.read().splitlines()[1:-1]))[161:193]
    child = process.Child(env, ["/usr/bin/python3", "-c", "import sys; held = bytes.fromhex(sys.argv[1]); print('ready', "
                                "flush=True); sys.stdin.read()", seed.hex()], env.plain(), stdin=subprocess.PIPE)
    child.wait_for("^ready")
    result = memory.scan(env, [key], child.pid)
    rep.ok(result.status == 1 and "ED25519 private" in result.out, "ed25519: its seed is found", result)


def run(command):
    subprocess.run(command, check=True, capture_output=True, timeout=60)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
