# SPDX-License-Identifier: Apache-2.0
"""Every measurement, in the order of the table."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Callable

from suite import child_cost, memory_cost, server_cost
from suite.errors import BenchError

MIB = 1 << 20
SIZES = {"0.1": MIB // 10, "1": MIB, "16": 16 * MIB}
# Memory hardly varies: more rounds would tell nothing more.
MEMORY_ROUNDS = 6


@dataclass(frozen=True)
class Measurement:
    name: str
    title: str
    unit: str
    measure: Callable  # context -> {"without": value, "with": value, raw numbers...}
    max_rounds: int = 10**6


def _catalogue():
    yield Measurement(
        "handshake-p256",
        "nginx worker CPU for a full handshake, ECDSA P-256",
        "µs",
        server_cost.handshakes("p256"),
    )
    yield Measurement(
        "handshake-rsa2048",
        "nginx worker CPU for a full handshake, RSA-2048",
        "µs",
        server_cost.handshakes("rsa2048"),
    )
    yield Measurement("bulk", "nginx worker CPU for 1 MiB sent", "µs", server_cost.bulk)
    for size, count in SIZES.items():
        yield Measurement(
            f"fork-{size}",
            f"fork and wait, {size} MiB live",
            "µs",
            child_cost.fork("fork", count),
        )
    for size, count in SIZES.items():
        yield Measurement(
            f"exec-{size}",
            f"fork, exec of `true` and wait, {size} MiB live",
            "µs",
            child_cost.fork("exec", count),
        )
    yield Measurement("start-true", "`true`, start to end", "µs", child_cost.start("true"))
    yield Measurement(
        "start-openssl",
        "`openssl version`, start to end",
        "µs",
        child_cost.start("openssl", "version"),
    )
    yield Measurement(
        "memory-idle",
        "private memory for an idle TLS connection",
        "KiB",
        memory_cost.idle,
        MEMORY_ROUNDS,
    )
    yield Measurement(
        "memory-openssl",
        "private memory of `openssl version` as it exits",
        "KiB",
        memory_cost.openssl_version,
        MEMORY_ROUNDS,
    )


MEASUREMENTS = tuple(_catalogue())
NAMES = tuple(measurement.name for measurement in MEASUREMENTS)


def select(patterns):
    """The measurements whose names match one of the shell patterns; all if there are none."""
    if not patterns:
        return MEASUREMENTS
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in NAMES):
            raise BenchError(
                f"--only: '{pattern}' names no measurement; there are {', '.join(NAMES)}"
            )
    return tuple(m for m in MEASUREMENTS if any(fnmatchcase(m.name, p) for p in patterns))
