# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/testing.md, and what they are made from (results.json)."""

import fcntl
import json
from pathlib import Path

import compare
from probes import PROBES
from table import SUITES

HERE = Path(__file__).resolve().parent
FILE = HERE / "results.json"
PAGE = HERE.parents[1] / "docs/testing.md"
BEGIN = "<!-- suites: written by test/suites/suites.py -->\n"
END = "<!-- end of suites -->\n"


def load():
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def keep(name, found):
    """Writes the row of a suite, and the page."""
    with open(HERE / "suites.py", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        rows = load() | {name: found}
        rows = {suite: rows[suite] for suite in (*SUITES, *PROBES) if suite in rows}
        FILE.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        publish(rows)


def publish(rows):
    text = PAGE.read_text(encoding="utf-8")
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    PAGE.write_text(text[:begin] + rendered(rows) + text[end:], encoding="utf-8")


def _line(name, found):
    without, with_ = (found["tests"][side] for side in compare.SIDES)
    return (f"| {SUITES[name].title} | {found['version']} | {without['passed'] + without['failed']:,} | "
            f"{without['failed']} | {with_['failed']} | {len(found['differ'])} | {found['processes']:,} |\n")


def _names(rows, what):
    """A list of the suites that have such tests, with their names."""
    return "".join(f"- {SUITES[name].title}: {', '.join(_spans(found[what]))}\n" for name, found in rows.items()
                   if found[what]) or "None.\n"


def _spans(names):
    """Names of which the tests of one file stand together: "ssl.t 3, 4"."""
    files = {}
    for name in names:
        file, _, rest = name.partition(" ")
        files.setdefault(file, []).append(rest)
    return [f"`{file}`" + (" " + ", ".join(rest) if rest != [""] else "") for file, rest in files.items()]


def _reason(name, test):
    known = compare.reasons(name)
    return next((reason for pattern, reason in known.items() if not compare.unexplained([test], {pattern: reason})), "")


def _table(head, lines):
    return "".join("| " + " | ".join(line) + " |\n" for line in (head, ["---"] * len(head), *lines)) if lines else "None.\n"


def _of_suites(rows):
    head = ("| suite | version | tests | failed without | failed with | ended otherwise | processes with secret memory |\n"
            "|---|---|--:|--:|--:|--:|--:|\n")
    reasons = [[SUITES[name].title, f"`{test}`", how, _reason(name, test)] for name, found in rows.items()
               for test, how in found["differ"].items()]
    return (head + "".join(_line(name, found) for name, found in rows.items())
            + "\nTests that ended otherwise with the preload:\n\n"
            + _table(["suite", "test", "without → with", "reason"], reasons)
            + "\nTests that fail on both sides:\n\n" + _names(rows, "failed")
            + "\nTests that did not end the same way in each of two runs on a side:\n\n" + _names(rows, "unsteady"))


def _of_probes(rows):
    """How many probes each allocator catches, and those that libsecretmem misses, by reason."""
    allocators = list(dict.fromkeys(allocator for found in rows.values() for allocator in found["missed"]))
    lines = [[PROBES[name].title, found["version"], str(found["probes"]),
              *(str(found["probes"] - len(found["missed"][one])) if one in found["missed"] else "–" for one in allocators)]
             for name, found in rows.items()]
    missed = [[PROBES[name].title, ", ".join(f"`{probe}`" for probe in names), reason] for name, found in rows.items()
              for reason, names in _by_reason(name, found["missed"]["libsecretmem"]).items()]
    return ("Mistakes caught:\n\n" + _table(["suite", "commit", "probes", *allocators], lines)
            + "\nMistakes that libsecretmem does not catch:\n\n" + _table(["suite", "probes", "reason"], missed))


def _by_reason(name, tests):
    found = {}
    for test in tests:
        found.setdefault(_reason(name, test), []).append(test)
    return found


def rendered(rows):
    return (_of_suites({name: found for name, found in rows.items() if name in SUITES}) + "\n"
            + _of_probes({name: found for name, found in rows.items() if name in PROBES}))
