# SPDX-License-Identifier: Apache-2.0
"""Control groups with a limit on memory, of version 2 or 1, whichever the machine has."""

import os

from . import process

ROOT = "/sys/fs/cgroup"


def own_group(line):
    """The path of this process's group in one hierarchy, from a line of /proc/self/cgroup."""
    return line.rstrip("\n").split(":", 2)[2].lstrip("/")


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


class MemoryLimit:
    """A group whose processes have so many bytes. `enter` is a setup of process.Child."""

    def __init__(self, name, size):
        with open("/proc/self/cgroup", encoding="utf-8") as file:
            lines = file.readlines()
        first = [line for line in lines if "memory" in line.split(":")[1].split(",")]
        self.one = bool(first)
        base = os.path.join(ROOT, "memory", own_group(first[0])) if first else ROOT
        if not os.path.isdir(base): # a container sees its own group as the root
            base = os.path.join(ROOT, "memory")
        self.path = os.path.join(base, f"{name}-{os.getpid()}")
        if not self.one:
            write(os.path.join(ROOT, "cgroup.subtree_control"), "+memory")
        os.mkdir(self.path)
        write(self.file("memory.limit_in_bytes" if self.one else "memory.max"), str(size))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # A process that was killed stays in the group until somebody waits for it.
        process.end_descendants()
        os.rmdir(self.path)

    def file(self, name):
        return os.path.join(self.path, name)

    def enter(self):
        write(self.file("cgroup.procs"), str(os.getpid()))

    def kills(self):
        """How many processes the kernel has killed for the limit."""
        name = "memory.oom_control" if self.one else "memory.events"
        with open(self.file(name), encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("oom_kill "))


def systemd_group():
    """The directory of this process's group in the hierarchy from which units are known."""
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        lines = file.readlines()
    named = [line for line in lines if line.split(":")[1] == "name=systemd"]
    line = (named or [line for line in lines if line.startswith("0::")])[0]
    base = os.path.join(ROOT, "systemd") if named else ROOT
    path = os.path.join(base, own_group(line))
    return path if os.path.isdir(path) else base


class Unit:
    """A group that is called like a unit of systemd. `enter` is a setup of process.Child."""

    def __init__(self, name, above=None):
        self.path = os.path.join(above or systemd_group(), name)
        self.groups = [self]
        os.mkdir(self.path)

    def below(self, name):
        group = Unit(name, self.path)
        group.groups = self.groups
        self.groups.append(group)
        return group

    def __enter__(self):
        return self

    def __exit__(self, *_):
        process.end_descendants()
        for group in reversed(self.groups):
            os.rmdir(group.path)

    def enter(self):
        write(os.path.join(self.path, "cgroup.procs"), str(os.getpid()))
