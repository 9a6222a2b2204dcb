# SPDX-License-Identifier: Apache-2.0
"""What `secretssl stat` says."""

import json

from . import process


def stat(env, *arguments, **options):
    return process.run(env, [options.pop("tool", env.tool), "stat", *map(str, arguments)],
                       env.plain(), **options)


def of(env, pid, **options):
    """What stat says of one process, from its JSON, with its exit status as 'status'."""
    result = stat(env, "--json", pid, **options)
    if not result.out:
        raise RuntimeError(f"stat {pid}: {result}")
    return {**json.loads(result.out)["processes"][0], "status": result.status}


def named(pid, name, seconds=20):
    """Waits until a process calls itself so."""
    return process.wait_until(lambda: process.program(pid) == name, seconds)
