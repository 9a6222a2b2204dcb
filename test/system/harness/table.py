# SPDX-License-Identifier: Apache-2.0
"""The register of real programs: what was measured (programs.json), and its table in
docs/servers.md."""

import fcntl
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
FILE = os.path.join(HERE, "..", "programs.json")
TOP = os.path.normpath(os.path.join(HERE, "..", "..", ".."))
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


def lines_of(head, rows, line):
    """A table: its head, and a line for each row in the order of the names."""
    return "\n".join([head, "|" + "---|" * (head.count("|") - 1),
                      *(line(name, row) for name, row
                        in sorted(rows.items(), key=lambda item: item[0].lower()))]) + "\n"


def full(rows):
    return lines_of(
        "| program | processes | copies without the preload | with it | what is left "
        "| key file still in the page cache |", rows, lambda name, row: (
            f"| {name} | {row['processes']} | {row['without']} | {row['with']} "
            f"| {', '.join(row['left']) or 'nothing'} | {'yes' if row['cached'] else 'no'} |"))


# Which page has which table
PAGES = {os.path.join("docs", "servers.md"): full}


def in_page(text, first=BEGIN, last=END):
    """What stands between the two lines of a page."""
    begin, end = text.find(first), text.find(last)
    return text[begin + len(first):end] if 0 <= begin < end else ""


def put_into_page(text, rendered, first=BEGIN, last=END):
    begin, end = text.index(first) + len(first), text.index(last)
    return text[:begin] + rendered + text[end:]
