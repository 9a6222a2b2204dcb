#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Servers under full load for a long time, with reloads, killed processes, and waves of idle connections.

usage: soak.py [--minutes N] [--control N] [--wave N] [--keep] [--build DIR] [nginx | postgresql]…

Runs each server with the preload for N minutes (30), and without it (--control: 5). The connections of a wave are
10,000 for nginx and 250 for PostgreSQL. With --keep the results and docs/soak.md are written. Exit status 0: no
connection failed but those of killed processes, and nothing grew. Needs root.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))
from harness import memory, process  # noqa: E402
from harness.environment import Environment  # noqa: E402

import judge  # noqa: E402
import page  # noqa: E402
from servers import SERVERS, figures  # noqa: E402

ASKERS = 3  # processes that ask one question after the other
WARM = 10  # seconds of load before the first look
STEP = 5  # seconds between two looks
NAMES = ("anonymous_kib", "secret_kib", "descriptors", "mappings")


class Clients:
    """Processes of load.py, and what they print in the end."""

    def __init__(self, server, wave):
        common = {"server": server.wire, "port": server.port, "trust": [one.certificate for one in server.identities]}
        plans = [{**common, "kind": "handshakes", "source": f"127.0.0.{number + 2}"} for number in range(ASKERS)]
        plans.append({**common, "kind": "waves", "source": "127.0.0.100", "count": wave, "hold": 5})
        self.children = [subprocess.Popen([sys.executable, "-B", str(HERE / "load.py"), json.dumps(plan)],
                                          stdout=subprocess.PIPE, text=True) for plan in plans]

    def end(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
                child.wait()

    def results(self):
        """Everything that they did: connections, failures and waves."""
        for child in self.children:
            child.terminate()
        said = [json.loads(child.communicate(timeout=300)[0]) for child in self.children]
        return {name: sum((one[name] for one in said), type(said[0][name])()) for name in said[0]}


def look(server):
    """Figures of the main process, and sums over all."""
    found = {pid: figures(pid) for pid in server.processes()}
    there = [one for one in found.values() if one]
    return {"main": found.get(server.main), "processes": len(there),
            "all": {name: sum(one[name] for one in there) for name in NAMES}}


def rested(server):
    """Whether it comes to rest, and what it has then. What a worker of nginx keeps depends on what it served, so that
    workers are compared that have served nothing."""
    server.reload_()
    settled = server.at_rest()
    # What a process gives back when it is idle takes it some seconds.
    time.sleep(15)
    return settled, look(server)


def soak(server, seconds, wave):
    """Load and disturbance for so long: samples, kills, what the clients say, and the load in figures."""
    clients = Clients(server, wave)
    try:
        return disturbed(server, clients, seconds)
    finally:
        clients.end()


def disturbed(server, clients, seconds):
    begin = time.monotonic()
    due = {name: begin + every for name, every in (*server.every.items(), ("look", STEP))}
    samples, kills, reloads = [], [], 0
    while (now := time.monotonic()) < begin + seconds:
        if now >= due["reload"]:
            reloads += bool(server.reload_())
            due["reload"] = time.monotonic() + server.every["reload"]
        if now >= due["kill"]:
            kills += filter(None, [server.disturb()])
            due["kill"] = time.monotonic() + server.every["kill"]
        if now >= due["look"]:
            found = look(server)
            if found["main"]:
                samples.append({"at": round(now - begin, 1), **found})
            due["look"] = now + STEP
        time.sleep(0.1)
    said = clients.results()
    return samples, kills, said, {
        "seconds": seconds, "connections": said["done"], "reloads": reloads, "kills": len(kills),
        "waves": len(said["waves"]), "most": max((count for _, _, count in said["waves"]), default=0)}


def run(env, kind, protected, minutes, wave, warm=WARM):
    """One server on one side, from its start to its end."""
    log = env.path("messages")
    Path(log).touch()
    Path(log).chmod(0o666)
    settings = {"SECRETSSL_REQUIRE": "1", "SECRETSSL_LOG": log} if protected else {}
    server = kind(env, env.chosen(protected, **settings))
    try:
        soak(server, warm, min(wave, 100))
        settled_at_first, base = rested(server)
        samples, kills, said, load = soak(server, minutes * 60, wave)
        settled, end = rested(server)
        pids = [pid for pid in server.processes() if process.alive(pid)]
        copies = memory.scan(env, [one.key for one in server.identities], *pids).status
        complaints = server.complaints(load["kills"])
    finally:
        server.stop()
    messages = [line for line in Path(log).read_text(encoding="utf-8").splitlines() if "summary:" not in line]
    return {"server": kind.name, "protected": protected, "wave": wave, "opens": kind.opens,
            "channel": kind.channel, "load": load,
            "base": base, "end": end, "samples": samples, "kills": kills, "failures": said["failures"],
            "settled": settled and settled_at_first,
            "complaints": complaints, "messages": messages, "copies": copies}


def tell(found, wrong):
    side = "with" if found["protected"] else "without"
    load = found["load"]
    print(f"# {found['server']} {side}: {load['connections']:,} connections in {load['seconds']:.0f} s, "
          f"{load['reloads']} reloads, {load['kills']} killed, {load['waves']} waves of up to {load['most']:,}, "
          f"{len(found['failures'])} failed, of these {len(judge.unexplained(found['failures'], found['kills']))} "
          "unexplained", flush=True)
    for who in "main", "all":
        print(f"#   {who}: " + "; ".join(f"{name} {found['base'][who][name]:,} to {found['end'][who][name]:,}"
                                         for name in NAMES), flush=True)
    for line in wrong:
        print(f"not ok {found['server']} {side}: {line}", flush=True)
    if not wrong:
        print(f"ok {found['server']} {side}", flush=True)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].removeprefix("usage: "))
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--control", type=float, default=5)
    parser.add_argument("--wave", type=int)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--build", default=str(HERE.parents[1] / "build/release"))
    parser.add_argument("names", nargs="*", choices=[[], *SERVERS])
    words = parser.parse_args()
    failed = False
    for name in words.names or SERVERS:
        sides = {}
        for side, minutes in (("with", words.minutes), ("without", words.control)):
            if minutes <= 0:
                continue
            with Environment(words.build, "") as env:
                found = run(env, SERVERS[name], side == "with", minutes, words.wave or SERVERS[name].wave)
            wrong = judge.wrong(found)
            tell(found, wrong)
            failed = failed or bool(wrong)
            sides[side] = page.reduced(found, wrong)
        if words.keep:
            page.keep(name, sides)
    return failed


if __name__ == "__main__":
    sys.exit(main())
