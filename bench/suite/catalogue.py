# SPDX-License-Identifier: Apache-2.0
"""Every measurement, in the order of the tables."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Callable

from suite import child_cost, contenders, fork_server_cost, memory_cost, recording, replay_cost
from suite import results, server_cost, touch_cost
from suite.context import FORK_SIDES, SIDES
from suite.errors import BenchError

MIB = 1 << 20
SIZES = {"0.1": MIB // 10, "0.6": 6 * MIB // 10, "16": 16 * MIB}
# A source file of OpenSSL whose memory is no key material
IO_FILE = "ssl/record/ssl3_buffer.c"
ARENAS = ("16M", "256M", "4G", "64G")
THREADS = (1, 2, 4)
PAIRS = (1,)
# Memory hardly varies: more rounds would tell nothing more.
MEMORY_ROUNDS = 6
REPLAY_ROUNDS = 15
# A round takes a minute, most of it for Apache, which creates children only once a second.
CONNECTION_ROUNDS = 6
# Each round splits large pages of the kernel's map for good.
TOUCH_ROUNDS = 6


@dataclass(frozen=True)
class Measurement:
    name: str
    title: str
    unit: str
    measure: Callable  # context -> {side: value for each of sides, raw numbers...}
    max_rounds: int = 10**6
    sides: tuple = SIDES


def _server():
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
    yield Measurement(
        "handshake-open",
        "nginx worker CPU for a full handshake, hundreds of idle connections beside it",
        "µs",
        server_cost.handshakes_beside_idle,
        REPLAY_ROUNDS,
    )


def _children():
    for size, count in SIZES.items():
        yield Measurement(
            f"fork-{size}",
            f"fork and wait, {size} MiB live",
            "µs",
            child_cost.fork("fork", count),
            sides=FORK_SIDES,
        )
    yield Measurement(
        "fork-keys",
        "fork and wait, 1 MiB of keys and 16 MiB of I/O buffers live, `SECRETSSL_ROUTE=keys`",
        "µs",
        child_cost.fork("fork", SIZES["16"], IO_FILE, SIDES, SECRETSSL_ROUTE="keys"),
        REPLAY_ROUNDS,
    )
    for size, count in SIZES.items():
        yield Measurement(
            f"exec-{size}",
            f"fork, exec of `true` and wait, {size} MiB live",
            "µs",
            child_cost.fork("exec", count),
            sides=FORK_SIDES,
        )
    yield Measurement(
        "crowd",
        "fork of 50 children that live at once, each, 0.6 MiB live",
        "µs",
        child_cost.fork("crowd", SIZES["0.6"]),
        REPLAY_ROUNDS,
        FORK_SIDES,
    )
    yield Measurement("start-true", "`true`, start to end", "µs", child_cost.start("true"))
    yield Measurement(
        "start-openssl",
        "`openssl version`, start to end",
        "µs",
        child_cost.start("openssl", "version"),
    )


def _connections():
    yield Measurement(
        "connections-postgresql",
        "PostgreSQL, `pgbench -C -S -c4 -j2`",
        results.RATE,
        fork_server_cost.postgresql,
        CONNECTION_ROUNDS,
        FORK_SIDES,
    )
    yield Measurement(
        "connections-apache-prefork",
        "Apache, `mpm_prefork` with `MaxConnectionsPerChild 1`",
        results.RATE,
        fork_server_cost.apache_prefork,
        CONNECTION_ROUNDS,
    )
    yield Measurement(
        "connections-sshd",
        "sshd, one `ssh … true` after the other",
        results.RATE,
        fork_server_cost.sshd,
        CONNECTION_ROUNDS,
    )


def _memory():
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
    yield Measurement(
        "first-touch",
        "first touch of a page",
        "µs",
        touch_cost.first_touch,
        TOUCH_ROUNDS,
        touch_cost.SIDES,
    )


def _replays():
    for trace, title in recording.TITLES.items():
        yield Measurement(
            f"replay-{trace}",
            title,
            "ns",
            replay_cost.replay(trace, contenders.NAMES),
            REPLAY_ROUNDS,
            contenders.NAMES,
        )
        yield Measurement(
            f"peak-{trace}",
            f"{title}: private memory for each byte asked for, when most is live",
            "bytes",
            replay_cost.peaks(trace, contenders.MAIN),
            2,
            contenders.MAIN,
        )
    for mode, counts, title in (
        ("threads", THREADS, "threads, each replaying handshakes"),
        ("pairs", PAIRS, "pair of threads that free each other's blocks"),
    ):
        for count in counts:
            yield Measurement(
                f"{mode}-{count}",
                f"{count} {title}",
                "ns",
                replay_cost.replay("handshake", contenders.MAIN, mode, count),
                REPLAY_ROUNDS,
                contenders.MAIN,
            )


def _arenas():
    yield Measurement(
        "arena-replay",
        "handshakes replayed, by size of the arena",
        "ns",
        replay_cost.by_arena("handshake", ARENAS),
        REPLAY_ROUNDS,
        ARENAS,
    )
    yield Measurement(
        "arena-start",
        "`openssl version` with the preload, by size of the arena",
        "µs",
        child_cost.start_by_arena(ARENAS),
        REPLAY_ROUNDS,
        ARENAS,
    )


MEASUREMENTS = (
    *_server(),
    *_children(),
    *_connections(),
    *_memory(),
    *_replays(),
    *_arenas(),
)
NAMES = tuple(measurement.name for measurement in MEASUREMENTS)
# What compares forks has results of its own, so that it can be measured alone.
FORKS = tuple(m.name for m in MEASUREMENTS if m.sides == FORK_SIDES or m.unit == results.RATE)
BY_NAME = {measurement.name: measurement for measurement in MEASUREMENTS}


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
