# SPDX-License-Identifier: Apache-2.0
"""secretssl scan: the kernel's memory, where it shows it (the lab's does), and keys of new kinds."""

import json
import os
import subprocess
import sys

from harness import process, report, tls


def scenario_kernel(env, rep):
    """The ordinary memory of a process is in the kernel's view; its secret memory is not. Each
    has a key of its own, because what was freed stays where it was."""
    for protected in False, True:
        key = tls.key_file(env, f"key-{protected}.pem",
                           ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
        reader = process.Child(env, [env.helper("read_key"), "pem_bio", key],
                               env.chosen(protected), stdin=subprocess.PIPE)
        reader.wait_for("^ready")
        result = process.run(env, [env.tool, "scan", "--json", "--key", key, "--kernel"],
                             env.plain(), seconds=140)
        if not os.path.exists("/proc/kcore"):
            rep.ok(result.status == 2 and "does not show its memory" in result.err,
                   "without /proc/kcore one line says so", result)
            continue
        kernel = json.loads(result.out)["processes"][0]
        # Little-endian is how a BIGNUM has it: in the process, not in the file.
        numbers = [copy for copy in kernel["copies"] if copy["encoding"] == "little-endian"]
        rep.ok(bool(numbers) != protected, ("with" if protected else "without")
               + f" the preload: {len(numbers)} private numbers in all of memory", numbers[:3])
        rep.ok(kernel["searched_bytes"] > 64 << 20, "all of memory was searched", kernel["error"])


# Each as its seed alone, as openssl genpkey -provparam ml-kem.output_formats=seed-only has it
SEEDS = {
    "ML-KEM-768": """\
MFQCAQAwCwYJYIZIAWUDBAQCBEKAQGj2Dqn0WIyg1oSk1D3a5ezpQcVchTfQjpiG
3V/RpTDGOQdZxQcE7hXoJyxa1KXt3vSCS9b0OhxVNh4x8+/Y3Tg=""",
    "ML-DSA-44": """\
MDQCAQAwCwYJYIZIAWUDBAMRBCKAIPOXkobwZo/EKrQq3nBMV4KsIWVXCKI9F0xm
O3zpyNKE""",
}
PARTS = {"ML-KEM-768": {"d", "z", "s unpacked"},
         "ML-DSA-44": {"seed", "K", "s1", "s1 unpacked", "s2", "s2 unpacked"}}


def scenario_lattice(env, rep):
    """Each private part of keys of ML-KEM and ML-DSA is found as libcrypto keeps it. A libcrypto
    that does not know them is no reason to say that there is no copy."""
    for kind, text in SEEDS.items():
        key = env.path(f"{kind}.pem")
        with open(key, "w", encoding="ascii") as file:
            file.write(f"-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
        known = process.run(env, ["openssl", "pkey", "-in", key, "-noout"], env.plain()).status == 0
        for protected in False, True:
            reader = process.Child(env, [env.helper("read_key"), "pem_bio", key],
                                   env.chosen(protected), stdin=subprocess.PIPE)
            if known:
                reader.wait_for("^ready")
            result = process.run(env, [env.tool, "scan", "--json", "--key", key, str(reader.pid)],
                                 env.plain())
            if not known:
                rep.ok(result.status == 2 and result.out == "" and "no private key found" in result.err,
                       f"{kind}: status 2 where libcrypto does not know it", result)
                continue
            found = {copy["component"] for copy in json.loads(result.out)["processes"][0]["copies"]}
            if protected:
                rep.equal((found, result.status), (set(), 0), f"{kind}: with the preload none")
            else:
                rep.ok(PARTS[kind] <= found and result.status == 1, f"{kind}: all parts", found)
            reader.stop()


if __name__ == "__main__":
    report.main(sys.modules[__name__])
