# SPDX-License-Identifier: Apache-2.0
"""Wall time of fork and exec in a process with live secrets, and of starting short programs."""

from suite import stats
from suite.context import FORK_SIDES, SIDES
from suite.errors import BenchError
from suite.process import memory


class Forker:
    """A process that holds BYTES of OPENSSL_malloc'ed memory and forks when told to."""

    def __init__(self, context, side, size, file, settings):
        command = context.helper("fork-cost", size, context.true, *filter(None, [file]))
        self._process = context.start(command, {**context.environment(side), **settings})
        ready = self._process.stdout.readline().split()
        if len(ready) != 3 or ready[0] != "ready":
            self.close()
            raise BenchError(f"fork-cost did not fill {size} bytes on the '{side}' side")
        secret = 0 if settings else size // 1024
        context.check_side(side, self._process.pid, "fork-cost", secret)
        self.secret_kib = memory(self._process.pid).secret

    def time_us(self, operation):
        try:
            self._process.stdin.write(operation + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise BenchError(f"fork-cost ended early, with status {self._process.wait()}")
        return round(int(answer) / 1000, 1)

    def close(self):
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            pass
        self._process.wait()
        self._process.stdout.close()


def fork(operation, size, file=None, sides=FORK_SIDES, **settings):
    """OPERATION is "fork" (fork, _exit, wait), "exec" (fork, exec of true, wait) or "crowd" (fifty
    that live at once, each).

    FILE is the source file of OpenSSL that the memory is asked for in the name of; then there is a
    sixteenth more of key material.
    """

    def measure(context):
        times = {side: [] for side in sides}
        forkers = {}
        try:
            for side in context.order(sides):
                forkers[side] = Forker(context, side, size, file, settings)
            for side in sides:
                forkers[side].time_us(operation)
            for _ in range(context.effort.children):
                for side in context.order(sides):
                    times[side].append(forkers[side].time_us(operation))
        finally:
            for forker in forkers.values():
                forker.close()
        middle = {side: stats.median(times[side]) for side in sides}
        return {**middle, "secret_kib": forkers["with"].secret_kib, "times_us": times}

    return measure


def _starts(context, program, environment=None):
    """Times in µs of both sides. PROGRAM's first word names an attribute of the context."""
    command = [getattr(context, program[0]), *program[1:]]
    seed = context.random.randrange(2**32)
    helper = context.helper(
        "start-cost", context.effort.starts, seed, context.preload or "", *command
    )
    rows = [line.split() for line in context.run(helper, environment).splitlines()]
    return {
        side: [round(int(row[column]) / 1000, 1) for row in rows]
        for column, side in enumerate(SIDES)
    }


def start(*program):
    def measure(context):
        times = _starts(context, program)
        return {**{side: stats.median(times[side]) for side in SIDES}, "times_us": times}

    return measure


def start_by_arena(sizes):
    """`openssl version` with the preload, at different sizes of the arena."""

    def measure(context):
        figures = {}
        for size in context.random.sample(sizes, len(sizes)):
            environment = {**context.environment("without"), "SECRETSSL_ARENA_SIZE": size}
            times = _starts(context, ("openssl", "version"), environment)
            figures[size] = stats.median(times["with"])
        return {size: figures[size] for size in sizes}

    return measure
