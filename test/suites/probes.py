# SPDX-License-Identifier: Apache-2.0
"""Programs with one mistake each, written for allocators: which of them each allocator catches.

hardened_malloc's tests (LIBSECRETSSL_HARDENED_MALLOC names its directory) and mimalloc-bench's security probes
(LIBSECRETSSL_MIMALLOC_BENCH). libsecretmem gets the blocks of a probe through malloc_shim.c. Debian has neither.
"""

import os
import re
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Callable

import place
from place import roots

SHIM = place.LIBRARIES / "libmalloc_shim.so"
QUARANTINE = {"SECRETSSL_QUARANTINE": "16M"}
CAUGHT = (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS, -signal.SIGILL)
# As mimalloc-bench's CMake builds them
FLAGS = ("-O3", "-DNDEBUG", "-w", "-Wno-free-nonheap-object", "-fno-inline", "-fno-builtin-inline",
         "-fno-inline-small-functions", "-fno-ipa-pure-const")
# One of them fills a gigabyte. A probe that takes longer says nothing of the allocator, and fails the run.
SECONDS = 900
SIZES = {"small": "8", "medium": "4096", "large": "256*1024"}
# The first compiler of Debian 12 that knows C23
CLANG = ("CC=clang-19", "CXX=clang++-19")


@dataclass(frozen=True)
class Probes:
    title: str
    given: str
    make: Callable  # builds in a directory, and returns {name: program}
    caught: Callable  # of a name and how the program ended: was the mistake found
    script: str = ""


def _run(program, settings, *words):
    environment = {"PATH": "/usr/bin:/bin", **settings}
    return subprocess.run([str(program), *words], env=environment, check=False, timeout=SECONDS,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _all(function, items):
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, items))


# mimalloc-bench


def make_mimalloc_bench(directory):
    """Each C file in three sizes; what does not compile here is no probe."""
    here = directory / "bench/security"
    jobs = [(f"{file.stem}_{size}", [os.environ.get("CC", "cc"), *FLAGS, f"-DALLOCATION_SIZE={bytes_}", file])
            for file in sorted(here.glob("*.c")) for size, bytes_ in SIZES.items()]
    jobs += [(file.stem, ["c++", "-O3", "-DNDEBUG", "-w", "-std=c++17", "-fsized-deallocation", "-DALLOCATION_SIZE=4096", file])
             for file in sorted(here.glob("*.cc"))]

    def compiled(job):
        name, words = job
        done = subprocess.run([*map(str, words), "-o", str(directory / name)], check=False, stderr=subprocess.DEVNULL)
        return name if done.returncode == 0 else None

    return {name: directory / name for name in _all(compiled, jobs) if name}


def mimalloc_bench_caught(_name, done):
    return b"NOT_CAUGHT" not in done.stdout


# hardened_malloc


def fatal_tests(script):
    """The programs that must be ended by a signal, according to test_smc.py: the others have no mistake."""
    tests = re.findall(r'run_test\(\s*"(\w+)"\)(.*?)(?=def |\Z)', script, re.DOTALL)
    return [name for name, rest in tests if re.search(r"returncode, -\d+", rest)]


def make_hardened_malloc(directory):
    """Those that can be linked without hardened_malloc, whose own functions some of them call."""
    here = directory / "test"
    names = fatal_tests((here / "test_smc.py").read_text(encoding="utf-8"))
    for name in names:
        (here / name).unlink(missing_ok=True)
    with open(directory / "make.log", "wb") as log:
        subprocess.run(["make", "-k", "-j", str(os.cpu_count()), "-C", str(here), *CLANG, "LDLIBS=-lpthread", *names],
                       check=False, stdout=log, stderr=log)
    return {name: here / name for name in names if (here / name).exists()}


def hardened_malloc_caught(_name, done):
    return done.returncode in CAUGHT


PROBES = {
    "mimalloc-bench": Probes("mimalloc-bench: `security`", "LIBSECRETSSL_MIMALLOC_BENCH", make_mimalloc_bench,
                             mimalloc_bench_caught),
    "hardened-malloc": Probes("hardened_malloc's tests", "LIBSECRETSSL_HARDENED_MALLOC", make_hardened_malloc,
                              hardened_malloc_caught),
}


def _hardened_malloc(directory):
    """Its default build, if a directory with it is given."""
    given = os.environ.get(PROBES["hardened-malloc"].given)
    if not given:
        return {}
    shutil.copytree(given, directory)
    with open(directory / "make.log", "wb") as log:
        done = subprocess.run(["make", "-C", str(directory), *CLANG, "CONFIG_NATIVE=false", "CONFIG_WERROR=false"],
                              check=False, stdout=log, stderr=log)
    if done.returncode:
        raise roots.Failure(f"hardened_malloc does not build: {directory}/make.log")
    return {"hardened_malloc": {"LD_PRELOAD": str(directory / "out/libhardened_malloc.so")}}


def contenders(directory):
    """Settings of each allocator. The quarantine, if this libsecretmem knows it."""
    ours = {"LD_PRELOAD": str(SHIM)}
    said = _run("/usr/bin/python3", ours | {"SECRETSSL_STATS": "1"}, "-c", "pass").stderr
    if b"summary:" not in said:
        raise roots.Failure(f"{SHIM} does not serve malloc")
    said = _run("/usr/bin/python3", ours | QUARANTINE, "-c", "pass").stderr
    quarantine = {} if b"SECRETSSL_QUARANTINE" in said else {"libsecretmem, quarantine": ours | QUARANTINE}
    return {"glibc": {}, "libsecretmem": ours, **quarantine, **_hardened_malloc(directory)}


def _commit(directory):
    said = subprocess.run(["git", "-C", str(directory), "log", "-1", "--format=%h of %cs"], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.strip()
    return said or "no commit"


def _missed(row, name, program, settings):
    return sum(not row.caught(name, _run(program, settings)) for _ in range(3)) >= 2


def measured(name, output):
    """The row: how many probes there are, and those that each allocator misses. A byte may equal a canary by
    chance, so each probe runs three times, and counts as it ended twice."""
    row, tree = PROBES[name], output / name
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(os.environ[row.given], tree / "tree")
    programs = row.make(tree / "tree")
    missed = {}
    for allocator, settings in contenders(tree / "hardened_malloc").items():
        missed[allocator] = sorted(probe for probe, often in _all(lambda one: (one[0], _missed(row, *one, settings)),
                                                                  programs.items()) if often)
    if not programs or len(missed["glibc"]) == len(programs):
        raise roots.Failure(f"{name}: nothing was built, or the C library caught nothing: {tree}")
    return {"version": _commit(os.environ[row.given]), "probes": len(programs), "missed": missed}
