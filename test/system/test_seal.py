# SPDX-License-Identifier: Apache-2.0
"""SECRETSSL_SEAL on a machine with protection keys: nobody but libcrypto reads a private key.

Where the processor has none these tests are of ctest's configuration seal, and run in a guest:
kernel-patches/lab/run --unpatched 6.12 -- ctest --test-dir build/release -C seal -R '^system\\.seal\\.'
"""

import glob
import re
import subprocess
import sys

from harness import figures, keys, process, report, tls
from harness.nginx import Nginx

READ = r"SECRETSSL_SEAL: \S+ accesses a sealed private key at 0x[0-9a-f]+, and got nothing"
UNLISTED = r"SECRETSSL_SEAL: CRYPTO_memcmp\+0x[0-9a-f]+ of libcrypto \(called through CRYPTO_memcmp\) works on"
ENDS = r"fatal: code outside libcrypto accessed a sealed private key: 0x"
KINDS = {"rsa": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "ec": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
         "p521": ["EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
         "ed25519": ["ED25519"], "ml-dsa-65": ["ML-DSA-65"]}


def version():
    done = subprocess.run(["openssl", "version"], check=True, capture_output=True, text=True, timeout=20)
    return tuple(map(int, re.search(r" (\d+)\.(\d+)", done.stdout).groups()))


def has_lattices():
    return version() >= (3, 5)


def off_the_stack():
    """With AVX512-IFMA, libcrypto 3.0 has exponents of RSA on the stack, which nothing seals."""
    return {"OPENSSL_ia32cap": ":~0x200000"} if version() == (3, 0) else {}


def new_key(env, kind, passphrase=None):
    name = env.path(f"{kind}.pem")
    protection = ["-aes256", "-pass", f"pass:{passphrase}"] if passphrase else []
    subprocess.run(["openssl", "genpkey", "-algorithm", *KINDS[kind], *protection, "-out", name], env=env.plain(),
                   check=True, capture_output=True, timeout=60)
    return name


def secrets_of(kind, name):
    """Each private part of a key, by its name."""
    def der(*options):
        return subprocess.run(["openssl", "pkey", "-in", name, "-outform", "DER", *options], check=True,
                              capture_output=True, timeout=60).stdout

    if kind in ("rsa", "ec", "p521"):
        fields = list(keys.elements(keys.elements_of(der("-traditional"))))
        parts = ([value for tag, value in fields if tag == 2][3:] if kind == "rsa"
                 else [value for tag, value in fields if tag == 4][:1])
        return {f"{kind} {i}": part.lstrip(b"\0") for i, part in enumerate(parts)}
    if kind == "ed25519":
        return {kind: der()[-32:]}
    # The seed, and the middle of what is expanded from it
    whole = der()
    return {f"{kind} seed": whole[30:62], f"{kind} key": whole[-512:-256]}


PIECE = 16  # bytes: two words of a big number


def found_in(data, secrets, orders=(1, -1)):
    """The parts of which any two words are somewhere, in the order of their bytes or in the other."""
    return sorted({name for name, part in secrets.items() for text in (part[::order] for order in orders)
                   for at in range(0, len(text) - PIECE + 1, PIECE // 2) if text[at:at + PIECE] in data})


def scenario_reads_nothing(env, rep):
    """A program reads every byte of its own memory that it can, between signatures."""
    kinds = [kind for kind in KINDS if kind != "ml-dsa-65" or has_lattices()]
    names = {kind: new_key(env, kind) for kind in kinds}
    secrets = {part: value for kind in kinds for part, value in secrets_of(kind, names[kind]).items()}
    copy = env.path("copy")

    for seal, messages in ("off", ()), ("require", [READ]):
        result = process.run_checks(env, rep, "sealed_reader", [copy, *names.values()],
                                    env.preloaded(SECRETSSL_SEAL=seal), title=f"SECRETSSL_SEAL={seal}",
                                    messages=messages)
        with open(copy, "rb") as file:
            found = found_in(file.read(), secrets)
        refused = int(re.search(r"^read \d+ refused (\d+)$", result.out, re.M)[1])
        if seal == "off":
            rep.equal(found, sorted(secrets), "without sealing, every part of each key is found")
        else:
            rep.equal(found, [], "with sealing, no two words of any part are found")
            rep.ok(refused > 0, f"{refused} bytes were refused")
            rep.equal(len(re.findall(READ, result.err)), 8, "eight accesses are reported, the others are counted")


def scenario_while_used(env, rep):
    """A thread reads every byte that it can while another one works with the keys. It derives from those of curves:
    signing has the key on the stack."""
    kinds = "rsa", "ec", "p521"
    names = {kind: new_key(env, kind) for kind in kinds}
    secrets = {part: value for kind in kinds for part, value in secrets_of(kind, names[kind]).items()}
    for seal, messages in ("off", ()), ("require", [READ]):
        copy = env.path(f"copy-{seal}")
        process.run_checks(env, rep, "sealed_reader", ["-w", copy, *names.values()],
                           env.preloaded(SECRETSSL_SEAL=seal, **off_the_stack()), title=f"SECRETSSL_SEAL={seal}", messages=messages)
        found = set()
        for name in glob.glob(copy + ".*"):
            with open(name, "rb") as file:
                found |= set(found_in(file.read(), secrets))
        rep.equal(found, set(secrets) if seal == "off" else set(), f"SECRETSSL_SEAL={seal}: what is found")


def scenario_nginx_thread(env, rep):
    """A thread in each of nginx's workers reads all memory while they make handshakes."""
    for kind in "rsa", "ecdsa":
        identity = keys.Identity(env, kind)
        secrets = dict(enumerate(identity.private_numbers()))
        for seal in "off", "require":
            title = f"{kind}, SECRETSSL_SEAL={seal}"
            copies = env.path(f"stolen-{kind}-{seal}")
            environ = env.preloaded(SECRETSSL_SEAL=seal, THIEF_FILE=copies, **off_the_stack())
            environ["LD_PRELOAD"] += " " + env.helper("libmemory_thief.so")
            nginx = Nginx(env, [identity], environ, main="user root; env THIEF_FILE;")
            with tls.Load(nginx.port, [tls.context(identity)]) as load:
                process.wait_until(lambda name=copies: len(glob.glob(name + ".*.1")) >= 2, 60, 0.2)
            rep.ok(load.done > 10 and not load.failures, f"{title}: {load.done} handshakes, none fails",
                   load.failures[:3])
            files = [name for name in glob.glob(copies + ".*") if not name.endswith("part")]
            found = set()
            for name in files:
                with open(name, "rb") as file:
                    # An ECDSA key is hashed for a nonce, the other way round: docs/sealing.md.
                    found |= set(found_in(file.read(), secrets, (1,) if kind == "ecdsa" else (1, -1)))
            rep.ok(len(files) >= 3, f"{title}: {len(files)} copies of the memory", glob.glob(copies + "*"))
            if seal == "off":
                rep.equal(found, set(secrets), f"{title}: they have the key")
            else:
                rep.equal(found, set(), f"{title}: no two words of any part of the key are in them")
                check_counts(env, rep, nginx.workers(), title)
            nginx.stop()


def check_counts(env, rep, pids, title):
    found = [figures.of(env, pid) for pid in pids]
    rep.equal({one["sealing"] for one in found}, {1}, f"{title}: keys are sealed")
    rep.ok(sum(one["seal_windows"] for one in found) > 0
           and sum(one["seal_open_microseconds"] for one in found) > 0,
           f"{title}: windows are counted, and their time", found)
    rep.equal(sum(one["seal_unlisted"] for one in found), 0, f"{title}: no unlisted function")


def cases(env, rep, *names, messages=(), **settings):
    key = new_key(env, "rsa", "sealed")
    for case in names:
        process.run_checks(env, rep, "sealed", [case, key],
                           env.preloaded(SECRETSSL_SEAL="require", **settings), messages=messages)


def scenario_windows(env, rep):
    """A window is open in its thread alone, until it is left in whatever way."""
    cases(env, rep, "plain", "signal", "longjmp", "thread", "cancelled", "contexts", "async", messages=[READ])
    cases(env, rep, "plain", messages=[READ], SECRETSSL_QUARANTINE="1M", SECRETSSL_ZERO="0")


def scenario_fork(env, rep):
    cases(env, rep, "fork", messages=[READ])
    cases(env, rep, "fork", messages=[READ], SECRETSSL_FORK_RESERVE="4M")


def scenario_secure_heap(env, rep):
    """OpenSSL's secure heap, which a program may use itself."""
    for case in "family", "cleared", "keys":
        process.run_checks(env, rep, "secure_heap", ["secret", case], env.preloaded(SECRETSSL_SEAL="require"))


def scenario_unlisted(env, rep):
    """A function that is not listed: opened by the handler, reported, closed at the next way out."""
    cases(env, rep, "unlisted", messages=[READ, UNLISTED])


def scenario_handlers(env, rep):
    """The program's handlers of SIGSEGV, and programs without any."""
    cases(env, rep, "handlers", messages=[READ])
    key = new_key(env, "rsa", "sealed")
    environ = env.preloaded(SECRETSSL_SEAL="require")
    result = process.run(env, [env.helper("sealed"), "default", key], environ)
    rep.equal((result.status, result.messages), (-11, []), "a fault of the program's own ends it as before")
    result = process.run(env, [env.helper("sealed"), "ends", key], environ)
    rep.equal((result.status, result.out), (-6, ""), "a program without a handler that reads a key ends")
    rep.ok(re.search(ENDS, result.err) and re.search(r"#\d+ 0x[0-9a-f]+ \(?.*sealed\+0x", result.err), "one line, and the call stack", result)


def scenario_keys_used_up(env, rep):
    """A program with protection keys of its own."""
    key = new_key(env, "rsa")
    late = [env.helper("sealed_late"), "1", key]
    result = process.run(env, late, env.preloaded(SECRETSSL_SEAL="require"))
    rep.equal((result.status, result.messages), (0, []), "a program that uses one of them")
    late[1] = "15"
    reason = "the program uses all protection keys of the processor"
    result = process.run(env, late, env.preloaded(SECRETSSL_SEAL="prefer"))
    process.expect_messages(rep, result.messages, [f"a private key is not sealed: {reason}"], "prefer")
    rep.equal(result.status, 0, "prefer: the program goes on")
    result = process.run(env, late, env.preloaded(SECRETSSL_SEAL="require"))
    process.expect_messages(rep, result.messages, [f"a private key cannot be sealed: {reason}"], "require")
    rep.equal(result.status, 78, "require: status 78")


def scenario_filters(env, rep):
    """Filters that forbid what sealing needs."""
    key = new_key(env, "rsa")
    for answer in "PKEY_EPERM", "PKEY_KILL":
        command = [env.helper("with_filter"), answer, "openssl", "pkey", "-in", key, "-noout"]
        for seal, status in ("prefer", 0), ("require", 78):
            result = process.run(env, command, env.preloaded(SECRETSSL_SEAL=seal))
            rep.equal(result.status, status, f"{answer}, {seal}: status")
            process.expect_messages(rep, result.messages, ["a filter forbids pkey_alloc"], f"{answer}, {seal}")


def scenario_part_of_program(env, rep):
    """node has a libcrypto inside, whose own calls cannot be told from node's."""
    for seal, status, verb in ("prefer", 0, "is not"), ("require", 78, "cannot be"):
        result = process.run(env, ["node", "-e", "0"], env.preloaded(SECRETSSL_SEAL=seal))
        rep.equal(result.status, status, f"{seal}: status")
        process.expect_messages(rep, result.messages, [f"the program's libcrypto {verb} sealed: it is a part of"], seal)


def scenario_doctor(env, rep):
    result = process.run(env, [env.tool, "doctor"], env.plain())
    rep.ok(re.search(r"^ok +sealing +", result.out, re.M), "the doctor finds that keys can be sealed", result)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
