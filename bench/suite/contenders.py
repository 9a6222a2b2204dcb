# SPDX-License-Identifier: Apache-2.0
"""The allocators that traces are replayed against, each in a process of its own."""

import glob
import os
from dataclasses import dataclass, replace

from suite.errors import BenchError

JEMALLOC = "libjemalloc.so.2"
MIMALLOC = "libmimalloc.so.2"
LIBRARY_DIRECTORIES = ("/usr/lib/*-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib")


@dataclass(frozen=True)
class Contender:
    name: str
    title: str
    kind: str  # as replay-trace knows it
    library: str = None  # the C library's malloc replaced by this one's
    preload: str = None  # below the build directory: an object that installs hooks
    settings: tuple = ()  # environment


PRELOAD = os.path.join("lib", "libsecretssl.so")


def _variant(name, title):
    """Another build of the preload object."""
    return Contender(name, title, "hooked", None, os.path.join("bench", f"{name}.so"))


CONTENDERS = (
    Contender("null", "null (bump, no free)", "null"),
    Contender("glibc", "glibc", "libc"),
    Contender("jemalloc", "jemalloc", "libc", JEMALLOC),
    Contender("mimalloc", "mimalloc", "libc", MIMALLOC),
    Contender("glibc-clear", "glibc, clearing", "clear"),
    Contender("mimalloc-clear", "mimalloc, clearing", "clear", MIMALLOC),
    Contender("secure-heap", "OpenSSL's secure heap", "secure"),
    Contender("ours", "libsecretssl", "hooked", None, PRELOAD),
    Contender(
        "ours-no-zero",
        "… without clearing",
        "hooked",
        None,
        PRELOAD,
        (("SECRETSSL_ZERO", "0"),),
    ),
    _variant("ours-no-slack", "… without the overrun check"),
    _variant("ours-no-reuse", "… without the check for writes after free"),
    _variant("ours-no-shuffle", "… without random order"),
    _variant("ours-one-partition", "… without partitions"),
    _variant("ours-no-check", "… without any of the three checks"),
)
NAMES = tuple(contender.name for contender in CONTENDERS)
# For bench/replay only: what is off by default
OPTIONAL = (
    Contender(
        "ours-quarantine",
        "libsecretssl, with a quarantine of 8 MiB",
        "hooked",
        None,
        PRELOAD,
        (("SECRETSSL_QUARANTINE", "8M"),),
    ),
)
INSPECTED = _variant("ours-inspect", "libsecretssl, telling the size of its slots")
# Those that differ in more than a check
MAIN = tuple(name for name in NAMES if not name.startswith("ours-"))
SELECTABLE = NAMES + tuple(contender.name for contender in OPTIONAL)
TITLES = {contender.name: contender.title for contender in CONTENDERS}


def select(names):
    known = {contender.name: contender for contender in CONTENDERS + OPTIONAL}
    for name in names:
        if name not in known:
            raise BenchError(f"'{name}' is no contender; there are {', '.join(SELECTABLE)}")
    return [known[name] for name in names]


def with_setting(name, value, variable):
    """The contender with one setting more, named by its value."""
    (contender,) = select([name])
    return replace(contender, name=value, settings=(*contender.settings, (variable, value)))


def _library(name):
    for directory in LIBRARY_DIRECTORIES:
        found = glob.glob(os.path.join(directory, name))
        if found:
            return found[0]
    raise BenchError(f"{name} is not installed; scripts/setup installs what is needed")


def environment(context, contender):
    result = {**context.environment("without"), **dict(contender.settings)}
    if contender.library:
        result["LD_PRELOAD"] = _library(contender.library)
    if contender.preload:
        path = os.path.realpath(os.path.join(context.build_dir, contender.preload))
        if not os.path.exists(path):
            raise BenchError(f"{path} is not there; build it with: cmake --build --preset release")
        result["LD_PRELOAD"] = path
    return result
