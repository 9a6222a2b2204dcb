# SPDX-License-Identifier: Apache-2.0
"""Markdown about the allocators: replays, threads, memory, first touch, sweeps."""

from suite import catalogue, contenders, recording, results as results_file, stats
from suite.tables import quantity, ratio, table, three_digits

BASES = ("glibc", "mimalloc", "glibc-clear", "mimalloc-clear")


def replays(results):
    """ns a call of each contender on each trace."""
    found = {trace: results_file.find(results, f"replay-{trace}") for trace in recording.NAMES}
    found = {trace: measurement for trace, measurement in found.items() if measurement}
    if not found:
        return None
    middle = {trace: results_file.medians(measurement) for trace, measurement in found.items()}
    rows = [
        [contenders.TITLES[name], *(f"{middle[trace][name]:.2f}" for trace in found)]
        for name in contenders.MAIN
    ]
    rounds = ", ".join(str(len(measurement["pairs"])) for measurement in found.values())
    head = ["nanoseconds a call", *found]
    text = table(head, rows, right=range(1, len(head)))
    return f"{text}\n\nMedians of {rounds} rounds."


def against(results):
    """The preload's time as a share of others', which is what the targets are about."""
    rows = []
    for trace, title in recording.TITLES.items():
        measurement = results_file.find(results, f"replay-{trace}")
        if not measurement:
            continue
        middle = results_file.medians(measurement)
        row = [title]
        for base in BASES:
            interval = results_file.summary(measurement, base, "ours")["interval"]
            row.append(ratio({"ratio": middle["ours"] / middle[base], "interval": interval}))
        rows.append(row)
    if not rows:
        return None
    head = ["libsecretssl divided by", *(contenders.TITLES[base] for base in BASES)]
    return table(head, rows, right=range(1, len(head)))


def checks(results):
    """What each check costs: everything on, less everything but that check."""
    rows = []
    traces = [name for name in recording.NAMES if results_file.find(results, f"replay-{name}")]
    for contender in contenders.CONTENDERS:
        if not contender.name.startswith("ours"):
            continue
        row = [contender.title]
        for trace in traces:
            middle = results_file.medians(results_file.find(results, f"replay-{trace}"))
            saved = middle["ours"] - middle[contender.name]
            row.append(
                f"{middle['ours']:.2f}"
                if contender.name == "ours"
                else f"{middle[contender.name]:.2f} ({saved / middle['ours']:+.1%})"
            )
        rows.append(row)
    if not traces:
        return None
    head = ["nanoseconds a call (share it costs)", *traces]
    return table(head, rows, right=range(1, len(head)))


def throughput(measurement, count):
    """Million calls a second of all threads together, by contender."""
    return {
        name: 1000 * count / value for name, value in results_file.medians(measurement).items()
    }


def threads(results):
    columns = {}
    for mode, counts, each in (("threads", catalogue.THREADS, 1), ("pairs", catalogue.PAIRS, 2)):
        for count in counts:
            measurement = results_file.find(results, f"{mode}-{count}")
            if measurement:
                word = mode if count > 1 else mode[:-1]
                columns[f"{count} {word}"] = throughput(measurement, count * each)
    if not columns:
        return None
    rows = []
    for name in contenders.MAIN:
        row = [contenders.TITLES[name]]
        row += [three_digits(column[name]) for column in columns.values()]
        if "1 thread" in columns and "2 threads" in columns:
            row.append(f"{columns['2 threads'][name] / columns['1 thread'][name]:.2f}")
        rows.append(row)
    head = ["million calls a second", *columns]
    head += ["2 threads / 1"] if len(rows[0]) > len(head) else []
    return table(head, rows, right=range(1, len(head)))


def _held(results, trace, name):
    """What a contender held at the peak of a trace: the largest of the rounds."""
    measurement = results_file.find(results, f"peak-{trace}")
    return measurement and max(
        (pair["held"][name] for pair in measurement["pairs"]), key=lambda held: held["own_bytes"]
    )


