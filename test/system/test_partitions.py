# SPDX-License-Identifier: Apache-2.0
"""What lies where in the arena, and how far a read beyond a record buffer gets."""

import sys

from harness import keys, process, report, tls


def scenario_private_numbers(env, rep):
    """RSA and EC: found among the key bytes, and nowhere else in the arena or the heap."""
    process.run_both(env, rep, "partitions", "keys")


def scenario_octet_keys(env, rep):
    process.run_both(env, rep, "partitions", "octets")


def scenario_file_names(env, rep):
    process.run_both(env, rep, "partitions", "names")


def scenario_no_file_names(env, rep):
    """OPENSSL_NO_FILENAMES: all is key material, and one line says so."""
    process.run_both(env, rep, "partitions", "no_names", messages=["OPENSSL_NO_FILENAMES.*key material"])


def scenario_no_file_names_denied(env, rep):
    """Promises about key bytes, which nobody can tell from other secrets then: reported, or refused."""
    for program, case in ("partitions", "no_names"), ("arrive", "boringssl_by_name"):
        names = ["OPENSSL_NO_FILENAMES.*key material"] if program == "partitions" else []
        process.run_both(env, rep, program, case, [r"SECRETSSL_FORK=deny: libcrypto names no files", *names],
                         SECRETSSL_FORK="deny")
        result = process.run(env, [env.helper(program), "secret", case],
                             env.preloaded(SECRETSSL_FORK="deny", SECRETSSL_REQUIRE="1"))
        rep.ok(result.status == 78 and len(result.messages) == 1
               and "withheld from children (SECRETSSL_FORK=deny)" in result.err, f"{case}: required, status 78", result)


def scenario_route_keys(env, rep):
    """Only what may hold keys is in secret memory."""
    process.run_both(env, rep, "partitions", "route", SECRETSSL_ROUTE="keys")


CONNECTIONS = 8


def heartbleed(env, rep, protected, **settings):
    identities = [keys.Identity(env, kind) for kind in ("rsa", "ecdsa")]
    files = [name for identity in identities for name in (identity.key, identity.certificate)]
    title = f"heartbleed {'with' if protected else 'without'} the preload"
    server = process.Child(env, [env.helper("heartbleed"), "secret" if protected else "ordinary",
                                 *files], env.chosen(protected, **settings))
    port = int(server.wait_for(r"^port (\d+)$")[1])
    open_ones, answers = [], []
    for number in range(CONNECTIONS):
        client = tls.context(identities[number % 2])
        secure = tls.connect(port, client)
        secure.sendall(tls.REQUEST)
        answers.append(secure.recv(4096))
        open_ones.append(secure)
    rep.ok(all(answer.endswith(b"hello") for answer in answers), f"{title}: all are answered")
    result = server.wait(60)
    for secure in open_ones:
        secure.close()
    process.take_over(rep, result, title)
    rep.equal(result.messages, [], f"{title}: no message")


def scenario_heartbleed(env, rep):
    """64 KiB upward from every live record buffer: no byte of a private number."""
    heartbleed(env, rep, protected=False)
    heartbleed(env, rep, protected=True)


def scenario_heartbleed_route_keys(env, rep):
    """The same where records are in ordinary memory: their partition has the same guards."""
    heartbleed(env, rep, protected=True, SECRETSSL_ROUTE="keys")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
