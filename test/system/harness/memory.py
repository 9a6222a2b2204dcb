# SPDX-License-Identifier: Apache-2.0
"""What an observer with root's rights sees of a process's memory."""

import ctypes
import os
import re
import sys

from . import process

MEMFD_SECRET = 447
SECRETMEM_UNCACHED = 2
LINE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+\s*(.*)")


class Mapping:
    def __init__(self, match):
        self.start, self.end = int(match[1], 16), int(match[2], 16)
        self.rights, self.name = match[3], match[4]

    @property
    def secret(self):
        return self.name.startswith("/secretmem")


def mappings(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
        return [Mapping(match) for match in map(LINE.match, file) if match]


def secret_bytes(pid):
    return sum(mapping.end - mapping.start for mapping in mappings(pid) if mapping.secret)


def has_file(pid, part):
    return any(part in mapping.name for mapping in mappings(pid))


def find(pid, patterns, limit=64):
    """Addresses at which any of the byte strings can be read from outside, by /proc/PID/mem."""
    expression = re.compile(b"|".join(re.escape(pattern) for pattern in patterns), re.S)
    overlap = max(map(len, patterns)) - 1
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for mapping in mappings(pid):
            if "r" not in mapping.rights or mapping.name in ("[vvar]", "[vsyscall]"):
                continue
            tail, position = b"", mapping.start
            while position < mapping.end and len(found) < limit:
                try:
                    memory.seek(position)
                    block = memory.read(min(1 << 22, mapping.end - position))
                except (OSError, OverflowError):
                    block = b""
                if not block:
                    # A page that cannot be read: go on behind it.
                    position, tail = (position | 4095) + 1, b""
                    if mapping.secret:
                        break
                    continue
                base = position - len(tail)
                found += [(base + match.start(), mapping.name or "anonymous")
                          for match in expression.finditer(tail + block)]
                position += len(block)
                tail = (tail + block)[-overlap:]
    return found


def find_in_file(name, patterns):
    """How many of the byte strings a file (a core dump) holds."""
    with open(name, "rb") as file:
        content = file.read()
    return sum(pattern in content for pattern in patterns)


def scan(env, keys, *pids):
    """`secretssl scan`: 0 no copy, 1 copies, 2 could not look; with what it printed."""
    options = [part for key in keys for part in ("--key", key)]
    return process.run(env, [env.tool, "scan", *options, *map(str, pids)], env.plain(), seconds=120)


def check_scan(env, report, keys, pids, protected, title):
    """The scan of a protected process finds nothing; that of the control does."""
    for pid in pids:
        result = scan(env, keys, pid)
        if protected:
            report.ok(result.status == 0, f"{title}: no copy of the key", result)
        else:
            report.ok(result.status == 1, f"{title}: the control shows copies", result)


def takes_uncached():
    """Whether this kernel gives memory that no CPU caches (the kernel patches)."""
    descriptor = ctypes.CDLL(None, use_errno=True).syscall(MEMFD_SECRET, SECRETMEM_UNCACHED)
    if descriptor >= 0:
        os.close(descriptor)
    return descriptor >= 0


def is_protected(pid):
    return os.path.exists(f"/proc/{pid}/maps") and secret_bytes(pid) > 0


def pattern(seed, size):
    """The bytes that fill() of the C helpers puts into a block."""
    mask, made = (1 << 64) - 1, b""
    for index in range((size + 7) // 8):
        word = (seed + index * 0x9E3779B97F4A7C15) & mask
        word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & mask
        made += (word ^ (word >> 27) ^ 0x5EC2E7).to_bytes(8, sys.byteorder)
    return made[:size]
