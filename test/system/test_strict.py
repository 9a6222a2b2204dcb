# SPDX-License-Identifier: Apache-2.0
"""secretssl stat --strict, and what speaks against a process's protection."""

import os
import re
import shutil
import sys
import time

from harness import environment, figures, process, report


def strict(env, *arguments, **options):
    return figures.stat(env, "--strict", *arguments, **options)


def refused(rep, result, said, title):
    """Status 1, and one line for systemd's log that says why."""
    rep.ok(result.status == 1 and result.err.count("\n") == 1 and said in result.err
           and result.err.startswith("secretssl: stat: "), title, result)


def scenario_judgement(env, rep):
    """Each counter alone: which of them take the word 'protected' from a process."""
    for counter, state in (("nothing", "protected"), ("locked", "degraded"), ("spilled", "degraded"),
                           ("degraded", "degraded"), ("hooks_late", "degraded"),
                           ("failed", "refusing"), ("fork_failed", "refusing"),
                           ("unguarded", "protected"), ("files_cached", "protected"),
                           ("messages_lost", "protected"), ("uncached", "protected"),
                           ("forks", "protected")):
        child = process.Child(env, [env.helper("liar"), "count", counter], env.plain())
        figures.named(child.pid, "told")
        found = figures.of(env, child.pid)
        rep.equal((found["state"], found["status"]), (state, 0), f"{counter}: {state}")
        result = strict(env, child.pid)
        rep.equal(result.status, 0 if state == "protected" else 1, f"{counter}: --strict")
        child.stop()


def scenario_lapses(env, rep):
    """Each of src/log/lapse.h alone: none that harms lets a process be called protected."""
    states = {"EXPOSED": "degraded", "REFUSED": "refusing", "LESSER": "protected"}
    with open(os.path.join(os.path.dirname(__file__), "..", "..", "src", "log", "lapse.h"), encoding="utf-8") as file:
        entries = re.findall(r"entry\((\w+), (\w+), \"(.*?)\"\)", file.read())
    rep.ok(len(entries) > 20 and {harm for _, harm, _ in entries} == set(states),
           f"{len(entries)} entries, of every harm")
    for name, harm, what in entries:
        child = process.Child(env, [env.helper("liar"), "count", name], env.plain())
        figures.named(child.pid, "told")
        found = figures.of(env, child.pid)
        rep.equal((found["state"], found["lapses"]), (states[harm], {name.lower(): 1}),
                  f"{name}: {states[harm]}")
        rep.ok(harm == "LESSER" or found["reason"] == what, f"{name}: {what}", found["reason"])
        child.stop()


def scenario_strict(env, rep):
    """Whatever is not fully protected fails it, with one line; a protected process does not."""
    good = figures.seclude(env, env.preloaded(), "plain")
    result = strict(env, good.pid)
    rep.ok(result.status == 0 and result.err == "" and "protected" in result.out, "protected", result)
    result = strict(env, "--json", good.pid)
    rep.ok(result.status == 0 and result.out.startswith("{"), "with --json", result)
    plain = figures.seclude(env, env.plain(), "plain")
    refused(rep, strict(env, plain.pid), "(unprotected)", "without the preload")
    refused(rep, strict(env, good.pid, plain.pid), f"process {plain.pid} ", "one of two")
    sleep = process.Child(env, ["sleep", "100"], env.plain())
    refused(rep, strict(env, sleep.pid), "(no-tls)", "nothing to protect")
    unused = process.Child(env, ["sleep", "100"], env.preloaded())
    rep.ok(process.wait_until(lambda: figures.of(env, unused.pid)["state"] == "unused", 20), "it has the library")
    refused(rep, strict(env, unused.pid), "(unused)", "nothing so far")
    gone = process.Child(env, ["true"], env.plain())
    gone.wait(20)
    refused(rep, strict(env, gone.pid), "(gone)", "ended")
    env.tool = env.reachable(env.tool)
    refused(rep, strict(env, good.pid, user=environment.PLAIN_USER), "(unknown)", "of another user")
    small = figures.seclude(env, env.preloaded(SECRETSSL_ARENA_SIZE="64K"), "plain")
    refused(rep, strict(env, small.pid), "(degraded)", "a full arena")
    rep.equal(figures.stat(env, small.pid).status, 0, "the control: without --strict that is 0")
    parent = figures.seclude(env, env.preloaded(), "raw_fork")
    child = process.children(parent.pid)[0]
    figures.named(child, "secluded")
    refused(rep, strict(env, child), "(unknown)", "a child of a raw fork")


