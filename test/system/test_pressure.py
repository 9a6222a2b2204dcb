# SPDX-License-Identifier: Apache-2.0
"""Forks by the thousand, by 200 threads, and while parents and children are killed."""

import sys

from harness import cgroup, process, report

PROGRAM = "fork_pressed"
MEBIBYTE = 1 << 20


def both(env, rep, case):
    for kind, environ in ("ordinary", env.plain()), ("secret", env.preloaded()):
        process.run_checks(env, rep, PROGRAM, [kind, case], environ, title=f"{case}, {kind} memory",
                           seconds=140)


def scenario_row(env, rep):
    """Forks in a row leave no descriptor, mapping or memory."""
    both(env, rep, "row")


def scenario_threads(env, rep):
    """200 threads fork at once, and each child has what it must."""
    both(env, rep, "threads")


def scenario_parent_killed(env, rep):
    """A parent is killed while its child copies: the child has its secrets all the same."""
    both(env, rep, "orphans")


def prefer(child):
    """Makes the grandchildren of a process those that are killed first for lack of memory."""
    for parent in process.children(child.pid):
        for pid in process.children(parent):
            try:
                cgroup.write(f"/proc/{pid}/oom_score_adj", "1000")
            except OSError:
                pass
    return child.popen.poll() is not None


def out_of_memory(env, rep, victim):
    """Copies of 16 MiB exceed a limit of the control group, in the middle of one of them."""
    with cgroup.MemoryLimit("secretssl-test", 48 * MEBIBYTE) as group:
        child = process.Child(env, [env.helper(PROGRAM), "secret", "oom"], env.preloaded(),
                              setup=group.enter)
        process.wait_until(lambda: prefer(child) if victim == "child" else
                           child.popen.poll() is not None, 100, 0.001)
        result = child.wait(10)
        process.take_over(rep, result, f"out of memory, the {victim} is killed")
        rep.ok(group.kills() > 0, "the kernel killed for lack of memory", result)
        process.expect_messages(rep, result.messages, [], "out of memory")


def scenario_out_of_memory(env, rep):
    out_of_memory(env, rep, "largest")


def scenario_out_of_memory_in_child(env, rep):
    out_of_memory(env, rep, "child")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
