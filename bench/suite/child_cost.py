# SPDX-License-Identifier: Apache-2.0
"""Wall time of fork and exec in a process with live secrets, and of starting short programs."""

from suite import stats
from suite.context import SIDES
from suite.errors import BenchError


class Forker:
    """A process that holds BYTES of OPENSSL_malloc'ed memory and forks when told to."""

    def __init__(self, context, side, size):
        command = context.helper("fork-cost", size, context.true)
        self._process = context.start(command, context.environment(side))
        ready = self._process.stdout.readline().split()
        if len(ready) != 3 or ready[0] != "ready":
            self.close()
            raise BenchError(f"fork-cost did not fill {size} bytes on the '{side}' side")
        context.check_side(side, self._process.pid, "fork-cost", size // 1024)

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


def fork(operation, size):
    """OPERATION is "fork" (fork, _exit, wait) or "exec" (fork, exec of true, wait)."""

    def measure(context):
        times = {side: [] for side in SIDES}
        forkers = {}
        try:
            for side in context.order():
                forkers[side] = Forker(context, side, size)
            for side in SIDES:
                forkers[side].time_us(operation)
            for _ in range(context.effort.children):
                for side in context.order():
                    times[side].append(forkers[side].time_us(operation))
        finally:
            for forker in forkers.values():
                forker.close()
        return {**{side: stats.median(times[side]) for side in SIDES}, "times_us": times}

    return measure


def start(*program):
    """PROGRAM's first word names an attribute of the context."""

    def measure(context):
        command = [getattr(context, program[0]), *program[1:]]
        seed = context.random.randrange(2**32)
        output = context.run(
            context.helper(
                "start-cost", context.effort.starts, seed, context.preload or "", *command
            )
        )
        rows = [line.split() for line in output.splitlines()]
        times = {
            side: [round(int(row[column]) / 1000, 1) for row in rows]
            for column, side in enumerate(SIDES)
        }
        return {**{side: stats.median(times[side]) for side in SIDES}, "times_us": times}

    return measure