def slots_and_pages(results, trace):
    """(slots, secret pages) for each byte asked for at the peak; None if not measured."""
    held = _held(results, trace, "ours")
    return held and tuple(
        held[field] / held["peak_bytes"] for field in ("slot_bytes", "secret_bytes")
    )


def peaks(results):
    traces = [name for name in recording.NAMES if results_file.find(results, f"peak-{name}")]
    if not traces:
        return None
    rows = []
    for title, field, names in (
        ("slots", "slot_bytes", ["ours"]),
        ("secret pages", "secret_bytes", ["ours"]),
        ("all private memory", "own_bytes", [n for n in contenders.MAIN if n != "null"]),
    ):
        for name in names:
            held = [_held(results, trace, name) for trace in traces]
            shares = [f"{of[field] / of['peak_bytes']:.2f}" for of in held]
            rows.append([f"{contenders.TITLES[name]}: {title}", *shares])
    asked = [_held(results, trace, "ours") for trace in traces]
    rows.append(
        ["bytes asked for", *(f"{of['peak_bytes']:,} in {of['peak_blocks']:,}" for of in asked)]
    )
    head = ["bytes for each byte asked for", *traces]
    return table(head, rows, right=range(1, len(head)))


def touch(results):
    measurement = results_file.find(results, "first-touch")
    if not measurement:
        return None
    middle = results_file.medians(measurement)
    titles = {
        "anonymous": "ordinary memory",
        "secret": "secret memory",
        "copy": "secret memory, and a copy of 4 KiB into it",
    }
    text = table(
        ["first touch", "a page"],
        [[title, quantity(middle[side], "µs")] for side, title in titles.items()],
        right=(1,),
    )
    raw = [pair["raw"] for pair in measurement["pairs"]]
    if "splits" not in raw[0]:
        return text + "\n\nThis kernel does not count the splits of its direct map."
    per_64 = [
        64 * (answer["splits"] + answer["splits_again"]) / (2 * pair["mib"])
        for answer, pair in zip(raw, measurement["pairs"])
    ]
    return text + (
        f"\n\nNew `direct_map_level2_splits` for each 64 MiB: {three_digits(per_64[0])} in the "
        f"first round, {three_digits(stats.median(per_64))} in the median one. Memory that was "
        "split once is not split again before a reboot: only the first run after one sees them all."
    )


def connections(results):
    measurement = results_file.find(results, "handshake-open")
    if not measurement:
        return None
    rows = []
    for index, step in enumerate(measurement["pairs"][0]["steps"]["with"]):
        pairs = [
            tuple(pair["steps"][side][index]["us"] for side in ("without", "with"))
            for pair in measurement["pairs"]
        ]
        summary = stats.compare(pairs)
        rows.append(
            [
                str(step["connections"]),
                quantity(summary["without"], "µs"),
                quantity(summary["with"], "µs"),
                ratio(summary),
            ]
        )
    head = ["idle connections", "without", "with", "ratio (95% interval)"]
    return table(head, rows, right=(0, 1, 2, 3))


def arenas(results):
    rows = []
    for name in ("arena-replay", "arena-start"):
        measurement = results_file.find(results, name)
        if measurement:
            middle = results_file.medians(measurement)
            row = [quantity(middle[size], measurement["unit"]) for size in catalogue.ARENAS]
            rows.append([measurement["title"], *row])
    if not rows:
        return None
    head = ["`SECRETSSL_ARENA_SIZE`", *catalogue.ARENAS]
    return table(head, rows, right=range(1, len(head)))


def profile(results):
    """Where the time of the preload goes."""
    tables = []
    for found in results["profile"]:
        rows = [[f"`{symbol}`", f"{share:.1f}%"] for symbol, share in found["symbols"]]
        tables.append(table([found["what"], "share"], rows, right=(1,)))
    return "\n\n".join(tables) or None


SECTIONS = {
    "replays": replays,
    "against": against,
    "checks": checks,
    "threads": threads,
    "peaks": peaks,
    "touch": touch,
    "connections": connections,
    "arenas": arenas,
    "profile": profile,
}
