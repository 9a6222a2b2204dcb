# SPDX-License-Identifier: Apache-2.0
"""Core dumps and debuggers: what others can copy of a process does not hold the secret."""

import os
import resource
import sys

from harness import memory, process, report

SEED = 20240229
SECRET = memory.pattern(SEED, 64)
UNLIMITED = {"CORE": resource.RLIM_INFINITY}


def held(env, protected):
    """A process that holds the secret and waits, and the pipe that ends it."""
    reader, writer = os.pipe()
    child = process.Child(env, [env.helper("holder"), "wait", str(SEED)], env.chosen(protected),
                          stdin=reader)
    os.close(reader)
    child.wait_for("^ready")
    return child, writer


def scenario_memory_of_process(env, rep):
    for protected in False, True:
        child, writer = held(env, protected)
        found = memory.find(child.pid, [SECRET])
        rep.equal(bool(found), not protected, "the secret is in /proc/PID/mem, "
                  + ("with the preload" if protected else "without"))
        os.close(writer)
        child.wait(10)


def scenario_gcore(env, rep):
    """A core made by gdb of a running process."""
    for protected in False, True:
        title = "with the preload" if protected else "without"
        child, writer = held(env, protected)
        made = process.run(env, ["gcore", "-o", env.path(f"gcore-{protected}"), str(child.pid)],
                           env.plain())
        name = env.path(f"gcore-{protected}.{child.pid}")
        if rep.ok(made.status == 0 and os.path.exists(name), f"gcore {title}", made):
            rep.equal(memory.find_in_file(name, [SECRET]) > 0, not protected,
                      f"the secret is in it, {title}")
            # What is reserved and never used is not part of it.
            rep.ok(os.path.getsize(name) < 64 << 20, f"it is small, {title}", os.path.getsize(name))
        os.close(writer)
        rep.equal(child.wait(10).status, 1, f"the process goes on, {title}")


def dump_of(env, name, command, environ):
    """Runs a program that aborts, in a directory of its own; its core file, or None.

    Where core_pattern sends cores elsewhere, gdb makes one at the moment of death: it leaves
    out what the kernel would leave out.
    """
    directory = env.path(name)
    os.mkdir(directory)
    with open("/proc/sys/kernel/core_pattern", encoding="ascii") as file:
        elsewhere = file.read()[0] in "|/"
    if elsewhere:
        wrapper = "set exec-wrapper env LD_PRELOAD=" + environ.pop("LD_PRELOAD", "")
        command = ["gdb", "-nx", "-batch", "-ex", wrapper, "-ex", "run", "-ex",
                   "generate-core-file core", "-ex", "kill", "--args", *command]
    process.run(env, command, environ, cwd=directory, limits=UNLIMITED)
    found = [os.path.join(directory, one) for one in os.listdir(directory)
             if one.startswith("core")]
    return found[0] if len(found) == 1 else None


def scenario_core_of_kernel(env, rep):
    """A core file of a process that aborts."""
    for protected in False, True:
        title = "with the preload" if protected else "without"
        core = dump_of(env, f"dies-{protected}", [env.helper("holder"), "abort", str(SEED)],
                       env.chosen(protected))
        if rep.ok(core, f"a core is written {title}"):
            rep.equal(memory.find_in_file(core, [SECRET]) > 0, not protected,
                      f"the secret is in it, {title}")


def scenario_core_without_secret_memory(env, rep):
    """Locked memory can be read by a debugger, but no core holds it."""
    core = dump_of(env, "dies", [env.helper("with_filter"), "EPERM", env.helper("holder"),
                                 "abort", str(SEED)], env.preloaded())
    if rep.ok(core, "a core is written"):
        rep.equal(memory.find_in_file(core, [SECRET]), 0, "the secret is not in it")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
