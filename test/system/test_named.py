# SPDX-License-Identifier: Apache-2.0
"""Processes by the name of their program or unit, and the views of stat for people."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from harness import figures, keys, process, report
from harness.cgroup import Unit
from harness.terminal import on_terminal

ESCAPE = "\033["


def tool(env, *arguments, **options):
    return process.run(env, [env.tool, *map(str, arguments)], options.pop("environ", env.plain()), **options)


def rows(text):
    """The lines of a table behind its title, as lists of words."""
    lines = [line.split() for line in text.splitlines()]
    return lines[1:] if lines and lines[0][:1] == ["PID"] else []


def pids(text):
    return [int(row[0]) for row in rows(text)]


def scenario_program(env, rep):
    """By the name that a process gave itself, or by that of its file; a table of one line for each."""
    ours = [figures.seclude(env, env.preloaded(), "plain", name="name-of-two") for _ in range(2)]
    numbers = sorted(child.pid for child in ours)
    result = tool(env, "stat", "name-of-two")
    rep.equal((pids(result.out), result.status, result.err), (numbers, 0, ""), "by the name of a process")
    rep.ok(all(row[1] == "name-of-two" and "protected" in row for row in rows(result.out)), "a line for each", result)
    rep.ok(set(numbers) <= set(pids(tool(env, "stat", "seclude").out)), "by the name of the file")
    result = tool(env, "stat", numbers[0], "name-of-two")
    rep.equal(pids(result.out), numbers, "by number and name: each once")
    result = tool(env, "stat", "--verbose", "name-of-two")
    rep.equal((result.out.count("): protected\n"), result.out.count("  arena  ")), (2, 2), "--verbose: all figures")
    rep.ok(tool(env, "stat", numbers[0]).out.startswith(f"{numbers[0]} (name-of-two): protected\n"),
           "one number: all figures")
    rep.equal([one["pid"] for one in json.loads(tool(env, "stat", "--json", "name-of-two").out)["processes"]],
              numbers, "--json")
    moved = shutil.copy(env.helper("seclude"), env.path("moved-away"))
    child = figures.seclude(env, env.preloaded(), "plain", path=moved)
    os.unlink(moved)
    rep.equal(pids(tool(env, "stat", "moved-away").out), [child.pid], "a file that was replaced")
    long = shutil.copy(env.helper("seclude"), env.path("a-name-of-more-than-15"))
    child = process.Child(env, [long, "plain", "a-name-of-more-than-15", "1"], env.preloaded())
    process.wait_until(lambda: process.program(child.pid) == "a-name-of-more-")
    rep.equal(pids(tool(env, "stat", "a-name-of-more-than-15").out), [child.pid], "a name that the kernel cuts")
    plain = figures.seclude(env, env.plain(), "plain", name="name-of-two")
    result = tool(env, "stat", "name-of-two")
    rep.ok(result.status == 1 and f"{plain.pid}" in result.out, "one that is not protected: status 1", result)


def refused(env, rep, arguments, said, title, status=2):
    result = tool(env, *arguments)
    rep.ok(result.status == status and result.err.count("\n") == 1 and said in result.err, title, result)


def scenario_missing(env, rep):
    """A name that nothing has: one line, with the name that was meant."""
    child = figures.seclude(env, env.preloaded(), "plain", name="quite-alone")
    key = keys.Identity(env, "ecdsa").key
    for command in ["stat"], ["doctor"], ["scan", "--key", key]:
        refused(env, rep, [*command, "quite-alnoe"], "did you mean 'quite-alone'?", f"{command[0]}: two letters")
        refused(env, rep, [*command, "has-no-likeness-here"], "'has-no-likeness-here'; give a number",
                f"{command[0]}: nothing like it")
        refused(env, rep, [*command, "some/path"], "'some/path' names no processes", f"{command[0]}: a path")
        refused(env, rep, [*command, ""], "'' names no processes", f"{command[0]}: nothing")
        refused(env, rep, [*command, "99999999999"], "'99999999999'", f"{command[0]}: no number")
    refused(env, rep, ["stat", "--strict", "quite-alnoe"], "did you mean", "--strict: 1", status=1)
    result = tool(env, "stat", child.pid, "quite-alnoe")
    rep.ok(result.status == 2 and str(child.pid) in result.out, "what is there is shown", result)
    result = tool(env, "scan", "--key", key, "quite-alone")
    rep.ok(result.status == 0 and f"{child.pid} (quite-alone): 0 copies" in result.out, "scan by name", result)
    result = tool(env, "doctor", "--json", "quite-alone")
    rep.equal([one["pid"] for one in json.loads(result.out)["processes"]], [child.pid], "doctor by name")


def scenario_unit(env, rep):
    """By the control group of a service, with what runs below it and without the rest."""
    service = f"libsecretssl-test-{os.getpid()}.service"
    with Unit(service) as unit, Unit(f"libsecretssl-shell-{os.getpid()}@one.service") as shell:
        below = unit.below("worker")
        ours = [figures.seclude(env, env.preloaded(), "plain", setup=group.enter) for group in (unit, below)]
        other = figures.seclude(env, env.preloaded(), "plain")
        numbers = sorted(child.pid for child in ours)
        for name in service, service.removesuffix(".service"):
            result = tool(env, "stat", name)
            rep.ok(pids(result.out) == numbers and other.pid not in pids(result.out) and result.status == 0,
                   name, result)
        rep.ok(all(row[2] == service for row in rows(result.out)), "a column names it", result)
        found = json.loads(tool(env, "stat", "--json", *numbers, other.pid).out)["processes"]
        rep.equal([one["unit"] == service for one in found], [True, True, False], "and --json")
        refused(env, rep, ["stat", service.replace("test", "tset")], f"did you mean '{service}'?", "a mistake")
        # A shell that waits for what it started has nothing to protect.
        waiting = process.Child(env, ["sh", "-c", "sleep 100; true"], env.plain(), setup=unit.enter)
        process.wait_until(lambda: len(process.children(waiting.pid)) == 1)
        result = tool(env, "stat", "--strict", service)
        rep.ok(result.status == 0 and len(rows(result.out)) == 4, "a shell beside it: still fully protected", result)
        rep.equal(tool(env, "stat", "--strict", waiting.pid).status, 1, "the control: the shell alone is not")
        process.Child(env, ["sleep", "100"], env.plain(), setup=shell.enter)
        template = f"libsecretssl-shell-{os.getpid()}"
        process.wait_until(lambda: tool(env, "stat", template).out)
        refused(env, rep, ["stat", "--strict", template], f"no process of '{template}' is protected",
                "an instance of a template, with nothing to protect", status=1)
        plain = figures.seclude(env, env.plain(), "plain", setup=below.enter)
        refused(env, rep, ["stat", "--strict", service], f"process {plain.pid} ", "one that is not protected", status=1)


def scenario_overlap(env, rep):
    """A process may be meant by several arguments, and each of them has found it."""
    # Other tests may run programs of this one's file meanwhile.
    path = shutil.copy(env.helper("seclude"), env.path("file-of-its-own"))
    child = figures.seclude(env, env.preloaded(), "plain", name="meant-twice", path=path)
    for arguments in (["meant-twice", child.pid], [child.pid, "meant-twice"], ["meant-twice", "file-of-its-own"],
                      ["meant-twice", "meant-twice"]):
        result = tool(env, "stat", "--strict", *arguments)
        rep.ok(result.status == 0 and result.err == "" and pids(result.out) == [child.pid], f"{arguments}", result)
    # A name of which only a shell is there is not protected, even if another name is.
    process.Child(env, ["sh", "-c", "sleep 100; true"], env.plain())
    process.wait_until(lambda: "no-tls" in tool(env, "stat", "sh").out)
    for command in "stat", "doctor":
        rep.equal(tool(env, command, "sh", "meant-twice").status, 1, f"{command}: one of two names has nothing protected")
    rep.equal(tool(env, "stat", "meant-twice").status, 0, "the control: the other alone")


def scenario_leaderless(env, rep):
    """A process whose first thread has ended is found, too."""
    with Unit(f"libsecretssl-leader-{os.getpid()}.service") as unit:
        name = os.path.basename(unit.path)
        good = figures.seclude(env, env.preloaded(), "plain", setup=unit.enter)
        bad = figures.seclude(env, env.plain(), "leaderless", name="without-first", setup=unit.enter)
        process.wait_until(lambda: not process.alive(bad.pid))
        for who in "without-first", name:
            result = tool(env, "stat", "--strict", who)
            rep.ok(result.status == 1 and f"process {bad.pid} " in result.err, who, result)
        rep.ok({good.pid, bad.pid} <= set(pids(tool(env, "stat", name).out)), "both are listed")


def scenario_nested(env, rep):
    """Users and containers can make units of any name below theirs: these are not the machine's."""
    name = f"libsecretssl-nested-{os.getpid()}.service"
    with Unit(f"user@{os.getpid()}.service") as manager, Unit(name) as unit:
        inner = manager.below("app.slice").below(name)
        inside = figures.seclude(env, env.preloaded(), "plain", setup=inner.enter)
        process.Child(env, ["sleep", "100"], env.plain(), setup=unit.enter)
        process.wait_until(lambda: tool(env, "stat", name).out)
        result = tool(env, "stat", "--strict", name)
        rep.ok(result.status == 1 and inside.pid not in pids(result.out), "the machine's own unit only", result)
        found = json.loads(tool(env, "stat", "--json", inside.pid).out)["processes"][0]
        rep.equal(found["unit"], os.path.basename(manager.path), "it belongs to the outermost")
        rep.ok(inside.pid in pids(tool(env, "stat", os.path.basename(manager.path)).out), "and is found by that")
        called = process.Child(env, [env.helper("seclude"), "plain", "x.service", "1"], env.preloaded())
        process.wait_until(lambda: process.program(called.pid) == "x.service")
        rep.equal(tool(env, "stat", "--strict", "x.service").status, 1, "a process that is called like a unit is none")
    template = f"libsecretssl-hidden-{os.getpid()}"
    with Unit(f"{template}@one.service") as unit:
        plain = figures.seclude(env, env.plain(), "plain", setup=unit.enter)
        hides = shutil.copy(env.helper("seclude"), env.path(template))
        figures.seclude(env, env.preloaded(), "plain", path=hides)
        result = tool(env, "stat", "--strict", template)
        rep.ok(result.status == 1 and f"process {plain.pid} " in result.err, "a program does not hide a service", result)


