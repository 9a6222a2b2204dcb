# SPDX-License-Identifier: Apache-2.0
"""SECRETSSL_STATS=1: which ways to end print the summary, which cannot, and where it goes."""

import os
import re
import signal
import sys

from harness import process, report

WAYS = {"library": "libsecretmem", "openssl": "libsecretssl"}
SUMMARY = r"summary: .*; (\d+) allocations, (\d+) bytes live; .*; \d+ messages lost"
SPEAKS = {"return": 0, "exit": 0, "quick_exit": 0, "thread": 0, "pthread_exit": 0, "handler": 0}
SILENT = {"_exit": 0, "exec": 0, "term": -signal.SIGTERM, "abort": -signal.SIGABRT}


def start(env, way, how, **settings):
    settings = {"SECRETSSL_STATS": "1", **settings}
    environ = env.preloaded(**settings) if way == "openssl" else env.plain(**settings)
    return process.run(env, [os.path.join(env.helpers, f"trace-{way}", "ends"), how], environ,
                       limits={"CORE": 0})


def summaries(way, text):
    """Process id, allocations and live bytes of each summary."""
    return [tuple(map(int, match)) for match in
            re.findall(rf"^{WAYS[way]}: \[(\d+)\] {SUMMARY}$", text, re.M)]


def scenario_speaks(env, rep):
    """exit() in any form, and quick_exit(): one line; without the setting none."""
    for way in WAYS:
        for how, status in SPEAKS.items():
            result = start(env, way, how)
            rep.equal((result.status, summaries(way, result.err), len(result.err.splitlines())),
                      (status, [(result.pid, 1, 0)], 1), f"{way} {how}: one summary")
            control = start(env, way, how, SECRETSSL_STATS="0")
            rep.equal((control.status, control.err), (status, ""), f"{way} {how}: none without")


def scenario_last(env, rep):
    """It comes behind the destructors of other libraries, and OpenSSL's own handler."""
    for way in WAYS:
        result = start(env, way, "destructor")
        rep.equal((result.status, summaries(way, result.err)), (0, [(result.pid, 2, 0)]),
                  f"{way}: what a destructor frees is not live")
    result = process.run(env, ["openssl", "version"], env.preloaded(SECRETSSL_STATS="1"))
    found = summaries("openssl", result.err)
    rep.ok(len(found) == 1 and found[0][1] > 1000 and found[0][2] == 0,
           "nor what OpenSSL frees at its end", result)


def scenario_silent(env, rep):
    """Ways to end that run none of the process's code: documented, and changed in nothing."""
    for way in WAYS:
        for how, status in SILENT.items():
            result = start(env, way, how)
            rep.equal((result.status, result.err), (status, ""), f"{way} {how}: no summary")


def scenario_forked(env, rep):
    """Parent and child each have a summary of their own."""
    for way in WAYS:
        result = start(env, way, "forked")
        child = int(re.search(r"^child (\d+)$", result.out, re.M)[1])
        rep.equal(sorted(summaries(way, result.err)), sorted([(result.pid, 1, 0), (child, 1, 0)]),
                  f"{way}: each its own figures")


def scenario_fork_at_last(env, rep):
    """A fork behind our own destructor is announced all the same."""
    for way in WAYS:
        result = start(env, way, "fork_at_last")
        rep.equal((result.status, summaries(way, result.err), len(result.err.splitlines())),
                  (0, [(result.pid, 2, 0)], 1), f"{way}: the child has what it needs")


def scenario_raw_child(env, rep):
    """A child of _Fork that calls exit() has nothing to say, and does not try to."""
    for way in WAYS:
        result = start(env, way, "raw_child", SECRETSSL_TRACE="1")
        rep.equal((result.status, summaries(way, result.err)), (0, [(result.pid, 2, 0)]),
                  f"{way}: the parent's summary only")
        rep.ok(result.err.count("trace: ") == 1
               and f"[{result.pid}] trace: no block is live" in result.err,
               f"{way}: and its report", result)


def scenario_in_handler(env, rep):
    """exit() in a handler that interrupted malloc: no report, and no wait for it."""
    for way in WAYS:
        said = []
        for _ in range(20):
            result = start(env, way, "alarm", SECRETSSL_TRACE="1")
            said += re.findall(r"trace: (.*)", result.err)[:1]
            if result.status != 0 or "interrupted malloc" in said[-1]:
                break
        rep.ok(result.status == 0 and said and "no report: exit was called in a handler" in said[-1]
               and len(summaries(way, result.err)) == 1, f"{way}: a line says so", result)


def scenario_without_stderr(env, rep):
    """Descriptor 2 closed, or another file by now: nothing gets there, and the rest goes on."""
    for way in WAYS:
        for how in "closed", "reused":
            result = start(env, way, how)
            rep.equal((result.status, result.err), (0, ""), f"{way} {how}: nothing on stderr")
            log = env.path(f"{way}-{how}.log")
            result = start(env, way, how, SECRETSSL_LOG=log)
            with open(log, encoding="utf-8") as file:
                rep.equal(summaries(way, file.read()), [(result.pid, 1, 0)],
                          f"{way} {how}: a log file gets it all the same")
        with open(env.path("data"), encoding="utf-8") as file:
            rep.equal(file.read(), "data\n", f"{way}: the program's file has its own bytes only")
        os.remove(env.path("data"))


def scenario_quick_exit_trace(env, rep):
    """A quick exit frees nothing, so that it reports no leaks."""
    for way in WAYS:
        result = start(env, way, "quick_exit", SECRETSSL_TRACE="1")
        rep.ok("trace:" not in result.err and len(summaries(way, result.err)) == 1,
               f"{way}: a summary and no trace", result)
        result = start(env, way, "exit", SECRETSSL_TRACE="1")
        rep.ok("trace: no block is live" in result.err and len(summaries(way, result.err)) == 1,
               f"{way}: both by exit()", result)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
