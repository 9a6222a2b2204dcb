#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Are the intervals what they claim to be, and are tables computed from the raw numbers?"""

import os
import random
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from suite import memory_cost, stats, tables  # noqa: E402


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


if __name__ == "__main__":
    unittest.main()
