# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/systems.md, and what they are made from (results.json)."""

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILE = HERE / "results.json"
PAGE = HERE.parents[1] / "docs/systems.md"
BEGIN = "<!-- systems: written by test/matrix/matrix.py publish -->\n"
END = "<!-- end of systems -->\n"


def _table(head, lines):
    rule = "|---|" + "--:|" * (len(head) - 1)
    return "\n".join(["| " + " | ".join(head) + " |", rule,
                      *("| " + " | ".join(line) + " |" for line in lines)]) + "\n"


def _said(results, row, program):
    copies = results[row]["copies"].get(program)
    return f"{copies['without']} → {copies['with']}" if copies else "–"


VERSIONS = (("OpenSSL", "openssl"), ("gcc", "compiler"), ("CMake", "cmake"), ("C library", "libc"))
OF_MACHINES = (("kernel", "kernel"), ("bytes of a page", "page"), *VERSIONS)


def _tables(results, names, versions):
    """What each system is with the numbers of its tests, and the copies of each program there."""
    lines = [[what, *(results[name]["versions"][key] for name in names)] for what, key in versions]
    for status in ("passed", "failed", "skipped"):
        lines.append([f"tests {status}", *(str(results[name]["tests"][status]) for name in names)])
    programs = sorted({program for name in names for program in results[name]["copies"]},
                      key=str.lower)
    copies = [[program, *(_said(results, name, program) for name in names)]
              for program in programs]
    head = ["copies of the key: without → with the preload", *names]
    return _table(["", *names], lines) + ("\n" + _table(head, copies) if copies else "")


def rendered(results):
    """Roots on this machine, and emulated machines, which have a kernel of their own."""
    machines = [name for name in results if "kernel" in results[name]["versions"]]
    roots = [name for name in results if name not in machines]
    return (_tables(results, roots, VERSIONS) + "\nEmulated machines:\n\n"
            + _tables(results, machines, OF_MACHINES))


def publish(directory, rows):
    results = json.loads(FILE.read_text()) if FILE.exists() else {}
    results |= {name: json.loads((directory / f"{name}.json").read_text())
                for name in rows if (directory / f"{name}.json").exists()}
    rows = [name for name, row in rows.items() if row.published]
    missing = [name for name in rows if name not in results]
    if missing:
        sys.exit(f"matrix: no results of {', '.join(missing)}: matrix.py run")
    results = {name: results[name] for name in rows}
    FILE.write_text(json.dumps(results, indent=2) + "\n")
    text = PAGE.read_text()
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    PAGE.write_text(text[:begin] + rendered(results) + text[end:])
    print(f"matrix: {len(results)} systems")
    return 0
