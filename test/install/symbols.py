#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the symbols of a library with what users may rely on.

usage: symbols.py dynamic LIBRARY LIST     exactly those of the list are exported
       symbols.py static LIBRARY LIST      all global ones are in the list or begin with sm_
"""

import subprocess
import sys
from pathlib import Path


# Hidden, and of each object with probes (sys/sdt.h); the linker keeps one.
HIDDEN = {"_.stapsdt.base"}


def symbols_of(library, *options):
    done = subprocess.run(["nm", "--defined-only", "--extern-only", *options, library], text=True,
                          stdout=subprocess.PIPE, check=True)
    for line in done.stdout.splitlines():
        word = line.split()
        if len(word) == 3 and word[1] != "A":
            yield word[2].split("@")[0]


def main():
    kind, library, listed = sys.argv[1:]
    wanted = set(Path(listed).read_text(encoding="ascii").split())
    if kind == "dynamic":
        found = set(symbols_of(library, "--dynamic"))
    else:
        found = {name for name in symbols_of(library) if not name.startswith("sm_")} - HIDDEN
    for name in sorted(found - wanted):
        print(f"{library} exports {name}, which is not in {listed}")
    for name in sorted(wanted - found):
        print(f"{library} does not export {name}, which is in {listed}")
    return found != wanted


if __name__ == "__main__":
    sys.exit(main())
