# SPDX-License-Identifier: Apache-2.0
"""The results file: only raw numbers, from which every table is computed."""

import json

from suite import machine, stats
from suite.context import SIDES
from suite.errors import BenchError

SCHEMA = 2
# The unit of rates. Of everything else that is measured, less is better.
RATE = "1/s"


def _compact(value):
    return json.dumps(value, ensure_ascii=False)


def write(path, results):
    """JSON with one round a line: small enough to keep, and readable as a diff."""
    lines = []
    for name, value in results.items():
        if name != "measurements":
            lines.append(f'  "{name}": {_compact(value)}')
    blocks = []
    for measurement in results["measurements"]:
        head = {name: value for name, value in measurement.items() if name != "pairs"}
        rounds = ",\n".join("      " + _compact(pair) for pair in measurement["pairs"])
        blocks.append(f'    {_compact(head)[:-1]}, "pairs": [\n{rounds}\n    ]}}')
    lines.append('  "measurements": [\n' + ",\n".join(blocks) + "\n  ]")
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise BenchError(f"cannot write {path}: {error.strerror}") from error


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            results = json.load(file)
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise BenchError(f"{path} is no results file of bench/run: {error}") from error
    if not isinstance(results, dict) or results.get("schema") != SCHEMA:
        raise BenchError(f"{path} is no results file of bench/run with schema {SCHEMA}")
    return results


def merged(earlier, later):
    """The rounds of two runs on one machine as one result."""
    for field in ("machine", "quick", "aa"):
        if earlier[field] != later[field]:
            raise BenchError(
                f"the results to add to differ in '{field}': {earlier[field]}, not {later[field]}"
            )
    measurements = []
    for measurement in later["measurements"]:
        before = find(earlier, measurement["name"])
        pairs = before["pairs"] if before else []
        measurements.append({**measurement, "pairs": pairs + measurement["pairs"]})
    state = {name: max(value, earlier["state"][name]) for name, value in later["state"].items()}
    notes = [note for note in earlier["notes"] + later["notes"] if not machine.is_warning(note)]
    notes += filter(None, [machine.warning(state)])
    return {
        **later,
        "seconds": earlier["seconds"] + later["seconds"],
        "rounds": earlier["rounds"] + later["rounds"],
        "state": state,
        "notes": list(dict.fromkeys(notes)),
        "measurements": measurements,
    }


def has_sides(measurement):
    """Whether it compares a program with and without the preload."""
    return tuple(measurement["sides"]) == SIDES


def summary(measurement, without=SIDES[0], with_=SIDES[1]):
    return stats.compare([(pair[without], pair[with_]) for pair in measurement["pairs"]])


def medians(measurement):
    return {
        side: stats.median([pair[side] for pair in measurement["pairs"]])
        for side in measurement["sides"]
    }


def find(results, name):
    """The measurement of that name, or None if the run left it out."""
    for measurement in results["measurements"]:
        if measurement["name"] == name:
            return measurement
    return None
