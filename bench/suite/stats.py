# SPDX-License-Identifier: Apache-2.0
"""Medians and their confidence intervals, without assuming how the values are distributed."""

import math
import statistics

CONFIDENCE = 0.95


def median(values):
    """The median of a non-empty sequence."""
    return statistics.median(values)


def interval_rank(count, confidence=CONFIDENCE):
    """How many values to leave out at each end, plus one.

    The number of values below the true median is binomial with p = 1/2 whatever the distribution.
    The interval from the k-th smallest to the k-th largest value misses the median with probability
    2 P(Bin(n, 1/2) < k); the answer is the largest k that keeps this at most 1 - confidence, or
    None where even the whole range is too narrow (fewer than six values at 95%).
    """
    tail = (1 - confidence) / 2
    below = 0.0
    rank = 0
    for k in range(count // 2):
        below += math.comb(count, k) / 2**count
        if below > tail:
            break
        rank = k + 1
    return rank or None


def median_interval(values, confidence=CONFIDENCE):
    """Confidence interval (low, high) of the median, or None if there are too few values."""
    rank = interval_rank(len(values), confidence)
    if rank is None:
        return None
    ordered = sorted(values)
    return ordered[rank - 1], ordered[-rank]


def compare(pairs):
    """Summary of (without, with) pairs: medians, median difference, ratio and its interval."""
    ratios = [b / a for a, b in pairs]
    return {
        "without": median([a for a, _ in pairs]),
        "with": median([b for _, b in pairs]),
        "difference": median([b - a for a, b in pairs]),
        "ratio": median(ratios),
        "interval": median_interval(ratios),
        "rounds": len(pairs),
    }
