# SPDX-License-Identifier: Apache-2.0
"""What was set out to be reached, and by how much it was met or missed."""

import math
from dataclasses import dataclass

from suite import replay_tables, results as results_file, stats
from suite.context import RECYCLED
from suite.tables import quantity, table


@dataclass(frozen=True)
class Outcome:
    what: str
    measured: float
    limit: float
    at_least: bool = False  # else at most
    unit: str = ""  # none: a ratio
    detail: str = ""

    @property
    def met(self):
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    @property
    def missed_by(self):
        """Share of the limit."""
        return abs(self.measured - self.limit) / self.limit if self.limit else math.inf

    def _number(self, value):
        return quantity(value, self.unit) if self.unit else f"{value:.3f}"

    def row(self):
        bound = "at least" if self.at_least else "at most"
        digits = 0 if self.missed_by >= 0.1 else 1
        verdict = "met" if self.met else f"**missed by {self.missed_by:.{digits}%}**"
        measured = self._number(self.measured) + (f" ({self.detail})" if self.detail else "")
        return [self.what, f"{bound} {self._number(self.limit)}", measured, verdict]


# Allocators that clear what is freed, as this one does: the others do less.
REPLAY_LIMITS = {"glibc-clear": 0.8, "mimalloc-clear": 1.0}


def _replay(results):
    measurement = results_file.find(results, "replay-handshake")
    if not measurement:
        return
    middle = results_file.medians(measurement)
    for base, limit in REPLAY_LIMITS.items():
        interval = results_file.summary(measurement, base, "ours")["interval"]
        yield Outcome(
            f"handshakes replayed, against {replay_tables.contenders.TITLES[base]}",
            middle["ours"] / middle[base],
            limit,
            detail=f"95%: {interval[0]:.3f} to {interval[1]:.3f}" if interval else "",
        )


def _threads(results):
    one, two = (results_file.find(results, f"threads-{count}") for count in (1, 2))
    if not one or not two:
        return
    one, two = replay_tables.throughput(one, 1), replay_tables.throughput(two, 2)
    yield Outcome(
        "2 threads, faster than OpenSSL's secure heap", two["ours"] / two["secure-heap"], 5, True
    )
    yield Outcome(
        "2 threads, throughput of one",
        two["ours"] / one["ours"],
        1.8,
        True,
        detail=f"the null allocator: {two['null'] / one['null']:.3f}",
    )


def _memory(results):
    shares = replay_tables.slots_and_pages(results, "handshake")
    if shares:
        yield Outcome("slots at the peak of the handshakes, for each byte", shares[0], 1.3)
        yield Outcome("secret pages at that peak, for each byte", shares[1], 1.7)


def _start(results):
    for name, what, limit in (
        ("start-openssl", "`openssl version`, longer by", 1200),
        ("start-true", "`true`, longer by", 200),
    ):
        measurement = results_file.find(results, name)
        if measurement:
            yield Outcome(what, results_file.summary(measurement)["difference"], limit, unit="µs")


def _server(results):
    for name, what in (("p256", "ECDSA P-256"), ("rsa2048", "RSA-2048")):
        measurement = results_file.find(results, f"handshake-{name}")
        summary = measurement and results_file.summary(measurement)
        if summary and summary["interval"]:
            yield Outcome(
                f"handshake CPU, {what}: lower end of the ratio's 95% interval",
                summary["interval"][0],
                1.0,
                detail=f"ratio {summary['ratio']:.3f}, up to {summary['interval'][1]:.3f}",
            )
    measurement = results_file.find(results, "bulk")
    if measurement:
        yield Outcome("bulk CPU", results_file.summary(measurement)["ratio"], 1.02)


def page_cost(results):
    """µs of the first touch of a secret page and a copy into it, or None."""
    measurement = results_file.find(results, "first-touch")
    return measurement and results_file.medians(measurement)["copy"]


# µs that a fork may take longer, by MiB that are live
FORK_LIMITS = {"0.1": 200, "0.6": 500, "16": 8000}


def _fork(results):
    for operation in ("fork", "exec"):
        for size, limit in FORK_LIMITS.items():
            measurement = results_file.find(results, f"{operation}-{size}")
            if measurement:
                recycled = results_file.summary(measurement, with_=RECYCLED)
                yield Outcome(
                    f"{measurement['title']}, longer by",
                    results_file.summary(measurement)["difference"],
                    limit,
                    unit="µs",
                    detail=f"recycled: {quantity(recycled['difference'], 'µs')}",
                )
    measurement = results_file.find(results, "crowd")
    if measurement:
        yield Outcome(
            "50 children that live at once: recycled copies, as a share of copies in new pages",
            results_file.summary(measurement, "with", RECYCLED)["ratio"],
            1.0,
        )


def _fork_keys(results):
    cost, measurement = page_cost(results), results_file.find(results, "fork-keys")
    if cost and measurement:
        pages = stats.median([pair["secret_kib"] for pair in measurement["pairs"]]) / 4
        yield Outcome(
            measurement["title"],
            results_file.summary(measurement)["with"],
            1.3 * pages * cost,
            unit="µs",
            detail=f"{pages:,.0f} secret pages at {cost:.1f} µs",
        )


def _connections(results):
    measurement = results_file.find(results, "connections-postgresql")
    if not measurement:
        return
    recycled = results_file.summary(measurement, with_=RECYCLED)
    yield Outcome(
        "new connections to PostgreSQL, share of the rate without",
        results_file.summary(measurement)["ratio"],
        0.95,
        True,
        detail=f"recycled: {recycled['ratio']:.3f}",
    )


def outcomes(results):
    """Of each target that the run measured."""
    found = []
    for part in (_replay, _threads, _memory, _start, _server, _fork, _fork_keys, _connections):
        found += part(results)
    return found


def targets(results):
    """A table of them; None if there are none."""
    found = outcomes(results)
    if not found:
        return None
    missed = sum(not outcome.met for outcome in found)
    text = table(["target", "limit", "measured", ""], [o.row() for o in found], right=(1, 2))
    return f"{text}\n\n{len(found) - missed} of {len(found)} targets met."
