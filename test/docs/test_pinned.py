# SPDX-License-Identifier: Apache-2.0
"""docs/pinned.md: its paths are those that were tried, with their answers, and its tests are there."""

import re
import sys

import pages
from harness import pinned, report

PAGE = "docs/pinned.md"


def rows(title):
    """The cells of the table below a heading."""
    text = pages.page(PAGE)
    text = re.split(r"^## ", text[text.index(f"\n## {title}\n") + 4:], flags=re.M)[0]
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")][1:]


def scenario_paths(_env, rep):
    """What test/system/harness/pinned.py expects of each path is what the page says."""
    said = {cells[0].strip("`"): cells[2].split(":")[0] for cells in rows("The paths")}
    rep.equal(said, {name: "works" if answer == "0" else answer for name, answer in pinned.ANSWERS.items()},
              "each path has its row")


def scenarios():
    """Names of tests, by what their files define."""
    return {f"{kind}.{file.rsplit('test_', 1)[1][:-3]}.{name}" for kind in ("system", "docs")
            for file, text in pages.sources(f"test/{kind}/test_*.py").items()
            for name in re.findall(r"^def scenario_(\w+)\(", text, re.M)}


def scenario_tests(_env, rep):
    """Each row about a buffer names tests that are there: system.MODULE, or system.MODULE.NAME and
    more names of that module."""
    known = scenarios()
    modules = {name.rsplit(".", 1)[0] for name in known}
    for cells in rows("Buffers"):
        module, wrong = None, []
        names = re.findall(r"(?:system|docs)[.]\w+(?:[.]\w+)?|(?<= )[.]\w+", cells[-1])
        for name in names:
            module = name.rsplit(".", 1)[0] if re.match(r"\w+\.\w+\.", name) else module
            full = module + name if name.startswith(".") else name
            wrong += [full] if full not in known | modules else []
        rep.equal((len(cells), bool(names), wrong), (5, True, []), cells[0])


def scenario_limits(_env, rep):
    """docs/operations/limits.md, which is shorter, says the same."""
    text = pages.page(pages.OPERATIONS)
    for start in "O_DIRECT", "process-shared":
        found = [line for line in text.splitlines() if line.startswith(f"| {start}")]
        rep.ok(len(found) == 1 and "EFAULT" in found[0], start, found)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
