#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Are the intervals what they claim to be, and are tables computed from the raw numbers?"""

import os
import random
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from suite import machine as machine_state  # noqa: E402
from suite import fork_server_cost, memory_cost, results, stats, tables, targets  # noqa: E402
from suite.errors import BenchError  # noqa: E402


def coverage(count, true_median, draw, trials=4000):
    """How often the interval from COUNT values holds the true median."""
    held = 0
    for _ in range(trials):
        low, high = stats.median_interval([draw() for _ in range(count)])
        held += low <= true_median <= high
    return held / trials


class Intervals(unittest.TestCase):
    def test_ranks_agree_with_the_sign_test(self):
        # From tables of the sign test, two-sided, 5%.
        known = {5: None, 6: 1, 8: 1, 9: 2, 12: 3, 15: 4, 20: 6, 25: 8, 40: 14}
        for count, rank in known.items():
            self.assertEqual(stats.interval_rank(count), rank, f"{count} values")

    def test_coverage_is_at_least_what_is_claimed(self):
        source = random.Random(20)
        shapes = {
            "normal": (1.0, lambda: source.gauss(1.0, 0.1)),
            "skewed, with outliers": (1.0, lambda: source.lognormvariate(0, 2)),
        }
        for name, (true_median, draw) in shapes.items():
            for count in (6, 15, 40):
                with self.subTest(shape=name, count=count):
                    share = coverage(count, true_median, draw)
                    self.assertGreater(share, 0.94)
                    self.assertLess(share, 0.99)

    def test_a_real_difference_is_seen(self):
        source = random.Random(21)
        pairs = []
        for _ in range(40):
            speed = source.uniform(0.5, 2)  # drifts far more than the difference
            pairs.append((speed * source.gauss(100, 1), speed * source.gauss(103, 1)))
        summary = stats.compare(pairs)
        self.assertGreater(summary["interval"][0], 1.02)
        self.assertLess(summary["interval"][1], 1.04)

    def test_too_few_values_have_no_interval(self):
        self.assertIsNone(stats.median_interval([1, 2, 3, 4, 5]))
        self.assertEqual(stats.median_interval([6, 5, 4, 3, 2, 1]), (1, 6))


class Tables(unittest.TestCase):
    def test_slope_leaves_out_what_is_set_up_once(self):
        steps = [
            {"connections": 0, "secret_kib": 100},
            {"connections": 50, "secret_kib": 1000},
            {"connections": 250, "secret_kib": 5000},
        ]
        self.assertEqual(memory_cost.slope(steps, "secret_kib"), 20)

    def test_numbers(self):
        self.assertEqual(tables.quantity(0, "KiB"), "0 KiB")
        self.assertEqual(tables.quantity(4.4251, "µs"), "4.43 µs")
        self.assertEqual(tables.quantity(-44.25, "µs", sign="+"), "−44.2 µs")
        self.assertEqual(tables.quantity(9999, "µs", sign="+"), "+9,999 µs")
        self.assertEqual(tables.quantity(800, "µs", largest=80000), "0.80 ms")
        self.assertEqual(tables.quantity(20480, "KiB"), "20.0 MiB")


def measurement(name, *pairs):
    return {"name": name, "title": name, "unit": "ns", "sides": list(pairs[0]), "pairs": pairs}


class Merging(unittest.TestCase):
    def run_of(self, *pairs, machine="one", load=1):
        return {
            "machine": machine,
            "quick": False,
            "aa": False,
            "seconds": 10,
            "rounds": len(pairs),
            "state": {"load": load, "busy": 0.0},
            "notes": [machine_state.warning({"load": load, "busy": 0.0}), "same"],
            "measurements": [measurement("bulk", *pairs)],
        }

    def test_rounds_of_two_runs_are_one_result(self):
        both = results.merged(
            self.run_of({"without": 1, "with": 2}, load=2.5),
            self.run_of({"without": 3, "with": 4}, {"without": 5, "with": 6}, load=1.5),
        )
        self.assertEqual([p["with"] for p in both["measurements"][0]["pairs"]], [2, 4, 6])
        self.assertEqual((both["rounds"], both["seconds"]), (3, 20))
        self.assertEqual(both["state"]["load"], 2.5)
        same, busy = both["notes"]
        self.assertEqual(same, "same")
        self.assertIn("load average 2.50", busy)

    def test_two_machines_are_not_mixed(self):
        pair = {"without": 1, "with": 2}
        with self.assertRaisesRegex(BenchError, "differ in 'machine'"):
            results.merged(self.run_of(pair), self.run_of(pair, machine="another"))


