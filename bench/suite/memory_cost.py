# SPDX-License-Identifier: Apache-2.0
"""Memory: idle TLS connections, and a short program."""

from suite import nginx, process
from suite.context import SIDES
from suite.errors import BenchError


def _idle_steps(context, side):
    """Memory of the worker at growing numbers of idle connections."""
    steps = []
    with context.server(side, "p256") as server:
        for connections in nginx.idle_steps(context, side, server, context.effort.idle):
            held = process.memory(server.workers[0])
            steps.append({"connections": connections, **held.as_dict()})
    return steps


def slope(steps, field):
    """KiB for each connection between the first step that has connections and the last.

    The first connections also pay for what is set up once, so zero is left out.
    """
    used = [step for step in steps if step["connections"] > 0]
    grown = used[-1][field] - used[0][field]
    return round(grown / (used[-1]["connections"] - used[0]["connections"]), 3)


def idle(context):
    steps = {side: _idle_steps(context, side) for side in context.order()}
    return {
        **{side: slope(steps[side], "private_kib") for side in SIDES},
        "secret": slope(steps["with"], "secret_kib"),
        "steps": {side: steps[side] for side in SIDES},
    }


def _at_exit(context, side, command):
    # env, so that the program is preloaded and the helper that holds it is not.
    environment = ["env"]
    if context.environment(side).get("LD_PRELOAD"):
        environment.append("LD_PRELOAD=" + context.preload)
    holder = context.start(context.helper("exit-memory", *environment, *command))
    try:
        answer = holder.stdout.readline().split()
        if len(answer) != 2 or answer[0] != "held":
            raise BenchError(f"{command[0]} could not be held at its exit")
        pid = int(answer[1])
        held = process.memory(pid)
        context.check_side(side, pid, " ".join(["openssl", *command[1:]]), 4)
    finally:
        holder.stdin.close()
        status = holder.wait()
        holder.stdout.close()
    if status != 0:
        raise BenchError(f"{command[0]} ended with status {status}")
    return held.as_dict()


def openssl_version(context):
    command = [context.openssl, "version"]
    held = {side: _at_exit(context, side, command) for side in context.order()}
    return {
        **{side: held[side]["private_kib"] for side in SIDES},
        "secret": held["with"]["secret_kib"],
        "at_exit": {side: held[side] for side in SIDES},
    }
