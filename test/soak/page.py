# SPDX-License-Identifier: Apache-2.0
"""The table and the plots of docs/soak.md, and what they are made from (results/)."""

import json
import shutil
import subprocess
from pathlib import Path

from harness import table  # found beside the system tests

import judge

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
PAGE = HERE.parents[1] / "docs/soak.md"
BEGIN = "<!-- soak: written by test/soak/soak.py --keep -->\n"
END = "<!-- end of soak -->\n"
TITLES = {"nginx": "nginx", "postgresql": "PostgreSQL"}
POINTS = 120  # of a plot
PLOT = """
set terminal svg size 900,620 dynamic background rgb 'white' font 'sans,13'
set output '{output}'
set multiplot layout 2,1 title "{title}"
set grid ytics lc rgb '#dddddd'
set border 3
set tics nomirror
set key outside right top
set yrange [0:*]
set xlabel "minutes"
$data << END
{rows}
END
set ylabel "MiB, all processes"
plot $data using 1:2 with lines lw 2 title "anonymous", $data using 1:3 with lines lw 2 title "secret"
set ylabel "all processes"
plot $data using 1:4 with lines lw 2 title "descriptors", $data using 1:5 with lines lw 2 title "mappings"
"""


def reduced(found, wrong):
    """What is kept of a run."""
    step = max(1, len(found["samples"]) // POINTS)
    return {"load": found["load"], "wave": found["wave"], "failed": len(found["failures"]),
            "unexplained": len(judge.unexplained(found["failures"], found["kills"])), "wrong": wrong,
            "base": found["base"], "end": found["end"],
            "samples": [[round(one["at"] / 60, 2), one["processes"], *one["all"].values()]
                        for one in found["samples"][::step]]}


def keep(name, sides):
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(
        json.dumps(sides, indent=1, ensure_ascii=False).replace("\n    ", " ") + "\n", encoding="utf-8")
    draw(name, sides["with"])
    publish()


def draw(name, found):
    rows = "\n".join(f"{at} {anonymous / 1024} {secret / 1024} {descriptors} {mappings}"
                     for at, _, anonymous, secret, descriptors, mappings in found["samples"])
    script = PLOT.format(output=RESULTS / f"{name}.svg", rows=rows, title=f"{TITLES[name]} with the preload")
    subprocess.run([shutil.which("gnuplot") or "gnuplot"], input=script, text=True, check=True, timeout=60)


def load():
    return {name: json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")) for name in TITLES
            if (RESULTS / f"{name}.json").exists()}


def line(name, side, found):
    load_ = found["load"]

    def change(who, what, unit=1):
        return " → ".join(f"{found[when][who][what] / unit:,.{0 if unit == 1 else 1}f}" for when in ("base", "end"))

    return (f"| {TITLES[name]}, {side} | {load_['seconds'] / 60:.0f} | {load_['connections']:,} | "
            f"{load_['reloads']:,} | {load_['kills']} | {load_['waves']} × {load_['most']:,} | {found['failed']} | {found['unexplained']} | "
            f"{change('main', 'anonymous_kib', 1024)} | {change('all', 'anonymous_kib', 1024)} | "
            f"{change('all', 'secret_kib', 1024)} | {change('all', 'descriptors')} | {change('all', 'mappings')} |\n")


def rendered(rows):
    if not rows:
        return "No run has been kept yet.\n"
    head = ("| | minutes | connections | reloads | killed | waves | failed | of these unexplained | "
            "anonymous MiB, main process | the same, all | secret MiB, all | descriptors | mappings |\n"
            "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
    plots = "".join(f"\n![{TITLES[name]} during its soak](../test/soak/results/{name}.svg)\n" for name in rows)
    return head + "".join(line(name, side, found) for name, sides in rows.items()
                          for side, found in sides.items()) + plots


def publish():
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(table.put_into_page(text, rendered(load()), BEGIN, END), encoding="utf-8")
