# SPDX-License-Identifier: Apache-2.0
"""What the kernel says about a running process: its CPU time and its memory."""

import os
import time
from dataclasses import dataclass

from suite.errors import BenchError

SECRET_NAME = "/secretmem"


def cpu_ns(pid):
    """CPU time that a process has used so far, all threads, in nanoseconds.

    The clock behind clock_getcpuclockid(3): exact, where /proc/PID/stat counts in 10 ms ticks.
    """
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError as error:
        raise BenchError(f"process {pid} is gone: it should have lived to the end") from error


def family_cpu_us(pid):
    """CPU time so far of a process and of those of its descendants that have been waited for."""
    # The name, which may have blanks, is in brackets.
    times = _read(pid, "stat").rsplit(")", 1)[1].split()[11:15]
    return sum(map(int, times)) * 1_000_000 // os.sysconf("SC_CLK_TCK")


def children(pid):
    """Process ids of the direct children."""
    path = f"/proc/{pid}/task/{pid}/children"
    with open(path, encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def _read(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
            return file.read()
    except PermissionError as error:
        raise BenchError(f"/proc/{pid}/{name} may not be read by this user: run as root") from error
    except OSError as error:
        raise BenchError(f"cannot read /proc/{pid}/{name}: {error.strerror}") from error


def has_memory(pid):
    """Whether the process has a program. One that ends loses its memory before it is gone."""
    try:
        return bool(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return False


def maps_file(pid, path):
    """Whether the process has the file mapped."""
    wanted = os.path.realpath(path)
    return any(line.endswith(" " + wanted) for line in _read(pid, "maps").splitlines())


@dataclass(frozen=True)
class Memory:
    """KiB of one process."""

    secret: int  # secret pages that are present: what newer kernels charge
    mapped: int  # length of the secret mappings: what older kernels charge
    private: int  # all pages that are this process's alone, secret ones included

    def as_dict(self):
        return {
            "secret_kib": self.secret,
            "mapped_kib": self.mapped,
            "private_kib": self.private,
        }


def memory(pid):
    """Memory of a process, from its smaps.

    Secret pages are ordinary page-cache pages to the page-table walk behind smaps, so Rss counts
    those that are present; they are file pages with a single mapper, so Private_Dirty has them too.
    """
    secret = mapped = private = 0
    in_secret = False
    for line in _read(pid, "smaps").splitlines():
        words = line.split()
        if not words[0].endswith(":"):
            in_secret = len(words) > 5 and words[5].startswith(SECRET_NAME)
        elif words[0] == "Private_Dirty:":
            private += int(words[1])
        elif in_secret and words[0] == "Rss:":
            secret += int(words[1])
        elif in_secret and words[0] == "Size:":
            mapped += int(words[1])
    return Memory(secret, mapped, private)
