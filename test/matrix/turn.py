#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One other system in turn, each day another one: the project is built there and its most telling
tests run. `scripts/test full` calls it.

usage: turn.py [ROW]

A system of which the archive has no complete copy today is passed over for the next one. Exit status 0:
passed. 75: a test fails in a system that has another compiler, C library or OpenSSL than the one in
docs/systems.md; a change of the archive is no fault of a change of the project, and is said.
"""

import dataclasses
import datetime
import json
import sys

import matrix
import page
import roots
from rows import HOOKS, OPENSSL, ROWS, UNIT

# As EX_TEMPFAIL of sysexits.h
EXCUSED = 75
ROWS_IN_TURN = ("trixie", "sid", "sid-libssl4")


def short(row):
    """Without the servers, which take most of the packages."""
    return dataclasses.replace(row, tests=(UNIT, OPENSSL, HOOKS), purpose="turn", packs=False, installs=False)


def order():
    """The systems, today's first."""
    first = datetime.date.today().toordinal() % len(ROWS_IN_TURN)
    return ROWS_IN_TURN[first:] + ROWS_IN_TURN[:first]


def differences(name, versions):
    """What differs from the system in docs/systems.md."""
    recorded = json.loads(page.FILE.read_text(encoding="utf-8"))[name]["versions"]
    return [f"{what} {version}, not {recorded.get(what)}" for what, version in versions.items()
            if version != recorded.get(what)]


def failures(name, here):
    """The tests that fail there, or what else does; roots.Unavailable if there is no such system today."""
    row = short(ROWS[name])
    with roots.made(here, {here: row}) as lower:
        try:
            found, tests = matrix.test(here, row, matrix.Place(here, lower))
        except roots.Failure as error:
            return [str(error)]
    matrix.say(name, found, tests)
    return tests["failed"] + tests["skipped"]


def run(name):
    """The exit status. Another version excuses a failure, but is not what passed (status 75)."""
    here = f"{name}-short"
    versions = matrix.RESULTS / f"{here}-versions"
    versions.unlink(missing_ok=True)
    failed = failures(name, here)
    changes = differences(name, matrix.versions_of(versions)) if versions.exists() else []
    print(f"# note: {name}" + (f" (not as recorded: {'; '.join(changes)})" if changes else "")
          + (f": failed: {' '.join(failed)}" if failed else ""))
    if not failed:
        return 0
    return EXCUSED if changes else 1


def main(words):
    if len(words) > 1 or words and words[0] not in ROWS_IN_TURN:
        sys.exit(f"turn: {' '.join(words)}: accepted is one of {', '.join(ROWS_IN_TURN)}")
    for name in words or order():
        try:
            return run(name)
        except roots.Unavailable as error:
            print(f"turn: the archive has no complete {name} today: {error}")
        except roots.Failure as error:
            sys.exit(f"turn: {name}: {error}")
    sys.exit("turn: none of the systems could be had")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
