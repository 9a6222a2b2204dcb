# SPDX-License-Identifier: Apache-2.0
"""What `secretssl stat` says."""

import json

from . import environment, process

BLOCK = 1000  # `seclude` makes blocks of that size.


def stat(env, *arguments, **options):
    return process.run(env, [options.pop("tool", env.tool), "stat", *map(str, arguments)],
                       env.plain(), **options)


def of(env, pid, **options):
    """What stat says of one process, from its JSON, with its exit status as 'status'."""
    result = stat(env, "--json", pid, **options)
    if not result.out:
        raise RuntimeError(f"stat {pid}: {result}")
    return {**json.loads(result.out)["processes"][0], "status": result.status}


def check_uncached(env, rep, pid, title, wanted=environment.UNCACHED == "require"):
    """Bytes of keys are in memory that no CPU caches if that was asked for, else none is."""
    found = of(env, pid)
    names = not (process.NAMELESS and found["openssl"].startswith(process.NAMELESS))
    rep.ok((found["partitions"]["bytes"] > 0) == names
           and found["uncached_bytes"] == (found["partitions"]["bytes"] if wanted else 0),
           f"{title}: bytes of keys are {'un' if wanted else ''}cached", found)


def named(pid, name, seconds=20):
    """Waits until a process calls itself so."""
    return process.wait_until(lambda: process.program(pid) == name, seconds)


def seclude(env, environ, case, blocks=100, name="secluded", **options):
    """A program that made so many blocks, and then made itself hard to look at."""
    path = options.pop("path", None) or env.helper("seclude")
    child = process.Child(env, [path, case, name, str(blocks)], environ, **options)
    if not named(child.pid, name):
        raise RuntimeError(f"seclude {case}: {child.wait(0.1)}")
    return child
