#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs test suites of other projects without the preload and with it, and compares how each test ended.

usage: suites.py run NAME   fetches and builds the suite if it is not in the cache, runs it on both sides, and
                            writes its row into results.json and docs/testing.md
       suites.py publish    writes docs/testing.md from results.json
       suites.py names      prints the names of the suites

Needs root, a release build, and the network for sources. Exit status 75: Debian does not have the suite, and no
directory is given.
"""

import json
import os
import re
import shutil
import subprocess
import sys

import compare
import page
import place
import probes
import results
import sources
from place import roots
from table import SUITES

OUTPUT = roots.TOP / "build/suites"
# What the preload writes at the end of each process that used OpenSSL
SUMMARY = re.compile(r"summary: .* (\d+) allocations, .* (\d+) to the C library, (\d+) failed")
NOT_HERE = 75
ALL = SUITES | probes.PROBES


class Side:
    """What one run of a suite has left."""

    def __init__(self, name, suite, side):
        self.out = OUTPUT / f"{name}-{side}"
        self.tests = results.FORMATS[suite.results](self.out)
        if not self.tests:
            raise roots.Failure(f"{name}: no test ran {side} the preload: {self.out}/output")

    def served(self):
        """Processes that had secret memory, their allocations, and how many of these got no secret memory."""
        found = [tuple(map(int, words)) for words in SUMMARY.findall((self.out / "log").read_text(errors="replace"))]
        return {"processes": len(found), "allocations": sum(one[0] for one in found),
                "elsewhere": sum(one[1] + one[2] for one in found)}


def version(name, suite, tree):
    out = OUTPUT / f"{name}-version"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    if place.enter("run", tree, out, [f"/srv/scripts/{suite.script or name}", "version"]) != 0:
        raise roots.Failure(f"{name} does not say its version: {out}/output")
    said = (out / "output").read_text(encoding="utf-8").strip()
    if suite.given:
        commit = subprocess.run(["git", "-C", str(tree), "log", "-1", "--format=%h of %cs"], check=False,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.strip()
        said += f", tests {commit}" if commit else ""
    return said


def once(name, suite, tree):
    """Runs a suite on both sides."""
    for side in compare.SIDES:
        out = OUTPUT / f"{name}-{side}"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        # Processes of other users write into it.
        out.chmod(0o1777)
        (out / "log").touch()
        (out / "log").chmod(0o666)
        place.enter("run", tree, out, [f"/srv/scripts/{suite.script or name}", "run"], suite.user,
                    dict(place.SETTINGS, SECRETSSL_REQUIRE=str(int(suite.require))) if side == "with" else None)
    return {side: Side(name, suite, side) for side in compare.SIDES}


def measured(name, suite):
    """The row of a suite. If the sides differ, both are run again: what is not the same twice is unsteady."""
    tree = sources.built(name, suite)
    runs = [once(name, suite, tree)]
    known = compare.reasons(name)
    if compare.unexplained(compare.differences({side: run.tests for side, run in runs[0].items()}), known):
        runs.append(once(name, suite, tree))
    sides = {side: compare.combined([run[side].tests for run in runs]) for side in compare.SIDES}
    served = runs[-1]["with"].served()
    if not served["processes"] or runs[-1]["without"].served()["processes"]:
        raise roots.Failure(f"{name}: the preload was not in the right side")
    return row(version(name, suite, tree), sides, served)


def row(said, sides, served):
    """What results.json has of a suite. A test that is unsteady on one side is compared with nothing."""
    unsteady = {name for ends in sides.values() for name, how in ends.items() if how == "unsteady"}
    steady = {side: {name: how for name, how in ends.items() if name not in unsteady} for side, ends in sides.items()}
    count = {side: {how: sum(one == how for one in ends.values()) for how in ("passed", "failed", "skipped")}
             for side, ends in sides.items()}
    return {"version": said, **served, "tests": count, "unsteady": sorted(unsteady, key=compare.natural),
            "failed": sorted((name for name in steady["with"] if steady["with"][name] == "failed" ==
                              steady["without"].get(name)), key=compare.natural),
            "differ": compare.differences(steady)}


def run_probes(name):
    found = probes.measured(name, OUTPUT)
    page.keep(name, found)
    open_ = compare.unexplained(found["missed"]["libsecretmem"], compare.reasons(name))
    for probe in open_:
        print(f"not ok {name}: libsecretmem does not catch {probe}")
    for allocator, missed in found["missed"].items():
        print(f"# {name}: {allocator} catches {found['probes'] - len(missed)} of {found['probes']}")
    return bool(open_)


def run(name):
    suite = ALL[name]
    if suite.given and not os.environ.get(suite.given):
        print(f"# note: not here: {suite.given} names no directory with it")
        return NOT_HERE
    if name in probes.PROBES:
        return run_probes(name)
    found = measured(name, suite)
    page.keep(name, found)
    open_ = compare.unexplained(found["differ"], compare.reasons(name))
    for test, how in found["differ"].items():
        print(f"{'not ok' if test in open_ else '#'} {name}: {test}: {how}")
    for side in compare.SIDES:
        print(f"# {name} {side}: {found['tests'][side]}")
    return bool(open_)


def main(words):
    if words == ["names"]:
        print("\n".join(ALL))
        return 0
    if words == ["publish"]:
        page.publish(page.load())
        return 0
    if len(words) == 2 and words[0] == "run" and words[1] in ALL:
        try:
            return run(words[1])
        except (roots.Failure, OSError, subprocess.SubprocessError) as error:
            sys.exit(f"suites: {error}")
    if len(words) == 2 and words[0] == "run":
        sys.exit(f"suites: unknown suite '{words[1]}': accepted are {', '.join(ALL)}")
    sys.exit(__doc__.split("\n\n")[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
