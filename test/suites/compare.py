# SPDX-License-Identifier: Apache-2.0
"""How the results of a suite without the preload differ from those with it, and the reasons (explained.json)."""

import fnmatch
import json
import re
from pathlib import Path

EXPLAINED = Path(__file__).resolve().parent / "explained.json"
SIDES = ("without", "with")


def combined(runs):
    """How each test ended in all runs of a side. A test that did not end the same way each time is unsteady."""
    names = {name for run in runs for name in run}
    return {name: ends.pop() if len(ends := {run.get(name, "absent") for run in runs}) == 1 else "unsteady"
            for name in names}


def differences(sides):
    """{test: "passed → failed"} for each test that did not end the same way on both sides."""
    without, with_ = (sides[side] for side in SIDES)
    return {name: f"{without.get(name, 'absent')} → {with_.get(name, 'absent')}"
            for name in sorted(without | with_, key=natural) if without.get(name) != with_.get(name)}


def natural(name):
    """Key by which "x 10" is behind "x 9"."""
    return [int(part) if index % 2 else part for index, part in enumerate(re.split(r"(\d+)", name))]


def reasons(suite, explained=None):
    explained = json.loads(EXPLAINED.read_text(encoding="utf-8")) if explained is None else explained
    return explained.get(suite, {})


def unexplained(found, known):
    """The differences for which known, {pattern: reason}, has no reason."""
    return [name for name in found if not any(fnmatch.fnmatchcase(name, pattern) for pattern in known)]


def idle(found, known):
    """The reasons that no difference needs any more."""
    return [pattern for pattern in known if not any(fnmatch.fnmatchcase(name, pattern) for name in found)]
