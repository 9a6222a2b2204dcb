# SPDX-License-Identifier: Apache-2.0
"""What a suite has left in a directory, as how each test ended: {name: "passed", "failed" or "skipped"}.

A name is made of what is the same in each run: a file and a number, not a description, which may contain ports.
"""

import re
import xml.etree.ElementTree

LINE = re.compile(r"(not )?ok\b\s*(\d+)?(?:[^#\\]|\\.)*(?:#\s*(skip|todo)\b)?", re.IGNORECASE)
PLAN = re.compile(r"1\.\.(\d+)")
ENDED = re.compile(r"^(\S+)\s+\(Wstat: (\d+)", re.MULTILINE)


def _tap_file(name, text):
    """Of a test file: its tests, and the file itself, if it was skipped or ended early."""
    found, planned = {}, None
    for line in text.splitlines():
        if plan := PLAN.match(line):
            planned = int(plan[1])
        elif test := LINE.match(line):
            how = "skipped" if test[3] else "failed" if test[1] else "passed"
            found[f"{name} {test[2] or len(found) + 1}"] = how
    if planned == 0:
        return {name: "skipped"}
    if planned is None or planned > len(found):
        found[f"{name} ended early"] = "failed"
    return found


def tap(out):
    """From the spool of TAP::Harness (PERL_TEST_HARNESS_DUMP_TAP), and the summary that it prints."""
    spool, found = out / "tap", {}
    for path in sorted(path for path in spool.rglob("*") if path.is_file()):
        name = re.sub(r"^.*\btest/recipes/", "", str(path.relative_to(spool)))
        found |= _tap_file(name, path.read_text(encoding="utf-8", errors="replace"))
    for name, status in ENDED.findall((out / "output").read_text(encoding="utf-8", errors="replace")):
        failed = any(test.startswith(f"{name} ") and how == "failed" for test, how in found.items())
        if int(status) and not failed:
            found[f"{name} status"] = "failed"
    return found


def junit(out):
    """From regrtest --junit-xml. A module that could not be loaded is a test of its own there."""
    found = {}
    for case in xml.etree.ElementTree.parse(out / "junit.xml").getroot().iter("testcase"):
        bad = case.find("failure") is not None or case.find("error") is not None
        skipped = case.get("result") == "skipped" or case.find("skipped") is not None
        found[case.get("name")] = "failed" if bad else "skipped" if skipped else "passed"
    return found


def curl(out):
    """From runtests.pl -a."""
    text = (out / "output").read_text(encoding="utf-8", errors="replace")
    failed = re.search(r"TESTFAIL: These test cases failed: ([\d ]+)", text)
    bad = set(map(int, failed[1].split())) if failed else set()
    ran = {int(number) for number in re.findall(r"^test (\d{4})\.\.\.\[", text, re.MULTILINE)}
    return {f"test {number}": "failed" if number in bad else "passed" for number in ran | bad}


FORMATS = {"tap": tap, "junit": junit, "curl": curl}
