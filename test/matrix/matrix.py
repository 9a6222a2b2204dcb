#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Builds and tests the project on other systems, each in a root of its own.

usage: matrix.py run ROW      makes the root if it is missing, builds and tests there; keeps the
                              results in build/matrix
       matrix.py publish      writes them into docs/systems.md and test/matrix/results.json
       matrix.py rows         prints the names of the rows that are published

Needs root, and the network for packages. One line for each test, and a closing count.
"""

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree

import disks
import machine
import page
import roots
from rows import BUILDERS, ROWS

TOP = roots.TOP
RESULTS = TOP / "build/matrix"
INSIDE = "/srv/libsecretssl/test/matrix/inside.sh"
sys.path.insert(0, str(TOP / "test/system"))
from harness import table  # noqa: E402 (found beside the system tests)


def tests_of(path):
    """Names of tests by how they ended."""
    found = {"passed": [], "failed": [], "skipped": []}
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        status = {"run": "passed", "fail": "failed"}.get(case.get("status"), "skipped")
        found[status].append(case.get("name"))
    return found


def versions_of(file):
    return dict(line.split(" ", 1) for line in file.read_text().splitlines())


def summary(out):
    """The results of a run, from what inside.sh has left."""
    versions = versions_of(out / "versions")
    copies, packages = out / "copies.json", out / "packages"
    rows = json.loads(copies.read_text()) if copies.exists() else {}
    tests = tests_of(out / "tests.xml")
    for line in packages.read_text().splitlines() if packages.exists() else ():
        status, name = line.split()
        tests[status].append(f"package.{name}")
    return {
        "versions": versions,
        "tests": {status: len(names) for status, names in tests.items()},
        "failed": sorted(tests["failed"]),
        "copies": {name: {side: row[side] for side in ("without", "with")}
                   for name, row in sorted(rows.items())},
    }, tests


class Place:
    """A row's root with a directory above it that has the project, and whatever is written."""

    def __init__(self, name, lower):
        self.lower, self.above = lower, roots.Above(roots.cache() / f"{name}.run")
        self.out = self.above.srv / "out"
        roots.copy_project(self.above.srv / "libsecretssl")
        self.out.mkdir()

    def run(self, *words):
        self.above.run(self.lower, INSIDE, *words)

    def remove(self):
        self.above.remove()


def packages(place, row):
    """The packages are made in one row, and installed in others too."""
    debs, source = RESULTS / "debs", roots.source_hash()
    if row.packs:
        place.run("pack", "/srv/out")
        shutil.rmtree(debs, ignore_errors=True)
        shutil.copytree(place.out / "debs", debs, ignore=lambda _, names: {"_CPack_Packages"} & set(names))
        (debs / "source").write_text(source)
    elif row.installs:
        if not (debs / "source").exists() or (debs / "source").read_text() != source:
            raise roots.Failure("there are no packages of these sources to install: "
                                "matrix.py run bookworm makes them")
        shutil.copytree(debs, place.out / "debs")
    if row.packs or row.installs:
        place.run("installed", "/srv/out")


def say(name, found, tests):
    for status, word in (("passed", "ok"), ("skipped", "skipped"), ("failed", "not ok")):
        for test in sorted(tests[status]):
            print(f"{word} - {name} {test}")
    for program, row in found["copies"].items():
        print(f"# {name}: {program}: {row['without']} copies without the preload, {row['with']} with it")
    print(f"# {name}: " + ", ".join(f"{what} {version}" for what, version in found["versions"].items()))
    print(", ".join(f"{len(tests[status])} {status}" for status in ("passed", "failed", "skipped")))


def left(found):
    """Programs in which more copies are left than the register has, which is of bookworm."""
    return [program for program, row in found["copies"].items()
            if row["with"] > table.RESULTS.get(program, {"with": 0})["with"]]


def test_in_root(row, place):
    place.run("test", "/srv/out", row.expression, row.exclusion, *row.variables, *row.settings)
    packages(place, row)


def test_on_machine(row, place):
    """The place lies above the root in which it is built."""
    place.run("cross", "/srv/out", row.machine.triplet)
    builder = BUILDERS[row.base]
    files = disks.made(row.machine, BUILDERS[builder.base] if builder.base else builder)
    status = machine.boot(row.machine, files, place, f"{INSIDE} built /srv/out '{row.expression}'")
    if status != 0:
        raise roots.Failure(f"inside.sh ended with exit status {status} in the emulated machine")


def test(name, row, place):
    """Runs all of a row in its place, and keeps what it said, however it ends."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    try:
        (test_on_machine if row.machine else test_in_root)(row, place)
        return summary(place.out)
    finally:
        for file in (*place.out.glob("*.log"), *place.out.glob("versions")):
            shutil.copy(file, RESULTS / f"{name}-{file.name}")
        place.remove()


def run(name):
    row = ROWS[name]
    with roots.made(name, ROWS | BUILDERS) as lower:
        found, tests = test(name, row, Place(name, lower))
    (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")
    tests["failed"] += [f"copies of the key in {program}" for program in left(found)]
    say(name, found, tests)
    if tests["failed"]:
        print(f"matrix: the output of the tests is in {RESULTS / name}-*.log", file=sys.stderr)
    return bool(tests["failed"] or tests["skipped"])


def main(words):
    if words == ["rows"]:
        print("\n".join(name for name, row in ROWS.items() if row.published))
        return 0
    if words == ["publish"]:
        return page.publish(RESULTS, ROWS)
    if len(words) == 2 and words[0] == "run" and words[1] in ROWS:
        try:
            return run(words[1])
        except (roots.Failure, OSError, subprocess.SubprocessError) as error:
            sys.exit(f"matrix: {error}")
    if len(words) == 2 and words[0] == "run":
        sys.exit(f"matrix: unknown row '{words[1]}': accepted are {', '.join(ROWS)}")
    sys.exit(__doc__.split("\n\n")[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
