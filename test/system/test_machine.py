# SPDX-License-Identifier: Apache-2.0
"""What only some machines show. CTest knows these by -C machine only; test/matrix runs them in emulated
machines that are booted so."""

import os
import sys

from harness import process, report
from harness.doctor import doctor, expect


def scenario_blocks(env, rep):
    """A kernel (of arm64, rodata=on) whose map of memory has large entries only: it has memfd_secret and refuses it.
    The doctor says why, and what to change; nothing takes the process for protected."""
    with open("/proc/cmdline", encoding="ascii") as file:
        rep.ok(os.uname().machine == "aarch64" and "rodata=on" in file.read().split(), "the machine is booted so")
    found = doctor(env)
    rep.equal((found.works, found.verdict("boot-switch"), found.verdict("seccomp")), (False, "ok", "ok"),
              "neither the switch nor a filter is the cause")
    expect(rep, found, "kernel", "failed", "rodata=full")
    command = ["openssl", "rand", "-hex", "8"]
    refused = process.run(env, command, env.preloaded(SECRETSSL_REQUIRE="1"))
    rep.ok(refused.status == 78 and len(refused.messages) == 1, "SECRETSSL_REQUIRE=1: refused with one line", refused)
    served = process.run(env, command, env.preloaded())
    rep.ok(served.status == 0 and len(served.messages) == 1, "else a line says what is missing", served)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
