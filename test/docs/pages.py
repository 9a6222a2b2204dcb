# SPDX-License-Identifier: Apache-2.0
"""The project's pages, and the harness of the system tests."""

import glob
import os
import re
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "test", "system"))


OPERATIONS = "docs/operations"
# In the order in which their commands are run
PARTS = ("README", "machine", "enable", "ansible", "nginx", "apache", "haproxy", "postgresql", "containers", "ld-so-preload", "at-secure",
         "key-at-rest", "sizing", "monitoring", "messages", "limits", "removal")


def below(text):
    """A page with its headings one level lower: not what looks like one in a block."""
    parts = re.split(r"^(```.*?^```)$", text, flags=re.M | re.S)
    return "".join(part if part.startswith("```") else re.sub(r"^#", "##", part, flags=re.M)
                   for part in parts)


def page(name):
    """A page of the project, or all of those about operations as one."""
    if name == OPERATIONS:
        return "\n".join(below(page(f"{OPERATIONS}/{part}.md")) for part in PARTS)
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def sources(*patterns):
    """The text of each file of the project that fits one of them ("src/**/*.c"), by its name."""
    names = sorted({name for pattern in patterns
                    for name in glob.glob(pattern, root_dir=ROOT, recursive=True)})
    return {name: page(name) for name in names}


def anchor(title):
    """What a heading is called in links."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def anchors(name):
    return {anchor(title) for title in re.findall(r"^#+ (.*)$", page(name), re.M)}
