# SPDX-License-Identifier: Apache-2.0
"""Where the time of the preload goes, by perf: in replays, and in a fork."""

import os
import re
import shutil
import subprocess

from suite import contenders, recording

PASSES = 20  # times the passes of a round
FORKS = 20
FORK_BYTES = 1 << 20
SHOWN = 10
LINE = re.compile(r"^\s*([0-9.]+)%\s+(\S+)\s+\[[.k]\]\s+(\S+)")


def _commands(context):
    """What is profiled, the command, and its standard input."""
    trace = recording.usable(context, "handshake")
    replayed = ("hooked", recording.path(context, trace), PASSES * context.effort.passes)
    title = f"{recording.TITLES[trace]}, replayed"
    one = context.helper("replay-trace", "time", *replayed)
    two = context.helper("replay-trace", "threads", *replayed, 2)
    yield f"{title} by one thread", one, ""
    yield f"{title} by each of 2 threads", two, ""
    yield (
        f"fork and wait, {FORK_BYTES >> 20} MiB live",
        context.helper("fork-cost", FORK_BYTES, context.true),
        "fork\n" * FORKS,
    )


def _symbols(context, perf, command, text):
    data = os.path.join(context.workdir, "perf.data")
    (ours,) = contenders.select(["ours"])
    settings = contenders.environment(context, ours)
    # perf itself is not to be preloaded
    command = ["env", f"LD_PRELOAD={settings.pop('LD_PRELOAD')}", *command]
    subprocess.run(
        [perf, "record", "-q", "-F", "4000", "-o", data, "--", *command],
        env=settings,
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    report = subprocess.run(
        [perf, "report", "-i", data, "--stdio", "--no-children", "--sort", "dso,symbol"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = filter(None, map(LINE.match, report.stdout.splitlines()))
    return [(f"{match[3]} ({match[2]})", float(match[1])) for match in found][:SHOWN]


def look(context):
    """The costliest functions of each; none where perf is no use."""
    perf = shutil.which("perf")
    if perf is None:
        context.note("perf is not installed: no profiles")
        return []
    try:
        return [
            {"what": what, "symbols": _symbols(context, perf, command, text)}
            for what, command, text in _commands(context)
        ]
    except subprocess.CalledProcessError:
        context.note("perf does not work here: no profiles")
        return []