class Targets(unittest.TestCase):
    def outcomes(self, *measurements):
        return targets.outcomes({"measurements": measurements})

    def test_a_replay_is_compared_by_medians(self):
        sides = ("glibc", "mimalloc", "glibc-clear", "mimalloc-clear", "ours")
        rounds = [dict(zip(sides, values)) for values in ((10, 7, 12, 9, 9), (99, 7, 12, 9, 9))]
        found = self.outcomes(measurement("replay-handshake", *rounds, rounds[0]))
        self.assertEqual([round(o.measured, 3) for o in found], [0.75, 1.0])
        self.assertTrue(all(outcome.met for outcome in found))

    def test_a_miss_says_by_how_much(self):
        pairs = [{"without": 1000, "with": 2500}] * 3
        (outcome,) = self.outcomes(measurement("start-openssl", *pairs))
        self.assertFalse(outcome.met)
        self.assertEqual(outcome.missed_by, 0.25)
        self.assertIn("**missed by 25%**", outcome.row())

    def test_two_threads_are_held_against_one(self):
        one = measurement("threads-1", {"ours": 10, "secure-heap": 50, "null": 3})
        two = measurement("threads-2", {"ours": 11, "secure-heap": 50, "null": 3})
        faster, more = self.outcomes(one, two)
        self.assertAlmostEqual(faster.measured, 50 / 11)
        self.assertFalse(faster.met)
        self.assertAlmostEqual(more.measured, 2 * 10 / 11)
        self.assertTrue(more.met)

    def test_a_handshake_may_cost_what_it_costs_without(self):
        for ratios, met in (((0.99, 1.02), True), ((1.01, 1.05), False)):
            pairs = [{"without": 100, "with": 100 * ratios[i % 2]} for i in range(12)]
            (outcome,) = self.outcomes(measurement("handshake-p256", *pairs))
            self.assertEqual(outcome.met, met)

    def test_keys_at_a_fork_are_held_against_their_pages(self):
        touch = measurement("first-touch", {"anonymous": 1, "secret": 18, "copy": 20})
        fork = measurement("fork-keys", {"without": 100, "with": 2700, "secret_kib": 400})
        fork["sides"] = ["without", "with"]
        touch["sides"] = ["anonymous", "secret", "copy"]
        (outcome,) = self.outcomes(touch, fork)
        self.assertEqual(outcome.limit, 1.3 * 100 * 20)
        self.assertFalse(outcome.met)

    def test_a_fork_may_take_a_little_longer(self):
        for with_, met in ((350, True), (1300, False)):
            pair = {"without": 200, "with": with_, "recycled": 320}
            (outcome,) = self.outcomes(measurement("exec-0.1", pair))
            self.assertEqual((outcome.met, outcome.limit), (met, 200))
            self.assertIn("recycled: 120 µs", outcome.row()[2])

    def test_recycled_copies_cost_no_more_beside_living_children(self):
        for recycled, met in ((900, True), (1100, False)):
            pair = {"without": 100, "with": 1000, "recycled": recycled}
            (outcome,) = self.outcomes(measurement("crowd", pair))
            self.assertEqual(outcome.met, met)

    def test_a_rate_may_hardly_fall(self):
        for with_, met in ((96, True), (76, False)):
            pairs = [{"without": 100, "with": with_, "recycled": 90}] * 3
            (outcome,) = self.outcomes(measurement("connections-postgresql", *pairs))
            self.assertEqual(outcome.met, met)
            self.assertIn("recycled: 0.900", outcome.row()[2])
        self.assertIn("**missed by 20%**", outcome.row())


class Rates(unittest.TestCase):
    def rate(self, name, **more):
        sides = {"without": 100, "with": 80, **more}
        cpu = {side: 1000 * value for side, value in sides.items()}
        made = measurement(name, {**sides, "cpu_us": cpu})
        return {**made, "unit": results.RATE, "sides": list(sides)}

    def test_rates_have_a_table_of_their_own(self):
        recycled = self.rate("three", recycled=90)
        recycled["pairs"][0]["recycling"] = {"forks": 40, "forks_recycled": 30}
        done = {"measurements": [recycled, self.rate("two")], "notes": []}
        text = tables.fork_servers(done)
        few = "(too few rounds)"
        self.assertIn(f"| three | 100 | 80.0 | 0.800 {few} | 90.0 | 0.900 {few} | 1 |", text)
        self.assertIn(f"| two | 100 | 80.0 | 0.800 {few} | – | – | 1 |", text)
        self.assertIn("| three | 100 ms | 80.0 ms | 90.0 ms |", text)
        self.assertIn("*recycled*: 75% of the copies", text)
        self.assertNotIn("two", tables.figures(done))

    def test_without_rates_there_is_no_table(self):
        self.assertIsNone(tables.fork_servers({"measurements": [measurement("bulk", {"with": 1})]}))


class Connections(unittest.TestCase):
    class Context:
        """In place of programs that are run: what pgbench prints."""

        def __init__(self, processed):
            self.processed = processed

        def run(self, _command):
            return (
                f"number of transactions actually processed: {self.processed}/40\n"
                "tps = 80.000000 (including reconnection times)\n"
            )

    class Postgres(fork_server_cost.Postgres):
        port = 0
        binaries = ""

        def __init__(self):
            pass

    def test_every_connection_counts(self):
        self.assertEqual(self.Postgres().connect(self.Context(40), 40), (40, 0.5))

    def test_a_connection_that_fails_fails_the_run(self):
        with self.assertRaisesRegex(BenchError, "did not make 40 connections"):
            self.Postgres().connect(self.Context(39), 40)


if __name__ == "__main__":
    unittest.main()
