# SPDX-License-Identifier: Apache-2.0
"""What a process can put in the way of who looks at it: files without end, files that do not answer."""

import json
import os
import sys

from harness import figures, fuse, process, report

HOLDER = """
import mmap, sys, time
files = [open(name, "rb") for name in sys.argv[1:]]
held = [mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ) for file in files]
print("there", flush=True)
time.sleep(200)
"""


def holder(env, *names):
    child = process.Child(env, [sys.executable, "-c", HOLDER, *names], env.plain())
    child.wait_for("there")
    return child


def scenario_sparse(env, rep):
    """A file of four terabytes that begins as a program does and has text at its end is looked
    into, and costs nothing for what is not there."""
    names = [env.path(f"sparse-{number}") for number in range(3)]
    with open("/bin/true", "rb") as file:
        head = file.read(64)
    for name in names:
        with open(name, "wb") as file:
            file.write(head)
            file.seek(1 << 42)
            file.write(b"crypto/mem" + b"_sec.c\0")
    found = figures.of(env, holder(env, *names).pid)
    rep.equal((found["state"], sorted(one["mapping"] for one in found["not_reached"])), ("unreached", names),
              "its text is found, behind the hole")


def scenario_budget(env, rep):
    """Files that do not answer cost so much time in all, however many processes a user has."""
    with open(os.path.join(env.build, "test", "tool", "unreached_hidden.so"), "rb") as file:
        content = file.read()
    served = [fuse.Served(env.path(f"served-{number}"), content) for number in range(8)]
    try:
        children = [holder(env, one.file) for one in served]
        for one in served:
            one.silence()
        result = figures.stat(env, "--json", *(child.pid for child in children), seconds=60)
        states = {one["state"] for one in json.loads(result.out)["processes"]}
        rep.equal(states, {"unknown"}, "nothing is said of them")
        # Each would be waited for 3 s: 24 in all.
        rep.ok(result.seconds < 20, f"{result.seconds:.1f} s for eight processes", result)
        for child in children:
            child.popen.kill()
    finally:
        for one in served:
            one.end()


if __name__ == "__main__":
    report.main(sys.modules[__name__])
