# SPDX-License-Identifier: Apache-2.0
"""The table of sizes in docs/operations/sizing.md is the one that was measured, and still holds."""

import json
import os
import sys

import pages
from harness import process, report

sys.path.insert(0, os.path.join(pages.ROOT, "bench"))
from suite import sizing  # noqa: E402

PAGE = "docs/operations/sizing.md"
# A quick run has fewer connections, and more of a first chunk in each.
LEAST, MOST = 0.6, 1.6


def kept():
    return json.loads(pages.page("bench/results/sizing.json"))


def scenario_published(_env, rep):
    text = pages.page(PAGE)
    rep.equal(sizing.put(text, kept()), text,
              "the table is current; 'bench/sizing --publish' measures and writes it")


def scenario_holds(env, rep):
    """nginx and PostgreSQL once more, quickly: the figures are near those of the table."""
    name = env.path("sizing.json")
    done = process.run(env, [os.path.join(pages.ROOT, "bench", "sizing"), "--quick",
                             "--build-dir", env.build, "--only", "nginx", "--only", "PostgreSQL",
                             "--output", name], env.plain(), seconds=120)
    if not rep.ok(done.status == 0, "bench/sizing --quick", done):
        return
    with open(name, encoding="utf-8") as file:
        again = {line[:2]: line[2:] for line in sizing.figures(json.load(file))}
    published = {line[:2]: line[2:] for line in sizing.figures(kept())}
    rep.ok(("nginx", "worker") in again and ("PostgreSQL", "backend") in again,
           "both were measured")
    for key, parts in again.items():
        for part, then, what in zip(parts, published[key],
                                    ("a process", "a certificate", "a connection")):
            # Of what is touched: mapped comes in chunks, too coarse for few connections.
            if part[0] and then[0]:
                rep.ok(LEAST < part[0] / then[0] < MOST, f"{' '.join(key)}: {what}",
                       f"{part[0]} bytes, the table has {then[0]}")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