HOSTILE = ("esc\x1b[31mx", "c1\u009b31mx", "turn\u202eed", "byte\udcff")


def scenario_hostile(env, rep):
    """Whatever a process is called: nothing of it reaches the terminal but characters."""
    for name in HOSTILE:
        child = process.Child(env, [env.helper("seclude"), "plain", name, "1"], env.preloaded())
        process.wait_until(lambda: process.program(child.pid) not in (None, "seclude"))
        near = name[:3] + "?" + name[4:]
        for arguments in ["stat", child.pid], ["stat", "seclude"], ["stat", "-v", "seclude"], ["stat", near], \
                ["stat", "--strict", "seclude", near], ["doctor", child.pid], ["stat", "--prometheus", "seclude"]:
            result = tool(env, *arguments)
            # The harness decodes what is no UTF-8 as U+FFFD.
            bad = re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffd]",
                             result.out + result.err)
            rep.equal(bad, [], f"{name!r}: {' '.join(map(str, arguments[:2]))}")
        child.stop()


def scenario_wait(env, rep):
    """--wait looks for names anew."""
    late = ["sh", "-c", 'sleep 1; exec "$@"', "sh", env.helper("seclude"), "plain", "comes-late", "10"]
    child = process.Child(env, late, env.preloaded())
    rep.equal(tool(env, "stat", "comes-late").status, 2, "the control: it is not there yet")
    result = tool(env, "stat", "--strict", "--wait=20", "comes-late")
    rep.ok(result.status == 0 and pids(result.out) == [child.pid] and not result.err, "with --wait", result)
    begin = time.monotonic()
    refused(env, rep, ["stat", "--wait=1", "never-comes-here"], "'never-comes-here'", "what never comes: one line")
    rep.ok(1 <= time.monotonic() - begin < 2.5, "is waited for, not longer")


