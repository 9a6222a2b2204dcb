# SPDX-License-Identifier: Apache-2.0
"""SVG plots of a results file, by gnuplot."""

import os
import shutil
import subprocess

from suite import catalogue, contenders, recording, replay_tables, results as results_file, stats
from suite.context import FORK_SIDES, SIDES
from suite.errors import BenchError

STYLE = """
set terminal svg size 900,480 dynamic background rgb 'white' font 'sans,13'
set output '{output}'
set grid ytics lc rgb '#dddddd'
set border 3
set tics nomirror
set key {key}
set title "{title}"
set ylabel "{ylabel}"
set yrange [0:*]
"""


class Plot:
    """Lines of a gnuplot script; a table of figures is a data block in it."""

    def __init__(self, title, ylabel, key="outside right top"):
        self._head = {"title": title, "ylabel": ylabel, "key": key}
        self._body = []

    def add(self, *lines):
        self._body += lines

    def data(self, rows):
        self.add("$data << END", *(" ".join(_word(cell) for cell in row) for row in rows), "END")

    def bars(self, rows, names):
        """rows: label and a value for each name."""
        self.data(rows)
        self.add(
            "set style data histogram",
            "set style histogram clustered gap 1",
            "set style fill solid 0.85 noborder",
            "set boxwidth 0.9",
            "set xtics rotate by -30",
        )
        columns = (
            f"$data using {index + 2}:xtic(1) title {_word(name)}"
            for index, name in enumerate(names)
        )
        self.add("plot " + ", ".join(columns))

    def lines(self, rows, names, xlabel):
        """rows: x and a value for each name."""
        self.data(rows)
        columns = (
            f"$data using 1:{index + 2} with linespoints lw 2 title {_word(name)}"
            for index, name in enumerate(names)
        )
        self.add(f"set xlabel {_word(xlabel)}", "plot " + ", ".join(columns))

    def draw(self, gnuplot, path):
        script = STYLE.format(output=path, **self._head) + "\n".join(self._body) + "\n"
        done = subprocess.run([gnuplot], input=script, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not os.path.exists(path):
            raise BenchError(f"gnuplot could not draw {path}: {done.stderr.strip()}")


def _word(cell):
    return '"' + cell.replace("`", "") + '"' if isinstance(cell, str) else str(cell)


def _replay(results):
    found = {trace: results_file.find(results, f"replay-{trace}") for trace in recording.NAMES}
    if not all(found.values()):
        return None
    middle = {trace: results_file.medians(measurement) for trace, measurement in found.items()}
    rows = [
        [contenders.TITLES[name], *(middle[trace][name] for trace in found)]
        for name in contenders.MAIN
    ]
    plot = Plot("Recorded traces, replayed", "nanoseconds a call")
    plot.bars(rows, list(found))
    return plot


def _checks(results):
    measurement = results_file.find(results, "replay-handshake")
    if not measurement:
        return None
    middle = results_file.medians(measurement)
    ours = [contender for contender in contenders.CONTENDERS if contender.name.startswith("ours")]
    plot = Plot("Handshakes replayed, without one check each", "nanoseconds a call", "off")
    plot.bars([[of.title, middle[of.name]] for of in ours], ["handshake"])
    return plot


def _threads(results):
    found = {count: results_file.find(results, f"threads-{count}") for count in catalogue.THREADS}
    if not all(found.values()):
        return None
    rows = []
    for count, measurement in found.items():
        speed = replay_tables.throughput(measurement, count)
        rows.append([count, *(speed[name] for name in contenders.MAIN if name != "null")])
    plot = Plot("Threads that replay handshakes", "million calls a second")
    plot.add("set xtics 1")
    titles = [contenders.TITLES[name] for name in contenders.MAIN if name != "null"]
    plot.lines(rows, titles, "threads")
    return plot


def _steps(measurement, field):
    """Rows of x, without, with from the steps of its rounds."""
    rows = []
    for index, step in enumerate(measurement["pairs"][0]["steps"]["with"]):
        values = [
            stats.median([pair["steps"][side][index][field] for pair in measurement["pairs"]])
            for side in SIDES
        ]
        rows.append([step["connections"], *values])
    return rows


def _memory(results):
    measurement = results_file.find(results, "memory-idle")
    if not measurement:
        return None
    private, secret = (_steps(measurement, field) for field in ("private_kib", "secret_kib"))
    rows = [[*row, of_which[2]] for row, of_which in zip(private, secret)]
    plot = Plot("Memory of an nginx worker", "KiB", "left top")
    plot.lines(rows, ["private, without", "private, with", "of which secret"], "idle connections")
    return plot


def _connections(results):
    measurement = results_file.find(results, "handshake-open")
    if not measurement:
        return None
    plot = Plot("Full handshakes beside idle connections", "µs of worker CPU", "left bottom")
    plot.lines(_steps(measurement, "us"), SIDES, "idle connections")
    return plot


def _fork(results):
    rows = []
    for size in catalogue.SIZES:
        measurement = results_file.find(results, f"fork-{size}")
        if not measurement:
            return None
        middle = results_file.medians(measurement)
        rows.append([float(size), *(middle[side] / 1000 for side in FORK_SIDES)])
    plot = Plot("fork and wait", "milliseconds", "left top")
    plot.add("set logscale xy", "set yrange [*:*]")
    plot.lines(rows, FORK_SIDES, "MiB live")
    return plot


def _arena(results):
    measurement = results_file.find(results, "arena-replay")
    if not measurement:
        return None
    middle = results_file.medians(measurement)
    plot = Plot("Handshakes replayed, by size of the arena", "nanoseconds a call", "off")
    plot.bars([[size, middle[size]] for size in catalogue.ARENAS], ["handshake"])
    return plot


PLOTS = {
    "replay": _replay,
    "checks": _checks,
    "threads": _threads,
    "memory": _memory,
    "connections": _connections,
    "fork": _fork,
    "arena": _arena,
}


def draw(results, directory):
    """Every plot that the run has figures for, as DIRECTORY/NAME.svg; how many."""
    gnuplot = shutil.which("gnuplot")
    if gnuplot is None:
        raise BenchError("gnuplot is not installed; scripts/setup installs what is needed")
    plots = {name: make(results) for name, make in PLOTS.items()}
    plots = {name: plot for name, plot in plots.items() if plot}
    if plots:
        os.makedirs(directory, exist_ok=True)
    for name, plot in plots.items():
        plot.draw(gnuplot, os.path.join(directory, f"{name}.svg"))
    return len(plots)
