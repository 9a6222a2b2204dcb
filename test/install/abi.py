#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the ABI of the library with that of the last release, as packaging/abi has it.

usage: abi.py ABIDIFF BASELINE LIBRARY
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

USAGE_ERROR = 1 | 2  # bits of abidiff's status; 4: changed, 8: and incompatible


def compared(abidiff, old, new):
    """What abidiff says, but for additions: its status, and the text."""
    done = subprocess.run([abidiff, "--no-added-syms", old, new], text=True, capture_output=True, check=False)
    if done.returncode & USAGE_ERROR:
        sys.exit(f"{abidiff} {old} {new}: {done.stdout}{done.stderr}")
    return done.returncode, done.stdout


def controls(baseline):
    """Baselines from which the library differs, by what it would have changed."""
    text = Path(baseline).read_text(encoding="utf-8")
    symbol = re.search(r" *<elf-symbol name='secretmem_usable_size'.*\n", text)[0]
    yield "a function that is gone", text.replace(symbol, symbol + symbol.replace("usable_size", "old_size"))
    yield "a symbol of another version", re.sub(r"(name='secretmem_free' version=)'SECRETMEM_0'", r"\1'SECRETMEM_9'", text)
    struct = text.index("<class-decl name='secretmem_stats'")
    yield "a field that has moved", text[:struct] + text[struct:].replace("layout-offset-in-bits='64'",
                                                                          "layout-offset-in-bits='96'", 1)
    function = text.index("<function-decl name='secretmem_malloc'")
    yield "a parameter of another type", text[:function] + re.sub(r"<parameter type-id='[^']*'", "<parameter type-id='type-id-1'",
                                                                  text[function:], count=1)
    yield "a smaller structure", text.replace("name='secretmem_stats' size-in-bits='1024'", "name='secretmem_stats' size-in-bits='1088'")


def main():
    abidiff, baseline, library = sys.argv[1:]
    status, said = compared(abidiff, baseline, library)
    if status:
        sys.exit(f"the ABI is not that of the last release:\n{said}")
    original = Path(baseline).read_text(encoding="utf-8")
    for title, text in controls(baseline):
        if text == original:
            sys.exit(f"control: {title}: the baseline has no such thing")
        with tempfile.NamedTemporaryFile("w", suffix=".abi", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if compared(abidiff, file.name, library)[0] == 0:
                sys.exit(f"control: {title} is not seen")
    print("the ABI is that of the last release; five changes would be seen")


if __name__ == "__main__":
    main()
