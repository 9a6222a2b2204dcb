# SPDX-License-Identifier: Apache-2.0
"""CPU time of nginx workers: full handshakes, and bulk transfer."""

import json

from suite import nginx
from suite.context import SIDES
from suite.errors import BenchError

CLIENT_THREADS = 8
MIB = 1 << 20


def load(context, server, *arguments):
    """One run of the client; what it says was negotiated."""
    operation, *rest = arguments
    command = context.helper("tls-load", operation, server.port, *rest)
    answer = json.loads(context.run(command, cpu=context.client_cpu))
    if answer["protocol"] != "TLSv1.3":
        raise BenchError(f"the server negotiated {answer['protocol']}, not TLSv1.3")
    if answer.get("reused", 0):
        raise BenchError(f"{answer['reused']} sessions were resumed; only full handshakes count")
    return answer


def _compare(context, kind, count, arguments, bulk_bytes=0):
    """Worker CPU in µs for each unit of work, on fresh servers of both sides.

    The work is done in four slices, A B B A or B A A B, so that a drift of the machine's speed
    falls on both sides alike.
    """
    slice_count = max(1, count // 2)
    used = dict.fromkeys(SIDES, 0)
    slices = []
    first, second = context.order()
    with context.server("without", kind, bulk_bytes) as a, context.server(
        "with", kind, bulk_bytes
    ) as b:
        servers = {"without": a, "with": b}
        for side in SIDES:
            load(context, servers[side], "handshakes", context.effort.warmup, 1)
        for side in (first, second, second, first):
            before = servers[side].cpu_ns()
            answer = load(context, servers[side], *arguments(slice_count))
            spent = servers[side].cpu_ns() - before
            used[side] += spent
            slices.append([side, slice_count, spent])
        for side, server in servers.items():
            for worker in server.workers:
                context.check_side(side, worker, "the nginx worker", 4)
            for message in server.messages():
                context.hear(message)
    pair = {side: round(used[side] / (2 * slice_count) / 1000, 3) for side in SIDES}
    negotiated = {name: answer[name] for name in ("protocol", "cipher", "group", "key")}
    return {**pair, "slices_ns": slices, "negotiated": negotiated}


def handshakes(kind):
    def measure(context):
        return _compare(
            context,
            kind,
            context.effort.handshakes,
            lambda count: ("handshakes", count, CLIENT_THREADS),
        )

    return measure


def bulk(context):
    return _compare(
        context,
        "p256",
        context.effort.responses,
        lambda count: ("bulk", count, MIB, nginx.BULK_PATH),
        bulk_bytes=MIB,
    )


def _steps(context, side):
    """Worker CPU for a handshake while others are connected and idle."""
    steps = []
    count = context.effort.handshakes // 3
    with context.server(side, "p256") as server:
        load(context, server, "handshakes", context.effort.warmup, 1)
        for connections in nginx.idle_steps(context, side, server, context.effort.open):
            before = server.cpu_ns()
            load(context, server, "handshakes", count, CLIENT_THREADS)
            spent = (server.cpu_ns() - before) / count / 1000
            steps.append({"connections": connections, "us": round(spent, 3)})
    return steps


def handshakes_beside_idle(context):
    """The pair is that of the most connections; "steps" has all."""
    steps = {side: _steps(context, side) for side in context.order()}
    return {
        **{side: steps[side][-1]["us"] for side in SIDES},
        "steps": {side: steps[side] for side in SIDES},
    }
