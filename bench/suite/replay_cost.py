# SPDX-License-Identifier: Apache-2.0
"""Traces replayed against contenders, alternating, each time in a fresh process."""

import json

from suite import contenders, recording, stats

MODES = ("time", "threads", "pairs")


def _replay(context, contender, mode, trace, *arguments):
    command = context.helper(
        "replay-trace", mode, contender.kind, recording.path(context, trace), *arguments
    )
    cpu = context.server_cpu if mode == "time" else None
    return json.loads(context.run(command, contenders.environment(context, contender), cpu))


def time(context, contender, trace, mode="time", count=1, passes=None):
    """Nanoseconds a call, the median of the passes: of CPU time if the mode is "time", else of
    elapsed time from the start of all threads to the end of the last."""
    repeats = 1 if context.effort.trace else recording.REPEATS[trace]
    arguments = [(passes or context.effort.passes) * repeats]
    if mode != "time":
        arguments.append(count)
    answer = _replay(context, contender, mode, trace, *arguments)
    return round(stats.median(answer["ns"]) / answer["calls"], 3)


def in_turn(context, chosen, trace, mode="time", count=1, passes=None):
    """{contender: nanoseconds a call}, in random order."""
    figures = {
        contender.name: time(context, contender, trace, mode, count, passes)
        for contender in context.random.sample(chosen, len(chosen))
    }
    return {contender.name: figures[contender.name] for contender in chosen}


def replay(trace, names, mode="time", count=1):
    chosen = contenders.select(names)

    def measure(context):
        return in_turn(context, chosen, recording.usable(context, trace), mode, count)

    return measure


def peak(context, contender, trace):
    """Bytes at the moment of the trace that has most live."""
    if contender.name == "ours":
        contender = contenders.INSPECTED
    return _replay(context, contender, "peak", trace)


def check(context, contender, trace):
    """How many blocks kept what was written to them ("good"), and how many did not ("bad")."""
    return _replay(context, contender, "check", trace)


def peaks(trace, names):
    """What each contender takes for a byte asked for; "held" has the bytes."""
    chosen = contenders.select(names)

    def measure(context):
        name = recording.usable(context, trace)
        held = {contender.name: peak(context, contender, name) for contender in chosen}
        shares = {name: round(of["own_bytes"] / of["peak_bytes"], 4) for name, of in held.items()}
        return {**shares, "held": held}

    return measure


def by_arena(trace, sizes):
    """The preload at different sizes of the arena."""

    def measure(context):
        chosen = [contenders.with_setting("ours", size, "SECRETSSL_ARENA_SIZE") for size in sizes]
        return in_turn(context, chosen, recording.usable(context, trace))

    return measure
