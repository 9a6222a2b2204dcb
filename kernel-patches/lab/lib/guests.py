# SPDX-License-Identifier: GPL-2.0-only
"""What the programs that boot many guests share: results as TAP, a guest, and a pattern to look for."""
import os
import re
import subprocess

LAB = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))


# As little as a guest can have whose kernel has huge pages: below 512 MiB that it can use they are off.
SMALL = "640M"


class Tap:
    def __init__(self):
        self.count = self.failed = 0
        self.results = []
        print("TAP version 13", flush=True)

    def ok(self, held, text):
        self.count += 1
        self.failed += not held
        self.results.append((held, text))
        print(f"{'ok' if held else 'not ok'} {self.count} - {text}", flush=True)

    def note(self, text):
        print(f"# {text}", flush=True)

    def finish(self):
        print(f"1..{self.count}", flush=True)
        return 1 if self.failed else 0


class Lab:
    """One base: boots it, and keeps the figures."""

    def __init__(self, base, programs, quick=False):
        self.base, self.programs, self.quick = base, programs, quick
        self.figures, self.tap = {}, Tap()

    def boot(self, options, *command, timeout=300, console=False):
        """Runs a command in a fresh guest: its exit status and output; or also the end of the
        console of a guest that ends without a status, which the lab's messages show."""
        words = [f"{LAB}/run", "--timeout", str(timeout), *options, self.base]
        result = subprocess.run(words + (["--", *command] if command else []),
                                stdout=subprocess.PIPE, text=True, check=False, errors="replace",
                                stderr=subprocess.STDOUT if console else None)
        return result.returncode, result.stdout

    def console(self, options, *command, timeout=300):
        """The whole console of a guest that ends without a status, or what the lab says instead."""
        status, output = self.boot(options, *command, timeout=timeout, console=True)
        log = re.search(r"^lab: .*; its console: (\S+)$", output, re.MULTILINE)
        if not log:
            return f"status {status}: {output}"
        with open(log[1], encoding="utf-8", errors="replace") as file:
            return file.read()

    def program(self, name):
        return os.path.join(self.programs, name)


def compile_programs(directory, *sources):
    """Compiles C sources to programs of their names."""
    for source in sources:
        name = os.path.splitext(os.path.basename(source))[0]
        subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror",
                        "-o", f"{directory}/{name}", source], check=True)


def snapshot(lab, options, when):
    """What becomes of a hibernation image: see measure/snapshot.c, which powers the guest off."""
    status, output = lab.boot(["--memory", SMALL, *options], lab.program("snapshot"), when,
                              console=True)
    line = re.search(r"^(?:lab: \| )?(image|open|freeze) (-?\d+) (-?\d+) (-?\d+)\r?$", output,
                     re.MULTILINE)
    if not line or status not in (0, 125):
        lab.tap.note(f"image {when}: status {status}, {output.strip()[-300:]!r}")
        return ("nothing", status, 0, 0)
    return (line[1], *(int(number) for number in line.groups()[1:]))


def pattern(seed, length):
    """As fill() in tests/pattern.h makes it."""
    state, out, mask = seed, bytearray(), (1 << 64) - 1
    for _ in range(length):
        state ^= (state << 13) & mask
        state ^= state >> 7
        state ^= (state << 17) & mask
        out.append(state >> 24 & 255)
    return bytes(out)
