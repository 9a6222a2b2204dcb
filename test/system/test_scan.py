# SPDX-License-Identifier: Apache-2.0
"""secretssl scan --kernel, where the kernel shows its memory (the lab's does)."""

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


if __name__ == "__main__":
    report.main(sys.modules[__name__])
