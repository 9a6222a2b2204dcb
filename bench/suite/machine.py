# SPDX-License-Identifier: Apache-2.0
"""The machine a run was made on, and how busy it was."""

import os
import platform
import resource
import subprocess
import time

# Above these, other work shares the CPUs and a warning is due.
MAX_BUSY = 0.05
MAX_LOAD = 0.5
BUSY = "the machine was busy before the run"


def _first(path, prefix):
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.startswith(prefix):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return None


def _output(*command, stream="stdout"):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return getattr(done, stream).strip().split("\n")[0] or None


def _limit(value):
    return "unlimited" if value == resource.RLIM_INFINITY else f"{value // 1024} KiB"


def raise_memlock():
    """Lets the programs under test lock as much as this process may grant, and says how much."""
    _, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    for wanted in (resource.RLIM_INFINITY, hard):
        try:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (wanted, wanted))
            break
        except (OSError, ValueError):
            continue
    return _limit(resource.getrlimit(resource.RLIMIT_MEMLOCK)[0])


def describe(nginx):
    """What a reader needs to know to judge the figures."""
    flags = _first("/proc/cpuinfo", "flags") or ""
    memory = (_first("/proc/meminfo", "MemTotal") or "0 kB").split()[0]
    return {
        "cpu": _first("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": os.cpu_count(),
        "virtual": "hypervisor" in flags.split(),
        "memory_gib": round(int(memory) / 2**20, 1),
        "architecture": platform.machine(),
        "kernel": f"{platform.system()} {platform.release()}",
        "libc": os.confstr("CS_GNU_LIBC_VERSION"),
        "openssl": _output("openssl", "version"),
        "nginx": _output(nginx, "-v", stream="stderr"),
        "memlock": _limit(resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]),
        "root": os.geteuid() == 0,
    }


def cpu_times():
    """(busy, stolen, total) ticks of all CPUs since boot."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    idle = ticks[3] + ticks[4]
    return sum(ticks) - idle, ticks[7], sum(ticks)


def share(before, after, which):
    """Share of all CPU time between two cpu_times(): which is 0 for busy, 1 for stolen."""
    return (after[which] - before[which]) / max(1, after[2] - before[2])


def look(seconds=1.0):
    """How busy the machine is before a run: load average, and busy share over a moment."""
    before = cpu_times()
    time.sleep(seconds)
    return {
        "load": round(os.getloadavg()[0], 2),
        "busy": round(share(before, cpu_times(), 0), 3),
    }


def is_warning(note):
    return note.startswith(BUSY)


def warning(state):
    """One line if the machine is too busy for good figures, else None."""
    if state["load"] <= MAX_LOAD and state["busy"] <= MAX_BUSY:
        return None
    return (
        f"{BUSY} (load average {state['load']:.2f}, CPUs "
        f"{state['busy']:.0%} busy): figures are noisy; quiet is a load of at most {MAX_LOAD} "
        f"and {MAX_BUSY:.0%} busy"
    )
