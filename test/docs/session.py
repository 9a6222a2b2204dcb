#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Records the terminal session that README shows: nginx in a scratch machine, unprotected, then protected.

usage: session.py BUILD OUTPUT

BUILD has what the test docs.stage makes. OUTPUT.cast is what asciinema plays. If termtosvg (the Debian package) is
there, OUTPUT.svg is made from it. Every line is what the commands print; only the pauses are shortened."""

import json
import os
import shutil
import subprocess
import sys

import machine
from harness import environment, process
from harness.terminal import on_terminal
from services import NGINX

COLUMNS, ROWS = 100, 24
TYPING, READING = 0.03, 2.0  # seconds: for a letter, and behind the output of a command
PROMPT = "\033[1m#\033[0m "
COMMANDS = (
    "secretssl stat nginx",
    "secretssl scan --key /etc/ssl/private/example.key nginx | grep copies",
    "secretssl enable --now --key /etc/ssl/private/example.key nginx",
    "secretssl stat nginx",
    "secretssl scan --key /etc/ssl/private/example.key nginx | grep copies",
)


class Cast:
    """A recording in the format of asciinema, version 2."""

    def __init__(self):
        self.seconds, self.events = 0.0, []

    def add(self, text, seconds):
        self.events.append([round(self.seconds, 3), "o", text])
        self.seconds += seconds

    def write(self, path):
        header = {"version": 2, "width": COLUMNS, "height": ROWS, "title": "libsecretssl protects nginx",
                  "env": {"TERM": "xterm-256color"}}
        with open(path, "w", encoding="utf-8") as file:
            for line in header, *self.events:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")


def record(scratch, environ):
    cast = Cast()
    for command in COMMANDS:
        cast.add(PROMPT, 0.5)
        for letter in command:
            cast.add(letter, TYPING)
        cast.add("\r\n", 0.3)
        output = on_terminal(scratch.enter(["bash", "-c", command]), environ, COLUMNS, ROWS)
        cast.add(output, READING)
    cast.add(PROMPT, 0)
    return cast


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    build, output = sys.argv[1:]
    process.adopt_orphans()
    with environment.Environment(build, os.path.join(build, "test", "system", "helpers")) as env:
        with machine.Machine(env, os.path.join(env.build, "docs-staged")) as scratch:
            done = scratch.run(NGINX + "systemctl restart nginx\n")
            if done.status != 0:
                sys.exit(f"session: {done}")
            cast = record(scratch, env.plain(HOME="/root", TERM="xterm-256color"))
    cast.write(output + ".cast")
    if shutil.which("termtosvg"):
        subprocess.run(["termtosvg", "render", output + ".cast", output + ".svg", "--template", "window_frame"], check=True)
    else:
        print("session: there is no termtosvg, so that no SVG is made", file=sys.stderr)


if __name__ == "__main__":
    main()
