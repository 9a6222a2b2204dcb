# SPDX-License-Identifier: Apache-2.0
"""SECRETSSL_SEAL where keys cannot be sealed: it says so, or refuses. test_seal.py has the rest."""

import re
import sys

from harness import figures, keys, process, report, tls
from harness.doctor import doctor

NO_KEYS = r"this processor or kernel has no protection keys \(PKU\)"


def has_protection_keys():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        return re.search(r"^flags.* ospke( |$)", file.read(), re.M) is not None


def commands(env):
    """A command that cannot seal, and the reason: a filter, where the processor could."""
    identity = keys.Identity(env, "rsa")
    command = ["openssl", "pkey", "-in", identity.key, "-noout"]
    if has_protection_keys():
        return [env.helper("with_filter"), "PKEY_EPERM", *command], "a filter forbids pkey_alloc"
    return command, NO_KEYS


def scenario_unavailable(env, rep):
    command, reason = commands(env)
    for seal, status, message in (
            ("off", 0, None), ("prefer", 0, f"SECRETSSL_SEAL: a private key is not sealed: {reason}"),
            ("require", 78, f"SECRETSSL_SEAL=require: a private key cannot be sealed: {reason}")):
        result = process.run(env, command, env.preloaded(SECRETSSL_SEAL=seal))
        rep.equal(result.status, status, f"SECRETSSL_SEAL={seal}: status")
        process.expect_messages(rep, result.messages, [message] if message else [], f"SECRETSSL_SEAL={seal}")
    for seal in "prefer", "require":
        result = process.run(env, ["true"], env.preloaded(SECRETSSL_SEAL=seal))
        rep.equal((result.status, result.err), (0, ""), f"{seal}: a program without libcrypto says nothing")


def scenario_server(env, rep):
    """A server that prefers it works as before, and stat knows."""
    identity = keys.Identity(env, "rsa")
    sealed = has_protection_keys()
    server = tls.Server(env, identity, env.preloaded(SECRETSSL_SEAL="prefer"), ["-www"])
    answer = tls.fetch(server.port, tls.context(identity))
    rep.ok(answer.startswith(b"HTTP/1.0 200"), "a request is answered", answer)
    found = figures.of(env, server.pid)
    rep.equal(found["state"], "protected", "stat: it is protected")
    rep.equal((found["sealing"], found["lapses"].get("unsealed", 0)), (1, 0) if sealed else (0, 1),
              "stat: whether keys are sealed")
    server.stop()


def scenario_doctor(env, rep):
    found = doctor(env)
    rep.equal(found.verdict("sealing"), "ok" if has_protection_keys() else "note", "the doctor's verdict")
    rep.equal(found.status, 0, "which is no failure")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
