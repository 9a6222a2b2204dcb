# SPDX-License-Identifier: Apache-2.0
"""Copies for children in pages that an ended child had: nobody sees what another process wrote."""

import bisect
import sys
import time

from harness import environment, figures, process, report

PROGRAM = "fork_recycled"
SPARES = "fork_spares"


RESERVE = {"SECRETSSL_FORK_RESERVE": "64M"}


def both(env, rep, *cases, **settings):
    for case in cases:
        process.run_checks(env, rep, PROGRAM, ["ordinary", case], env.plain(),
                           title=f"{case} without the preload", seconds=100)
        process.run_checks(env, rep, PROGRAM, ["secret", case], env.preloaded(**{**RESERVE, **settings}),
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
    process.run_checks(env, rep, SPARES, ["secret", "migrates"], env.preloaded(**RESERVE), title="migrates", seconds=200)


def scenario_filter(env, rep):
    """A filter, installed after the first forks, forbids to move a copy to its place."""
    process.run_checks(env, rep, SPARES, ["ordinary", "unmovable"], env.plain(), title="plain", seconds=100)
    done = process.run(env, [env.helper(SPARES), "secret", "unmovable"], env.preloaded(SECRETSSL_REQUIRE="1", **RESERVE), seconds=100)
    rep.ok(done.status == 0 and "not ok" not in done.out, "no child's secrets end in other memory", done)


def scenario_thread_later(env, rep):
    process.run_checks(env, rep, SPARES, ["secret", "threads"], env.preloaded(**RESERVE), title="threads", seconds=100)


def scenario_many(env, rep):
    """Two thousand forks, or ten thousand: no growth."""
    both(env, rep, "many")


def scenario_settings(env, rep):
    both(env, rep, "exits", SECRETSSL_ZERO="0")
    both(env, rep, "exits", "alive", SECRETSSL_FORK_RESERVE="64K")
    both(env, rep, "exits", SECRETSSL_ARENA_SIZE="3M")
    process.run_checks(env, rep, PROGRAM, ["secret", "exits"], env.preloaded(SECRETSSL_FORK_RESERVE="0"),
                       title="none", seconds=100)


def recycled(env, **settings):
    """What stat says after some forks of a program that goes on forking."""
    child = process.Child(env, [env.helper(PROGRAM), "secret", "many"], env.preloaded(**settings, LIBSECRETSSL_TEST_LONG="1"))
    found, end = {}, time.monotonic() + 60
    while time.monotonic() < end and found.get("forks", 0) < 300:
        found = figures.of(env, child.pid)
        time.sleep(0.05)
    child.stop()
    return found


def scenario_is_used(env, rep):
    """The control of all others: pages are recycled, and without the setting they are not."""
    found = recycled(env, **RESERVE)
    rep.ok(found["forks_recycled"] > 0.9 * found["forks"] > 0 and found["fork_reserve_bytes"] > 0,
           "nearly every child gets recycled pages", found)
    rep.ok(found["fork_reserve_bytes"] <= 3 * found["mapped_bytes"], "few are kept", found)
    for settings in {}, {"SECRETSSL_FORK_RESERVE": "0"}:
        found = recycled(env, **settings)
        rep.ok(found["forks"] > 0 and found["forks_recycled"] == found["fork_reserve_bytes"] == 0,
               f"none with {settings or 'no setting'}", found)


def scenario_token_given_up(env, rep):
    """The control: where a child gives up what says that it lives, the checks of the others fail."""
    process.run_checks(env, rep, PROGRAM, ["secret", "detached"], env.preloaded(**RESERVE), title="detached",
                       seconds=100)


def scenario_no_segments(env, rep):
    """Without System V shared memory nothing can be recycled, and everything works."""
    done = process.run(env, ["unshare", "--ipc", "sh", "-c",
                             "echo 0 >/proc/sys/kernel/shmmni && "
                             f"exec {env.helper(PROGRAM)} secret exits"], env.preloaded(**RESERVE), seconds=100)
    rep.ok(done.status == 0 and "not ok" not in done.out and done.err == "", "no segment to be had", done)


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
        rep.ok(quiet(env, path, limit, **RESERVE), f"{limit >> 10} KiB are enough with them")


def scenario_no_descriptors(env, rep):
    both(env, rep, "exits")
    process.run_checks(env, rep, PROGRAM, ["secret", "execs"], env.preloaded(**RESERVE), title="3 descriptors",
                       limits={"NOFILE": (4, 4)}, seconds=100)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