def scenario_watch(env, rep):
    """--watch: the table again and again, with what was made since; what it stops for."""
    child = figures.seclude(env, env.preloaded(), "plain", name="watched")
    watch = subprocess.Popen([env.tool, "stat", "--watch=1", "watched", "not-there-yet"], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    time.sleep(1.5)
    late = figures.seclude(env, env.preloaded(), "plain", name="not-there-yet")
    time.sleep(1.5)
    watch.send_signal(signal.SIGINT)
    out, err = watch.communicate(timeout=20)
    views = out.rstrip("\n").split("\n\n")
    rep.ok(len(views) >= 3 and watch.returncode == 0 and err == "", f"{len(views)} views until SIGINT", out + err)
    rep.ok("'not-there-yet'" in views[0] and str(late.pid) not in views[0] and str(late.pid) in views[-1],
           "a process that comes later", out)
    rep.ok("MADE/S" not in views[0] and "MADE/S" in views[1] and ESCAPE not in out, "rates from the second on", out)
    rep.ok(views[-1].splitlines()[-1].startswith("2 protected, "), "a sum", out)
    watch = subprocess.Popen([env.tool, "stat", "--watch=1", str(child.pid), str(late.pid)], stdout=subprocess.PIPE,
                             text=True)
    time.sleep(0.5)
    child.stop()
    late.stop()
    rep.ok(watch.wait(20) == 2 and " gone " in watch.communicate()[0], "it ends when all have ended")
    for arguments in ["--watch=0"], ["--watch=soon"], ["--watch", "--json"], ["--watch", "--strict"], \
            ["--watch", "-v"], ["--all", "1"], ["--wait=3"], ["--color=pink"]:
        refused(env, rep, ["stat", *arguments], "secretssl: stat: --", " ".join(arguments))


def scenario_terminal(env, rep):
    """Colours on a terminal and nowhere else; lines as wide as it is; a view that stays in its place."""
    child = figures.seclude(env, env.preloaded(), "plain", name="in-colour")
    plain = figures.seclude(env, env.plain(), "plain", name="in-colour")
    command = [env.tool, "stat", "in-colour"]
    shown = on_terminal(command, env.plain(TERM="xterm"), columns=60)
    rep.ok("\033[32m  protected  \033[0m" in shown and "\033[31m  unprotected\033[0m" in shown, "colours of states", shown)
    visible = re.sub(r"\033\[[0-9;]*[A-Za-z]", "", shown)
    rep.ok(max(len(line) for line in visible.split("\r\n")) <= 60, "cut at the width", visible)
    reason = tool(env, "stat", "in-colour").out
    rep.ok(max(len(line) for line in reason.split("\n")) > 60, "the control: in a pipe it is not", reason)
    for title, environ, arguments, coloured in (
            ("NO_COLOR", {"TERM": "xterm", "NO_COLOR": "1"}, [], False),
            ("an empty NO_COLOR", {"TERM": "xterm", "NO_COLOR": ""}, [], True),
            ("TERM=dumb", {"TERM": "dumb"}, [], False),
            ("--color=never", {"TERM": "xterm"}, ["--color=never"], False),
            ("--color=always", {"TERM": "dumb", "NO_COLOR": "1"}, ["--color=always"], True)):
        shown = on_terminal([*command, *arguments], env.plain(**environ))
        rep.equal(ESCAPE in shown, coloured, f"{title}: colours")
    rep.equal((ESCAPE in reason, ESCAPE in tool(env, "stat", "--color=always", "in-colour").out), (False, True),
              "none in a pipe, but with --color=always")
    shown = on_terminal([*command, "--watch=1"], env.plain(TERM="xterm"), columns=60, lines=5, seconds=2.5)
    rep.ok(shown.count("\033[H\033[J") >= 2 and "and 1 more" in shown and str(child.pid) in shown
           and str(plain.pid) not in shown, "--watch: from the upper left corner, as many lines as fit", shown)


def scenario_meant(env, rep):
    """Commands and options that are mistyped."""
    for arguments, said in (
            (["stats"], "unknown command 'stats'; did you mean 'stat'?"),
            (["docter"], "unknown command 'docter'; did you mean 'doctor'?"),
            (["xyzzy"], "unknown command 'xyzzy'; 'secretssl --help'"),
            (["stat", "--prometeus"], "stat: unknown option '--prometeus'; did you mean '--prometheus'?"),
            (["scan", "--kye=x", "1"], "scan: unknown option '--kye'; did you mean '--key'?"),
            (["enable", "--nwo", "nginx"], "enable: unknown option '--nwo'; did you mean '--now'?"),
            (["doctor", "--preloadd"], "unrecognized option '--preloadd'"),
            (["doctor", "--hlep"], "doctor: unknown option '--hlep'; did you mean '--help'?")):
        result = tool(env, *arguments)
        rep.ok(result.status == 2 and said in result.err and ("unrecognized" in said or result.err.count("\n") == 1),
               " ".join(arguments), result)
    result = tool(env, "run", "--reqiure", "true")
    rep.ok(result.status == 125 and "did you mean '--require'?" in result.err, "run --reqiure", result)
    result = tool(env, "run", "echo", "--reqiure")
    rep.equal(result.out, "--reqiure\n", "an option of the command that is run")
    result = tool(env, "run", "--route", "all", "--log=none", "--", "echo", "--reqiure")
    rep.equal(result.out, "--reqiure\n", "also behind --")
    rep.equal(tool(env, "stat", "--prom", os.getpid()).status, 1, "a beginning is taken for the whole, as ever")
    result = tool(env, "stat", "--zzzzzzzzzz")
    rep.ok(result.status == 2 and "unrecognized option '--zzzzzzzzzz'" in result.err, "nothing like it", result)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
