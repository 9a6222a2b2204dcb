# SPDX-License-Identifier: Apache-2.0
"""The results file: only raw numbers, from which every table is computed."""

import json

from suite import stats
from suite.errors import BenchError

SCHEMA = 1


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


def summary(measurement):
    return stats.compare([(pair["without"], pair["with"]) for pair in measurement["pairs"]])


def find(results, name):
    """The measurement of that name, or None if the run left it out."""
    for measurement in results["measurements"]:
        if measurement["name"] == name:
            return measurement
    return None
