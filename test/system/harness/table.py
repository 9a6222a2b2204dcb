# SPDX-License-Identifier: Apache-2.0
"""The table of real programs: what was measured (programs.json), and README's form of it."""

import fcntl
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
FILE = os.path.join(HERE, "..", "programs.json")
README = os.path.join(HERE, "..", "..", "..", "README.md")
BEGIN = "<!-- programs: written by scripts/programs-table -->\n"
END = "<!-- end of programs -->\n"


def load(name=FILE):
    try:
        with open(name, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


RESULTS = load()


def save(name, rows):
    with open(name, "w", encoding="utf-8") as file:
        json.dump(rows, file, indent=2, sort_keys=True)
        file.write("\n")


def record(name, program, row):
    """Adds a row to a file that other tests write to at the same time."""
    with open(name + ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        rows = load(name)
        rows[program] = row
        save(name, rows)


def rendered(rows=None):
    rows = RESULTS if rows is None else rows
    lines = ["| program | processes | copies without the preload | with it "
             "| key file still in the page cache |", "|---|---|---|---|---|"]
    for name, row in sorted(rows.items(), key=lambda item: item[0].lower()):
        left = f" ({', '.join(row['left'])})" if row["left"] else ""
        lines.append(f"| {name} | {row['processes']} | {row['without']} | {row['with']}{left} "
                     f"| {'yes' if row['cached'] else 'no'} |")
    return "\n".join(lines) + "\n"


def in_readme(text):
    begin, end = text.find(BEGIN), text.find(END)
    return text[begin + len(BEGIN):end] if 0 <= begin < end else ""


def put_into_readme(text, rows):
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    return text[:begin] + rendered(rows) + text[end:]
