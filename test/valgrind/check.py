#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a program under memcheck and compares what memcheck finds with what it should find.

usage: check.py VALGRIND EXPECTED PROGRAM [ARGUMENT...]

EXPECTED is "none", or a regular expression that must match one of the errors found: a
line "KIND: WHAT; AUXILIARY" of memcheck's report, as in
"InvalidWrite: ...; Address 0x... is 0 bytes after a block of size 100 alloc'd".
"""

import re
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

FOUND = 99


def errors_of(report):
    for error in xml.etree.ElementTree.parse(report).getroot().iter("error"):
        what = error.findtext("what") or error.findtext("xwhat/text")
        auxiliary = error.findtext("auxwhat") or error.findtext("xauxwhat/text") or ""
        line = f"{error.findtext('kind')}: {what}; {auxiliary}"
        yield re.sub(r"(?<=\d),(?=\d{3})", "", line)


def main():
    valgrind, expected, *command = sys.argv[1:]
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        done = subprocess.run(
            [valgrind, "--tool=memcheck", "--leak-check=full", "--child-silent-after-fork=yes",
             "--errors-for-leak-kinds=definite,indirect,possible", f"--error-exitcode={FOUND}",
             "--xml=yes", f"--xml-file={report.name}", *command],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, check=False)
        print(done.stdout + done.stderr)
        errors = list(errors_of(report.name))
    print("\n".join(errors))
    if expected == "none":
        return 0 if done.returncode == 0 and not errors else "errors where none should be"
    # What runs into a guard page ends the program as well, after memcheck said why.
    if done.returncode not in (FOUND, -signal.SIGSEGV):
        return f"exit status {done.returncode}: memcheck missed it"
    if not any(re.search(expected, error) for error in errors):
        return f"no error matches {expected!r}"
    return 0


if __name__ == "__main__":
    sys.exit(main())
