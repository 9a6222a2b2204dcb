# SPDX-License-Identifier: Apache-2.0
"""System calls of libsecretssl fail, one at a time and at random: s_server and nginx go on."""

import signal
import sys

from harness import environment, faults, keys, process, report

LONG_SECONDS = 3600


def check_base(rep, base):
    """A run without a fault."""
    complaints = base.complaints() + [state for one in base.seen
                                      if (state := one.figures["state"]) != "protected"]
    rep.ok(not complaints and base.seen and not base.failed and not base.messages and base.status == 0,
           "without a fault: protected, and nothing is said", "\n".join([*complaints, str(base)]))


def each_call(env, rep, server, required, wanted, only=()):
    """Each call fails once, with each error that it can have. only: options of faults that choose calls"""
    if environment.LONG:
        report.more_time(LONG_SECONDS)
    identity = keys.Identity(env, "rsa")
    base = server(env, identity, only, required)
    check_base(rep, base)
    every = [(number, name, error) for number, name, errors in base.calls() for error in range(errors)]
    rep.note(f"{len(base.calls())} calls, {len(every)} faults")
    jobs = [(f"{name} {number}, error {error}",
             lambda number=number, error=error: server(
                 env, identity, [*only, "--nth", number, "--error", error], required, base))
            for number, name, error in faults.sample_each(every, wanted, lambda one: one[1])]
    faults.try_all(rep, "required" if required else "not required", jobs)


def scenario_s_server(env, rep):
    each_call(env, rep, faults.SServer, False, 2)


def scenario_s_server_required(env, rep):
    each_call(env, rep, faults.SServer, True, 2)


def scenario_nginx(env, rep):
    each_call(env, rep, faults.Nginx, False, 1)


def scenario_nginx_required(env, rep):
    each_call(env, rep, faults.Nginx, True, 1)


def scenario_nginx_recycled(env, rep):
    """The calls of copies in pages that an ended child had."""
    only = [part for name in ("shmget", "shmat", "shmctl", "mincore", "mremap") for part in ("--call", name)]
    for required in False, True:
        each_call(env, rep, faults.Recycling, required, 2, only)


def at_random(env, rep, server, wanted):
    """Each call fails with a probability of 1%."""
    if environment.LONG:
        report.more_time(LONG_SECONDS)
    identity = keys.Identity(env, "rsa")
    for required in False, True:
        base = server(env, identity, [], required)
        check_base(rep, base)
        jobs = [(f"seed {seed}", lambda seed=seed: server(
            env, identity, ["--chance", 100, "--seed", seed], required, base))
                for seed in faults.sample(range(1, 20 * wanted + 1), wanted)]
        faults.try_all(rep, "required" if required else "not required", jobs)


def scenario_s_server_random(env, rep):
    at_random(env, rep, faults.SServer, 6)


def scenario_nginx_random(env, rep):
    at_random(env, rep, faults.Nginx, 3)


def probe(env, rep, title, options, action, status):
    """A program under a filter of its own, which the library examines with calls that fail."""
    result = process.run(
        env, [env.helper("faults"), "--seen", *options, env.path("report"), env.helper("with_filter"),
              action, "env", f"LD_PRELOAD={env.preload}", "openssl", "version"], env.plain())
    with open(env.path("report"), encoding="ascii") as file:
        said = file.read()
    rep.ok("fault" in said and f"status {status}\n" in said and "OpenSSL" in result.out, title,
           f"{result}\n{said[:200]}")
    return said


def scenario_filter_examined(env, rep):
    """The examination of a filter that kills goes on where a call of its own fails."""
    for error in range(3):
        probe(env, rep, f"reading /proc/self/status fails, {error}",
              ["--call", "read", "--nth", "1", "--error", str(error)], "KILL", 0)
        probe(env, rep, f"opening /proc/self/status fails, {error}",
              ["--call", "openat", "--nth", "1", "--error", str(error)], "KILL", 0)
    said = probe(env, rep, "a signal interrupts the wait for the process that tries",
                 ["--call", "clone", "--call", "wait4", "--nth", "2"], "ALLOW", 0)
    rep.equal(said.count(" clone "), 1, "and no second one is made, as if a call had ended it")


def scenario_allocations(env, rep):
    """One allocation of OpenSSL's fails in each connection: the server answers an error and goes on,
    or ends as it does without the preload."""
    identity = keys.Identity(env, "rsa")
    step = 1 if environment.LONG else 70
    if environment.LONG:
        report.more_time(LONG_SECONDS)
    for version in "1.2", "1.3":
        plain, protected = (faults.Allocations(env, identity, version, preload, step)
                            for preload in (False, True))
        rep.note(f"TLS {version}: {protected.next} allocations, {protected.failed} connections failed "
                 f"({plain.failed} without the preload), the server ended after {protected.ended} "
                 f"(without {plain.ended})")
        rep.ok(protected.failed and not protected.wrong, f"TLS {version}: errors, no wrong page",
               protected.wrong)
        strange = [status for _, status in protected.crashes
                   if status not in [other for _, other in plain.crashes]]
        rep.ok(not strange, f"TLS {version}: no crash but OpenSSL's own", protected.crashes)
        rep.ok(protected.last.figures["state"] == "protected" and not protected.last.exposed(),
               f"TLS {version}: protected in the end", protected.last.figures)
        rep.ok(not protected.more, f"TLS {version}: no descriptor is left", protected.more)
        rep.ok(plain.last.copies, f"TLS {version}: the control has copies of the key")


def scenario_allocations_at_start(env, rep):
    """The same in a process with both ends, from its first allocation on: errors, and the crashes that
    OpenSSL has by itself when an allocation of its start fails."""
    identity = keys.Identity(env, "rsa")
    if environment.LONG:
        report.more_time(LONG_SECONDS)
    statuses = {}
    for protected in False, True:
        statuses[protected] = faults.statuses_at_start(env, identity, protected,
                                                       5 if environment.LONG else 120)
        rep.note(f"{'with' if protected else 'without'} the preload: {statuses[protected]}")
    rep.ok(set(statuses[True]) <= {0, 1, -signal.SIGSEGV} and 1 in statuses[True],
           "errors, and the end of the process", statuses)
    rep.ok(-signal.SIGSEGV not in statuses[True] or -signal.SIGSEGV in statuses[False],
           "no crash but OpenSSL's own", statuses)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
