# SPDX-License-Identifier: Apache-2.0
"""The soak of servers: what it must find it finds, and a short one passes."""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../system"), HERE]
from harness import report, table  # noqa: E402

import judge  # noqa: E402
import page  # noqa: E402
import soak  # noqa: E402

FIGURES = {"anonymous_kib": 9000, "secret_kib": 3000, "descriptors": 20, "mappings": 100}
LOOK = {"main": FIGURES, "processes": 5, "all": FIGURES}
GOOD = {
    "server": "nginx", "protected": True, "wave": 10, "opens": 0, "channel": 2, "base": LOOK, "end": LOOK, "settled": True,
    "complaints": [],
    "load": {"seconds": 60, "connections": 5000, "reloads": 9, "kills": 1, "waves": 2, "most": 10}, "messages": [],
    "samples": [{"at": 5 * number, **LOOK} for number in range(30)], "kills": [(10.0, 10.1)], "copies": 0,
    "failures": [(9.9, 10.05, "reset"), (10.05, 10.2, "reset")]}


def with_(path, value):
    """A good run in which one thing is another."""
    found = json.loads(json.dumps(GOOD))
    at = found
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value
    return found


def scenario_judge(_env, rep):
    """A good run is good, and each single fault is found."""
    rep.equal(judge.wrong(GOOD), [], "nothing is wrong with a good run")
    faults = {
        "a connection that fails before a kill": (("failures",), [(9.0, 9.9, "reset")]),
        "a connection that fails after a kill": (("failures",), [(10.2, 10.3, "reset")]),
        "a server that does not come to rest": (("settled",), False),
        "no reload": (("load", "reloads"), 0),
        "few connections": (("load", "connections"), 99),
        "no wave": (("load", "waves"), 0),
        "a line of the server's log": (("complaints",), ["process 7 ended by signal 11"]),
        "a message": (("messages",), ["libsecretssl: degraded"]),
        "one descriptor more": (("end", "main", "descriptors"), 21),
        "one descriptor more in a worker": (("end", "all", "descriptors"), 21),
        "more memory": (("end", "main", "anonymous_kib"), 11000),
        "more secret memory": (("end", "all", "secret_kib"), 5000),
        "more mappings": (("end", "main", "mappings"), 119),
        "no secret memory": (("end", "main", "secret_kib"), 0),
        "a copy": (("copies",), 1),
        "a scan that could not look": (("copies",), 2),
    }
    for what, (path, value) in faults.items():
        rep.equal(len(judge.wrong(with_(path, value))), 1, f"{what} is found")


def scenario_creeping(_env, rep):
    """Growth during the run is found, a wave is not growth."""
    found = json.loads(json.dumps(GOOD))
    for number, one in enumerate(found["samples"]):
        one["main"] = {**FIGURES, "descriptors": 20 + number // 10}
    rep.equal(len(judge.creeping(found["samples"])), 1, "descriptors that grow in steps")
    for number, one in enumerate(found["samples"]):
        one["main"] = {**FIGURES, "anonymous_kib": 9000 + 40000 * (number % 4 == 0)}
    rep.equal(judge.creeping(found["samples"]), [], "memory that comes and goes")
    for number, one in enumerate(found["samples"]):
        one["main"], one["processes"] = {**FIGURES, "descriptors": 20 + 2 * (number // 10)}, 5 + number // 10
    rep.equal(judge.creeping(found["samples"], 2), [], "descriptors for workers that have not ended yet")
    rep.equal(len(judge.creeping(found["samples"], 1)), 1, "more descriptors than these")


def scenario_current(_env, rep):
    """The page is made from the results, all of which are good and of half an hour."""
    rows, text = page.load(), page.PAGE.read_text(encoding="utf-8")
    rep.equal(table.in_page(text, page.BEGIN, page.END), page.rendered(rows),
              "the table is current")
    rep.equal(set(rows), set(page.TITLES), "each server has a run")
    for name, sides in rows.items():
        for side, found in sides.items():
            rep.equal(found["wrong"], [], f"{name} {side}: nothing was wrong")
        rep.ok(sides["with"]["load"]["seconds"] >= 1800, f"{name}: half an hour with the preload")


def short(env, rep, kind):
    """Some seconds of it, with disturbances that come as often as the server bears."""
    report.more_time(240)
    often = type(kind.__name__, (kind,), {"every": {"reload": 2, "kill": 5}})
    found = soak.run(env, often, True, 0.2, kind.wave // 50, 3)
    wrong = judge.wrong(found)
    soak.tell(found, wrong)
    rep.ok(found["load"]["kills"], f"{kind.name}: a process was killed")
    rep.equal(wrong, [], f"{kind.name}: nothing is wrong after some seconds")


def scenario_nginx(env, rep):
    short(env, rep, soak.SERVERS["nginx"])


def scenario_postgresql(env, rep):
    short(env, rep, soak.SERVERS["postgresql"])


if __name__ == "__main__":
    report.main(sys.modules[__name__])
