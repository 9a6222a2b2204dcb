# SPDX-License-Identifier: Apache-2.0
"""The texts that the library can print, taken from its source."""

import re

import pages

TOKEN = re.compile(r"""
    (?P<comment> /\*.*?\*/ | //[^\n]* )
  | (?P<directive> ^[ \t]*\#(?:[^\n\\]|\\.|\\\n)* )
  | (?P<string> "(?:[^"\\]|\\.)*" )
  | (?P<char> '(?:[^'\\]|\\.)*' )
  | (?P<word> [A-Za-z_]\w* )
  | (?P<space> \s+ )
  | (?P<other> . )""", re.X | re.S | re.M)
PLACE = re.compile(r"%(?:z[ux]|l[xud]|[sdpux])|\0")

# Texts that secretmem_strerror() returns; secretmem(3) has them.
RETURNED = ("there is no such setting", "the setting does not take this value",
            "too late: memory was allocated already", "unknown error")


def literals(source):
    """String literals, neighbours joined; a macro between two is a zero byte."""
    parts, found, asserted = [], [], False
    for match in TOKEN.finditer(source):
        kind = match.lastgroup
        # What the compiler says is not said by the library.
        asserted = match[0] == "_Static_assert" or asserted and match[0] != ";"
        if kind in ("comment", "space") or asserted:
            continue
        if kind == "string":
            parts.append(match[0][1:-1].replace('\\"', '"').replace("\\n", "\n"))
        elif kind == "word" and parts and match[0].isupper():
            parts.append("\0")
        else:
            if any(part != "\0" for part in parts):
                found.append("".join(parts))
            parts = []
    return found


def sentence(text):
    """Two words or more, and no assembly: text for people."""
    return re.search(r"[a-z]{2,} .*\w|\w.* [a-z]{2,}", text) is not None \
        and not re.search(r"\n|%%|^svc 0$", text)


def printed():
    """(text, file) of everything that may be part of a message."""
    files = pages.sources("src/**/*.[ch]", "preload/**/*.[ch]")
    return [(text, name) for name, source in files.items() for text in literals(source)
            if sentence(text)]


def expression(text):
    """What the text looks like when it is printed: its places hold anything."""
    return re.compile(".+?".join(re.escape(part) for part in PLACE.split(text.strip())))


def documented(text):
    """What stands in backquotes under Messages."""
    return re.findall(r"`([^`\n]+)`", section(text))


def rows(text):
    """The first cells of the tables there: the messages."""
    return [code for row in re.findall(r"^\| (.*) \|$", section(text), re.M)
            for code in re.findall(r"`([^`]+)`", row.split(" | ")[0])]


def section(text):
    begin = text.index("\n## Messages\n")
    return text[begin:text.index("\n## ", begin + 1)]
