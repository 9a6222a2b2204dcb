# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/systems.md are what test/matrix measured, on every system, and nothing failed there."""

import json
import os
import sys

import pages
from harness import report

sys.path.insert(0, os.path.join(pages.ROOT, "test", "matrix"))
import page  # noqa: E402
from rows import ROWS  # noqa: E402


def scenario_current(_env, rep):
    results = json.loads(page.FILE.read_text(encoding="utf-8"))
    text = page.PAGE.read_text(encoding="utf-8")
    rep.equal(list(results), [name for name, row in ROWS.items() if row.published], "every system was measured")
    rep.equal(text[text.index(page.BEGIN) + len(page.BEGIN):text.index(page.END)],
              page.rendered(results), "the tables are current; else run test/matrix/matrix.py publish")
    for name, found in results.items():
        rep.equal(found["failed"], [], f"{name}: no test failed")
        rep.equal(found["tests"]["skipped"], 0, f"{name}: no test was skipped")
        left = {program: row["with"] for program, row in found["copies"].items() if row["with"]}
        rep.ok(set(left) <= {"node, https"}, f"{name}: copies are left in node only", left)
        rep.ok(all(row["without"] for row in found["copies"].values()),
               f"{name}: the control shows copies of each program")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
