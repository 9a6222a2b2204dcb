# SPDX-License-Identifier: Apache-2.0
"""Which paths into the kernel work with secret memory, because the kernel copies, and which pin pages."""

import sys

from harness import fuse, keys, pinned, process, report


def scenario_paths(env, rep):
    """Each path of docs/pinned.md with a page of the heap and one of OPENSSL_malloc. A kernel or a
    machine may lack a path: it then fails in the same way with both."""
    for protected in False, True:
        said = pinned.tried(env, rep, protected, env.directory, env.path("direct"))
        rep.equal(list(said), list(pinned.ANSWERS), "all paths were tried")
        for name, (ordinary, block) in said.items():
            wanted = pinned.ANSWERS[name] if protected and ordinary == "0" else ordinary
            rep.equal(block, wanted, f"{name}, {'secret' if protected else 'ordinary'} memory")
    rep.equal((said["read"], said["vmsplice to a pipe"]), (("0", "0"), ("0", "EFAULT")),
              "the control: a path that copies and one that pins")


def scenario_descriptor(env, rep):
    """BIO_new_fd reads into OpenSSL's memory, which FUSE with direct_io cannot fill."""
    with open(keys.Identity(env, "ecdsa").key, "rb") as stream:
        contents = stream.read()
    for direct in False, True:
        served = fuse.Served(env.path(f"descriptor-{direct}"), contents, direct=direct)
        try:
            for protected in False, True:
                result = process.run(env, [env.helper("read_key"), "pem_fd_bio", served.file],
                                     env.chosen(protected))
                rep.equal(result.status, int(direct and protected),
                          f"{'direct_io' if direct else 'cached'}, "
                          f"{'with the preload' if protected else 'without'}")
        finally:
            served.end()


def scenario_written(env, rep):
    """FUSE with direct_io cannot write from secret memory either: what libcrypto writes goes by an ordinary
    buffer. A file that is smaller than the buffer, and a write that is larger."""
    identity = keys.Identity(env, "rsa")
    with open(env.path("large"), "wb") as file:
        file.write(b"".join(b"%d\n" % number for number in range(20000)))
    commands = {"x509, libcrypto's stream": ["x509", "-in", identity.certificate],
                "enc, libcrypto's stream": ["enc", "-base64", "-A", "-in", env.path("large")],
                "pkey, the program's stream": ["pkey", "-in", identity.key]}
    for title, command in commands.items():
        wanted = process.run(env, ["openssl", *command], env.plain()).out
        for protected in False, True:
            served = fuse.Served(env.path(f"{command[0]}-{protected}"), b"something else\n", direct=True)
            try:
                result = process.run(env, ["openssl", *command, "-out", served.file], env.chosen(protected))
                with open(served.file, encoding="ascii") as file:
                    rep.ok(wanted and file.read() == wanted,
                           f"{title}, {'with the preload' if protected else 'without'}", result)
                rep.equal((result.status, result.messages), (0, []), f"{title}: ends well")
            finally:
                served.end()


if __name__ == "__main__":
    report.main(sys.modules[__name__])
