# SPDX-License-Identifier: Apache-2.0
"""Secret memory that a hibernation wiped (docs/hibernation.md). A kernel that can is shown to the preload by a file in
/sys, and a page is wiped by mapping an empty file in its place; kernel-patches has the test with real images."""

import re
import signal
import sys

from harness import process, report

LINE = "the machine hibernated and wiped secret memory"
PARAMETERS = "/sys/module/secretmem/parameters"
OFFERED = f'mount -t tmpfs none {PARAMETERS} && echo refuse >{PARAMETERS}/hibernate && exec "$@"'
NOT_OFFERED = f'mount -t tmpfs none {PARAMETERS} && exec "$@"'
BUS = -signal.SIGBUS


def start(env, program, *arguments, script=OFFERED, **settings):
    return process.run(env, ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh",
                             env.helper(program), *arguments], env.preloaded(**settings), limits={"CORE": 0})


def expect(rep, result, status, lines, title):
    rep.ok(result.status == status and len(result.messages) == lines and
           all(LINE in line for line in result.messages), f"{title}: status {status}, {lines} lines", result)


def scenario_line(env, rep):
    """One line, and SIGBUS; no line on other kernels."""
    for case in "touch", "threads", "cleanse":
        expect(rep, start(env, "wiped", case), BUS, 1, case)
        expect(rep, start(env, "wiped", case, script=NOT_OFFERED), BUS, 0, f"{case}, a kernel that cannot")
    result = start(env, "wiped", "touch")
    rep.ok(re.search(rf"^libsecretssl: \[\d+\] {LINE} .*; start it again$", result.err, re.M), "the line", result)
    expect(rep, start(env, "wiped", "touch", SECRETSSL_REQUIRE="1"), BUS, 1, "SECRETSSL_REQUIRE=1")
    log = env.path("log")
    expect(rep, start(env, "wiped", "touch", SECRETSSL_LOG=log), BUS, 0, "SECRETSSL_LOG")
    with open(log, encoding="utf-8") as file:
        rep.ok(file.read().count(LINE) == 1, "the line is in the file")


def scenario_others(env, rep):
    """SIGBUS that is not for the library ends the process as without it."""
    for case in "file", "sent":
        expect(rep, start(env, "wiped", case), BUS, 0, case)
    result = process.run(env, [env.helper("wiped"), "file"], env.plain(), limits={"CORE": 0})
    rep.equal(result.status, BUS, "file, without the preload")


def scenario_handlers(env, rep):
    """A handler of the program stays, whether it is set before the library starts or after."""
    expect(rep, start(env, "wiped", "own"), 3, 0, "set later")
    expect(rep, start(env, "wiped_late", "handler"), 0, 0, "set before")
    expect(rep, start(env, "wiped_late", "ignored"), 0, 0, "ignored before")
    expect(rep, start(env, "wiped_late"), 1, 0, "none: the library's")
    expect(rep, start(env, "wiped_late", script=NOT_OFFERED), 0, 0, "none, a kernel that cannot")


def scenario_fork(env, rep):
    """A fork ends the parent, which would otherwise go on with children that end; a child that has its copy has an end
    of its own."""
    expect(rep, start(env, "wiped", "fork"), BUS, 1, "fork")
    result = start(env, "wiped", "fork", script=NOT_OFFERED)
    rep.ok(result.status == 4 and LINE not in result.err, "a kernel that cannot: the child ends", result)
    expect(rep, start(env, "wiped", "child"), 0, 1, "in a child")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
