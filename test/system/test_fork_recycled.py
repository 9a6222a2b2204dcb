# SPDX-License-Identifier: Apache-2.0
"""Copies for children in pages that an ended child had: nobody sees what another process wrote."""

import bisect
import sys
import time

from harness import environment, figures, process, report
from harness.fuse import Served

PROGRAM = "fork_recycled"
SPARES = "fork_spares"


class AlwaysExclusive:
    """A pagemap that says of every page that its process alone maps it."""
    ENTRY = b"\0\0\0\0\0\0\0\x01"

    def __len__(self):
        return 0  # as the kernel's

    def __getitem__(self, part):
        return (self.ENTRY * ((part.stop - part.start) // 8 + 2))[part.start % 8:][:part.stop - part.start]


def both(env, rep, *cases, **settings):
    for case in cases:
        process.run_checks(env, rep, PROGRAM, ["ordinary", case], env.plain(),
                           title=f"{case} without the preload", seconds=100)
        process.run_checks(env, rep, PROGRAM, ["secret", case], env.preloaded(**settings),
                           title=case, seconds=100)


def scenario_children_that_end(env, rep):
    both(env, rep, "exits", "killed", "execs")


def scenario_survivors(env, rep):
    """A process in the child's memory, of CLONE_VM or vfork, goes on after the child."""
    both(env, rep, "siblings", "vforks")


def scenario_alive(env, rep):
    """Fifty children at once, with others that come and go; and children that outlive the parent."""
    both(env, rep, "alive", "outlived")


def scenario_parent_grows(env, rep):
    both(env, rep, "grows")


def scenario_threads(env, rep):
    """Children with threads, whose children read their pages for a while, and that are killed then."""
    both(env, rep, "threads")


def scenario_compaction(env, rep):
    """The kernel tries to migrate secret pages while children live."""
    process.run_checks(env, rep, SPARES, ["secret", "migrates"], env.preloaded(), title="migrates", seconds=200)


def scenario_filter(env, rep):
    """A filter, installed after the first forks, forbids to move a copy to its place."""
    process.run_checks(env, rep, SPARES, ["ordinary", "unmovable"], env.plain(), title="plain", seconds=100)
    done = process.run(env, [env.helper(SPARES), "secret", "unmovable"], env.preloaded(SECRETSSL_REQUIRE="1"),
                       seconds=100)
    rep.ok(done.status == 0 and "not ok" not in done.out, "no child's secrets end in other memory", done)


def scenario_thread_later(env, rep):
    process.run_checks(env, rep, SPARES, ["secret", "threads"], env.preloaded(), title="threads", seconds=100)


def scenario_many(env, rep):
    """Ten thousand forks: no growth."""
    both(env, rep, "many")


def scenario_settings(env, rep):
    both(env, rep, "exits", SECRETSSL_ZERO="0")
    both(env, rep, "exits", "alive", SECRETSSL_FORK_RESERVE="64K")
    both(env, rep, "exits", SECRETSSL_ARENA_SIZE="3M")
    process.run_checks(env, rep, PROGRAM, ["secret", "exits"], env.preloaded(SECRETSSL_FORK_RESERVE="0"),
                       title="none", seconds=100)


def recycled(env, rep, title, *arguments, wrap=(), **settings):
    """What stat says after some forks of a program that goes on forking."""
    child = process.Child(env, [*wrap, env.helper(PROGRAM), "secret", *arguments],
                          env.preloaded(**settings))
    found, end = {}, time.monotonic() + 60
    while time.monotonic() < end and found.get("forks", 0) < 300:
        found = figures.of(env, child.pid)
        time.sleep(0.05)
    child.stop()
    return found


def scenario_is_used(env, rep):
    """The control of all others: pages are recycled, and with a reserve of 0 they are not."""
    found = recycled(env, rep, "used", "many")
    rep.ok(found["forks_recycled"] > 0.9 * found["forks"] > 0 and found["fork_reserve_bytes"] > 0,
           "nearly every child gets recycled pages", found)
    rep.ok(found["fork_reserve_bytes"] <= 3 * found["mapped_bytes"], "few are kept", found)
    found = recycled(env, rep, "none", "many", SECRETSSL_FORK_RESERVE="0")
    rep.ok(found["forks"] > 0 and found["forks_recycled"] == found["fork_reserve_bytes"] == 0,
           "none with SECRETSSL_FORK_RESERVE=0", found)


def scenario_pagemap_that_lies(env, rep):
    """The control: where the kernel's answer is wrong, the checks of the others fail."""
    served = Served(env.path("served"), AlwaysExclusive(), direct=True)
    try:
        for case, what in ("alive", "children that live at once"), ("siblings", "siblings"):
            done = process.run(
                env, ["unshare", "--mount", "sh", "-c",
                      f"mount --bind {served.file} /proc/$$/pagemap && exec {env.helper(PROGRAM)} secret {case}"],
                env.preloaded(), seconds=100)
            rep.ok("not ok" in done.out or done.status != 0,
                   f"{what} are seen to lose their memory when the pagemap lies", done)
    finally:
        served.end()


def scenario_no_pagemap(env, rep):
    """Without a pagemap nothing can be recycled, and everything works."""
    done = process.run(env, ["unshare", "--mount", "sh", "-c",
                             "mount --bind /dev/null /proc/$$/pagemap && "
                             f"exec {env.helper(PROGRAM)} secret exits"], env.preloaded(), seconds=100)
    rep.ok(done.status == 0 and "not ok" not in done.out and done.err == "", "an empty pagemap", done)


def quiet(env, path, limit, **settings):
    done = process.run(env, [path, "secret", "grows"], env.preloaded(SECRETSSL_REQUIRE="1", **settings),
                       user=environment.PLAIN_USER, limits={"MEMLOCK": (limit, limit)}, seconds=100)
    return done if done.status == 0 and "not ok" not in done.out and done.err == "" else None


def scenario_locked_memory(env, rep):
    """Where RLIMIT_MEMLOCK leaves room for what is live alone, no spare takes any of it."""
    path = env.reachable(env.helper(PROGRAM))
    env.preload = env.reachable(env.preload)
    limits = range(512 << 10, 8 << 20, 128 << 10)
    least = limits[bisect.bisect_left(
        limits, 1, key=lambda limit: quiet(env, path, limit, SECRETSSL_FORK_RESERVE="0") is not None)]
    rep.ok(least > 512 << 10, f"{least >> 10} KiB are enough without spares, and not less")
    for limit in least, least + (128 << 10), 2 * least:
        rep.ok(quiet(env, path, limit), f"{limit >> 10} KiB are enough with them")


def scenario_no_descriptors(env, rep):
    both(env, rep, "exits")
    process.run_checks(env, rep, PROGRAM, ["secret", "execs"], env.preloaded(), title="3 descriptors",
                       limits={"NOFILE": (4, 4)}, seconds=100)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
