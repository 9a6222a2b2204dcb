#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a fork costs a process under the preload, by who copies its secrets.

usage: forks.py BUILD [ROUNDS]

BUILD is a directory in which the project was built, with bench/fork-cost in it. Prints a JSON object: for each
side the nanoseconds of each fork+_exit and fork+exec of /bin/true, one of each side in turn, their medians, and the
ratios to the same process with nothing live. Run it in a guest: `run 6.12 -- .../forks.py build/release`.
"""

import json
import os
import resource
import statistics
import subprocess
import sys

LITTLE, MUCH = 1024, 16 << 20  # bytes live
SIDES = {  # name: bytes live, settings (None: without the preload)
    "without the preload, nothing live": (LITTLE, None),
    "without the preload": (MUCH, None),
    "kernel, nothing live": (LITTLE, {}),
    "kernel": (MUCH, {}),
    "library, nothing live": (LITTLE, {"SECRETSSL_FORK_COPY": "library"}),
    "library": (MUCH, {"SECRETSSL_FORK_COPY": "library"}),
}


def start(build, live, settings):
    environment = {"PATH": os.environ["PATH"]}
    if settings is not None:
        environment.update(settings, LD_PRELOAD=os.path.join(build, "lib/libsecretssl.so"), SECRETSSL_REQUIRE="1")
    child = subprocess.Popen([os.path.join(build, "bench/fork-cost"), str(live), "/bin/true"], env=environment,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if not child.stdout.readline().startswith("ready"):
        sys.exit("forks.py: fork-cost did not start")
    return child


def ask(child, what):
    child.stdin.write(what + "\n")
    child.stdin.flush()
    return int(child.stdout.readline())


def check_copies(build, children, rounds):
    """That each side was what its name says."""
    for name, child in children.items():
        if SIDES[name][1] is None:
            continue
        answer = subprocess.run([os.path.join(build, "bin/secretssl"), "stat", "--json", str(child.pid)],
                                capture_output=True, text=True, check=True).stdout
        by_kernel, state = (json.loads(answer)["processes"][0][key] for key in ("forks_by_kernel", "state"))
        if state != "protected" or by_kernel != (2 * rounds if name.startswith("kernel") else 0):
            sys.exit(f"forks.py: {name}: {state}, {by_kernel} copies by the kernel")


def main():
    build, rounds = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 15
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    children = {name: start(build, *how) for name, how in SIDES.items()}
    raw = {what: {name: [] for name in SIDES} for what in ("fork", "exec")}
    for turn in range(rounds + 1):
        for what, sides in raw.items():
            for name in sides:
                took = ask(children[name], what)
                if turn > 0:  # The first touches what later ones find.
                    sides[name].append(took)
    check_copies(build, children, rounds + 1)
    for child in children.values():
        child.stdin.close()
        child.wait()
    medians = {what: {name: statistics.median(all_) for name, all_ in sides.items()} for what, sides in raw.items()}
    ratios = {what: {name: round(sides[name] / sides[name + ", nothing live"], 2)
                     for name in ("without the preload", "kernel", "library")} for what, sides in medians.items()}
    print(json.dumps({"ratios": ratios, "medians_ns": medians, "raw_ns": raw}, indent=1))


main()
