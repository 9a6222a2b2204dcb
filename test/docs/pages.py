# SPDX-License-Identifier: Apache-2.0
"""The project's pages, and the harness of the system tests."""

import os
import re
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "test", "system"))


def page(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def anchor(title):
    """What a heading is called in links."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def anchors(name):
    return {anchor(title) for title in re.findall(r"^#+ (.*)$", page(name), re.M)}
