# SPDX-License-Identifier: Apache-2.0
"""Which paths into the kernel work with secret memory, because the kernel copies, and which pin pages."""

import sys

from harness import fuse, keys, process, report


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