def scenario_wait(env, rep):
    """--wait: a process that is not protected yet, one that never is, one that ends."""
    late = ["sh", "-c", 'sleep 1; exec "$@"', "sh", env.helper("seclude"), "plain", "secluded", "10"]
    child = process.Child(env, late, env.preloaded())
    rep.equal(strict(env, child.pid).status, 1, "the control: without --wait it is too early")
    result = strict(env, "--wait=20", child.pid)
    rep.ok(result.status == 0 and "protected" in result.out and not result.err, "with --wait: protected", result)
    plain = figures.seclude(env, env.plain(), "plain")
    begin = time.monotonic()
    refused(rep, strict(env, "--wait=1", plain.pid), "(unprotected)", "one that never is")
    rep.ok(time.monotonic() - begin >= 1, "is waited for")
    ends = process.Child(env, ["sleep", "0.3"], env.plain())
    refused(rep, strict(env, "--wait=100", ends.pid), "(gone)", "one that ends ends the waiting")
    child = process.Child(env, late, env.preloaded())
    rep.equal(figures.stat(env, "--wait=20", child.pid).status, 0, "without --strict")
    rep.equal(figures.stat(env, "--wait=1", plain.pid).status, 1, "without --strict, one that never is")
    for arguments in (["--strict", "--wait=0"], ["--strict", "--wait=601"], ["--strict", "--wait=soon"],
                      ["--wait=1"], ["--strict", "--wait=1"]):
        result = figures.stat(env, *arguments)
        rep.ok(result.status == 2 and result.err.count("\n") == 1 and "--wait" in result.err,
               " ".join(map(str, arguments)), result)


def scenario_strict_others(env, rep):
    """A protected process with TLS beside OpenSSL that is not reached."""
    other = os.path.join(env.build, "test", "tool", "unreached_go.so")
    code = ("import ctypes, hashlib, ssl, time; ssl.create_default_context(); "
            "import sys; sys.argv[1:] and ctypes.CDLL(sys.argv[1]); print('there', flush=True); time.sleep(100)")
    for arguments, status in ([], 0), ([other], 1):
        child = process.Child(env, [sys.executable, "-c", code, *arguments], env.preloaded())
        child.wait_for("there")
        rep.equal(figures.of(env, child.pid)["state"], "protected", "its OpenSSL is protected")
        result = strict(env, child.pid)
        rep.equal((result.status, result.err.count("a Go program")), (status, status),
                  f"--strict with {len(arguments)} other: {status}")
        child.stop()


def scenario_erlang(env, rep):
    """Erlang's TLS is its own, and has libcrypto's primitives only: a library where Erlang has it."""
    place = env.path("lib/crypto-5.1/priv/lib")
    os.makedirs(place)
    library = os.path.join(env.build, "test", "tool", "libscan_any_object.so")
    code = ("import ctypes, ssl, sys, time; ssl.create_default_context(); ctypes.CDLL(sys.argv[1]); "
            "print('there', flush=True); time.sleep(100)")
    for name, named in (os.path.join(place, "crypto.so"), True), (env.path("crypto.so"), False):
        shutil.copy(library, name)
        child = process.Child(env, [sys.executable, "-c", code, name], env.preloaded())
        child.wait_for("there")
        found = figures.of(env, child.pid)
        rep.equal((found["state"], ["Erlang/OTP" in one["what"] for one in found["not_reached"]]),
                  ("protected", [True] if named else []), name)
        rep.equal(strict(env, child.pid).status, int(named), f"{name}: --strict")
        child.stop()


def scenario_strict_all(env, rep):
    """With --all: what has nothing to protect is not asked about, what is unprotected is."""
    unused = process.Child(env, ["sleep", "100"], env.preloaded())
    rep.ok(process.wait_until(lambda: figures.of(env, unused.pid)["state"] == "unused", 20), "unused")
    plain = figures.seclude(env, env.plain(), "plain")
    result = strict(env, "--all")
    rep.ok(result.status == 1 and f"process {plain.pid} is not fully protected" in result.err
           and f"process {unused.pid} " not in result.err, "--all", result)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
