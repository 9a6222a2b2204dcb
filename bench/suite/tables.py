# SPDX-License-Identifier: Apache-2.0
"""Markdown from a results file."""

from suite import memory_cost, results as results_file, stats
from suite.context import FORK_SIDES, SIDES


def three_digits(value):
    """A number as a reader wants it: three significant digits, thousands set apart."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def quantity(value, unit, largest=None, sign=""):
    """VALUE in UNIT, or in the next larger one if the LARGEST value beside it has five digits."""
    for small, factor, large in (("µs", 1000, "ms"), ("KiB", 1024, "MiB")):
        if unit == small and abs(value if largest is None else largest) >= 10 * factor:
            value, unit = value / factor, large
            break
    mark = "−" if value < 0 else sign if value > 0 else ""
    return f"{mark}{three_digits(abs(value))} {unit}"


def ratio(summary):
    digits = 3 if summary["ratio"] < 2 else 2
    text = f"{summary['ratio']:.{digits}f}"
    if summary["interval"] is None:
        return f"{text} (too few rounds)"
    low, high = summary["interval"]
    return f"{text} ({low:.{digits}f} to {high:.{digits}f})"


def table(head, rows, right=()):
    lines = ["| " + " | ".join(head) + " |"]
    lines.append(
        "|" + "|".join("--:" if column in right else "---" for column in range(len(head))) + "|"
    )
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def figures(results):
    """Each cost without and with the preload, in one table; rates have their own."""
    rows = []
    for measurement in filter(results_file.has_sides, results["measurements"]):
        if measurement["unit"] == results_file.RATE:
            continue
        summary = results_file.summary(measurement)
        unit = measurement["unit"]
        largest = max(summary["without"], summary["with"])
        rows.append(
            [
                measurement["title"],
                quantity(summary["without"], unit, largest),
                quantity(summary["with"], unit, largest),
                quantity(summary["difference"], unit, largest, sign="+"),
                ratio(summary),
                str(summary["rounds"]),
            ]
        )
    head = ["what", "without", "with", "difference", "ratio (95% interval)", "rounds"]
    return table(head, rows, right=(1, 2, 3, 4, 5)) + _notes(results)


def _notes(results):
    return "".join(f"\n\nNote: {note}." for note in results["notes"])


def forks(results):
    """What a fork costs in new pages and in recycled ones, or None if the run did not measure it."""
    rows = []
    for measurement in results["measurements"]:
        if tuple(measurement["sides"]) != FORK_SIDES or measurement["unit"] == results_file.RATE:
            continue
        unit, row = measurement["unit"], [measurement["title"]]
        for side in FORK_SIDES:
            summary = results_file.summary(measurement, with_=side)
            row.append(quantity(summary["with"], unit))
            if side != SIDES[0]:
                row.append(quantity(summary["difference"], unit, sign="+"))
        rows.append([*row, str(len(measurement["pairs"]))])
    if not rows:
        return None
    head = ["operation", SIDES[0], SIDES[1], "difference", FORK_SIDES[2], "difference", "rounds"]
    return table(head, rows, right=range(1, len(head))) + _notes(results)


def _recycled(measurements):
    """How many copies were recycled where that was asked for: a sentence, or nothing."""
    pairs = [pair["recycling"] for m in measurements for pair in m["pairs"] if "recycling" in pair]
    if not pairs:
        return ""
    share = stats.median([pair["forks_recycled"] / pair["forks"] for pair in pairs])
    return f"\n\n*recycled*: {share:.0%} of the copies were made in pages of an ended child."


def fork_servers(results):
    """Connections a second to servers that fork for each, and what one costs the whole server."""
    measured = [m for m in results["measurements"] if m["unit"] == results_file.RATE]
    if not measured:
        return None
    sides = FORK_SIDES
    rates, costs = [], []
    for measurement in measured:
        rate, cost, ratios = dict.fromkeys(sides, "–"), dict.fromkeys(sides, "–"), ["–", "–"]
        spent = {
            side: stats.median([pair["cpu_us"][side] for pair in measurement["pairs"]])
            for side in measurement["sides"]
        }
        for side in measurement["sides"]:
            summary = results_file.summary(measurement, with_=side)
            rate[side] = three_digits(summary["with"])
            cost[side] = quantity(spent[side], "µs", max(spent.values()))
            if side != SIDES[0]:
                ratios[sides.index(side) - 1] = ratio(summary)
        title, rounds = measurement["title"], str(len(measurement["pairs"]))
        first, *others = rate.values()
        compared = [cell for pair in zip(others, ratios) for cell in pair]
        rates.append([title, first, *compared, rounds])
        costs.append([title, *cost.values()])
    interval = "ratio (95% interval)"
    head = ["connections a second", sides[0], sides[1], interval, sides[2], interval, "rounds"]
    text = table(head, rates, right=range(1, len(head)))
    head = ["CPU time of the server for a connection", *sides]
    return f"{text}\n\n{table(head, costs, right=(1, 2, 3))}{_recycled(measured)}"


def _medians(holdings):
    return {
        field: stats.median([held[field] for held in holdings])
        for field in ("secret_kib", "mapped_kib", "private_kib")
    }


def _sizing_row(title, without, with_):
    return [
        title,
        quantity(with_["secret_kib"], "KiB"),
        quantity(with_["mapped_kib"], "KiB"),
        quantity(with_["private_kib"], "KiB"),
        quantity(without["private_kib"], "KiB"),
    ]


def sizing(results):
    """Secret memory by number of connections, or None if the run did not measure it."""
    rows = []
    sentence = ""
    idle = results_file.find(results, "memory-idle")
    if idle:
        sides = {
            side: list(zip(*(pair["steps"][side] for pair in idle["pairs"])))
            for side in ("without", "with")
        }
        for without, with_ in zip(sides["without"], sides["with"]):
            count = with_[0]["connections"]
            rows.append(
                _sizing_row(
                    f"nginx worker, {count} idle connections", _medians(without), _medians(with_)
                )
            )
        secret = stats.median([pair["secret"] for pair in idle["pairs"]])
        mapped = stats.median(
            [memory_cost.slope(pair["steps"]["with"], "mapped_kib") for pair in idle["pairs"]]
        )
        sentence = (
            f"\n\nEach further idle connection takes {quantity(secret, 'KiB')} of secret memory "
            f"({quantity(mapped, 'KiB')} mapped)."
        )
    version = results_file.find(results, "memory-openssl")
    if version:
        held = {
            side: _medians([pair["at_exit"][side] for pair in version["pairs"]])
            for side in ("without", "with")
        }
        rows.append(_sizing_row("`openssl version`, at its exit", held["without"], held["with"]))
    if not rows:
        return None
    head = ["process", "secret, present", "secret, mapped", "private, with", "private, without"]
    return table(head, rows, right=(1, 2, 3, 4)) + sentence


def machine(results):
    """Where and when the figures were taken."""
    about = results["machine"]
    state = results["state"]
    kind = "virtual machine" if about["virtual"] else "bare metal"
    rows = [
        ("CPU", f"{about['cpu']} ({about['architecture']}, {kind})"),
        ("cores", str(about["cores"])),
        ("memory", f"{about['memory_gib']} GiB"),
        ("kernel", about["kernel"]),
        ("C library", about["libc"]),
        ("OpenSSL", about["openssl"]),
        ("nginx", about["nginx"]),
        ("`RLIMIT_MEMLOCK`", f"{about['memlock']}{', as root' if about['root'] else ''}"),
        ("date, rounds", f"{results['date']}, {results['rounds']}"),
        (
            "load before the run",
            f"{state['load']:.2f}, CPUs {state['busy']:.1%} busy; "
            f"{state['stolen']:.2%} of CPU time stolen during it",
        ),
    ]
    return table(["", ""], rows)
