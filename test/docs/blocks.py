# SPDX-License-Identifier: Apache-2.0
"""The fenced blocks of a Markdown page, and the commands and files that they are.

`<!-- run: NAME -->` begins a scenario: its blocks are run in order, in one scratch machine.
A `console` block has commands after `# `, continued after `> `, and lines of output below. `…`
stands for anything within a line, `...` alone for any lines. Every other block is a file whose
first line says where it lies: a comment `# PATH`, `# PATH, at the top` or `# PATH, at the end`;
where there are no comments, `<!-- file: PATH -->` stands before the block."""

import re
import shutil

# Blocks that are no files: nobody writes them anywhere.
SHOWN = re.compile(r"^<!-- shown: (.+) -->$")
RUN = re.compile(r"^<!-- run: ([a-z]+) -->$")
FILE = re.compile(r"^<!-- file: (/\S+) -->$")
PATH = re.compile(r"^# (/[^\s,]+)(?:, at the (top|end))?$")


class Block:
    def __init__(self, line, language, lines, scenario, marker):
        self.line, self.language, self.lines = line, language, lines
        self.scenario = scenario
        self.marker = marker
        self.shown = bool(marker and SHOWN.match(marker))
        self.file = self.where = None
        if language != "console" and not self.shown:
            match = FILE.match(marker or "") or (lines and PATH.match(lines[0]))
            if match:
                self.file = match[1]
                self.where = (match.re is PATH and match[2]) or "whole"

    @property
    def text(self):
        return "\n".join(self.lines) + "\n"

    def commands(self):
        """(command, lines of output, or None where none are shown)."""
        found = []
        for line in self.lines:
            if line.startswith("# "):
                found.append([line[2:], []])
            elif line.startswith("> ") and found:
                found[-1][0] += "\n" + line[2:]
            elif found:
                found[-1][1].append(line)
            else:
                raise ValueError(f"line {self.line}: output before a command: {line}")
        return found


def fenced(text):
    """All fenced blocks of a page."""
    found, scenario, marker, inside = [], None, None, None
    for number, line in enumerate(text.splitlines(), 1):
        if inside:
            if line == "```":
                found.append(Block(*inside, scenario, marker))
                inside = marker = None
            else:
                inside[2].append(line)
        elif line.startswith("```"):
            inside = (number, line[3:].strip(), [])
        elif RUN.match(line):
            scenario = RUN.match(line)[1]
        elif line.strip():
            marker = line
    return found


def inline_commands(text):
    """`code` in running text that is a command with arguments."""
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M)
    found = []
    for code in re.findall(r"`([^`\n]+)`", outside):
        words = code.split()
        if len(words) > 1 and re.fullmatch(r"[a-z][a-z0-9_.-]*", words[0]) \
                and (shutil.which(words[0]) or words[0] == "secretssl"):
            found.append(code)
    return found


def expression(line):
    return ".*".join(re.escape(part) for part in line.split("…"))


def matches(shown, output):
    """Whether a command's output is what the page shows of it."""
    pattern = ""
    for line in shown:
        pattern += r"(?:.*\n)*?" if line == "..." else expression(line) + r" *\n"
    return re.fullmatch(pattern, output if output.endswith("\n") else output + "\n") is not None
