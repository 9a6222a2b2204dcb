# SPDX-License-Identifier: Apache-2.0
"""Forks in all their forms: each process has its own secrets, and no parent hangs."""

import os
import re
import resource
import signal
import subprocess
import sys
import time

from harness import environment, process, report


def both(env, rep, program, *cases, **options):
    """The cases without the preload, in ordinary memory, and with it, in secret memory."""
    for case in cases:
        process.run_checks(env, rep, program, ["ordinary", case], env.plain(),
                           title=f"{program} {case} without the preload", **options)
        process.run_checks(env, rep, program, ["secret", case], env.preloaded(),
                           title=f"{program} {case}", **options)


def scenario_own_secrets(env, rep):
    both(env, rep, "fork_own", "own")


def scenario_generations(env, rep):
    both(env, rep, "fork_own", "generations", "thread", "daemon", "handlers")


def scenario_storm(env, rep):
    both(env, rep, "fork_own", "storm")


def scenario_torn_objects(env, rep):
    both(env, rep, "fork_torn", "plain")


def scenario_torn_objects_inside(env, rep):
    both(env, rep, "fork_torn", "inside")


def scenario_pending_cancellation(env, rep):
    both(env, rep, "fork_edge", "cancel")


def scenario_signal_handler(env, rep):
    """Forks in a handler that interrupts fork."""
    both(env, rep, "fork_edge", "handler", seconds=20)


def scenario_signal_handler_inside(env, rep):
    """Forks in a handler that interrupts malloc, while another thread forks. Without the preload
    the C library itself waits for its malloc for ever."""
    process.run_checks(env, rep, "fork_edge", ["secret", "handler_inside"], env.preloaded(),
                       seconds=20)


def scenario_in_async_job(env, rep):
    """fork on the stack of one of OpenSSL's ASYNC jobs, which libcrypto allocates."""
    both(env, rep, "async_job", "forks", "paused", seconds=20)


def scenario_errno(env, rep):
    both(env, rep, "fork_edge", "errno")


def scenario_no_more_processes(env, rep):
    """fork fails with EAGAIN, at once, and later forks work."""
    path = env.reachable(env.helper("fork_edge"))
    env.preload = env.reachable(env.preload)
    both(env, rep, "fork_edge", "nproc", path=path, user=environment.PLAIN_USER,
         limits={"NPROC": (50, 50)})


def scenario_free_memory(env, rep):
    """What is free in the parent is zero in a child, also when freeing does not clear."""
    process.run_checks(env, rep, "fork_edge", ["ordinary", "freed_visible"], env.plain(),
                       title="the control, without the preload")
    for zero in "1", "0":
        process.run_checks(env, rep, "fork_edge", ["secret", "freed"],
                           env.preloaded(SECRETSSL_ZERO=zero), title=f"SECRETSSL_ZERO={zero}")


def scenario_limited_child(env, rep):
    both(env, rep, "fork_edge", "limited")


def scenario_spawn_costs_nothing(env, rep):
    """They cost less than a fork in which the child copies."""
    for kind, settings in ("ordinary", env.plain()), ("secret", env.preloaded(SECRETSSL_FORK_COPY="library")):
        process.run_checks(env, rep, "fork_large", [kind, "spawn"], settings, title=f"fork_large spawn {kind}")


def large_fork(env, seconds_later, interrupt):
    """A fork with 32 MiB live; `interrupt` is called with the child that many seconds on.

    The parent's process, and the pipe on which it waits for a line.
    """
    reader, writer = os.pipe()
    parent = process.Child(env, [env.helper("fork_large"), "secret", "fork"],
                           env.preloaded(SECRETSSL_FORK_COPY="library"), stdin=reader)
    os.close(reader)
    parent.wait_for("^ready")
    os.write(writer, b"\n")
    child = process.wait_until(lambda: process.children(parent.pid), 5, 0)
    time.sleep(seconds_later)
    early = "forked" not in parent.out
    interrupt(child[0])
    return parent, writer, child[0], early


def outcome(rep, title, parent, status_of_child):
    result = parent.wait(60)
    process.take_over(rep, result, title)
    status = re.search(r"^child (-?\d+)", result.out, re.M)
    rep.ok(status and status_of_child(int(status[1])), f"{title}: how the child ended", result)
    return result


def scenario_child_killed(env, rep):
    """The child is killed at various moments of its copy; the parent goes on at once."""
    interrupted = 0
    for delay in (0, 0.01, 0.03, 0.06):
        title = f"killed after {delay} s"
        parent, writer, _, early = large_fork(
            env, delay, lambda pid: os.kill(pid, signal.SIGKILL))
        interrupted += early
        begin = time.monotonic()
        parent.wait_for(r"^(forked|failed)", 20)
        rep.ok(time.monotonic() - begin < 2, f"{title}: the parent goes on at once")
        os.write(writer, b"\n")
        result = outcome(rep, title, parent, lambda status: status == 1000 + signal.SIGKILL)
        process.expect_messages(rep, result.messages, [], title)
        os.close(writer)
    rep.ok(interrupted > 0, f"{interrupted} of 4 children were killed before fork had returned")


def scenario_child_stopped(env, rep):
    """The child is stopped; the parent gives it up after five seconds, and the child ends."""
    title = "stopped"
    parent, writer, child, early = large_fork(
        env, 0.01, lambda pid: os.kill(pid, signal.SIGSTOP))
    rep.ok(early, "the child was stopped before fork had returned")
    waited = float(parent.wait_for(r"^forked ([\d.]+)", 30)[1])
    rep.ok(4 < waited < 9, f"the parent goes on after {waited} s")
    with open(f"/proc/{child}/stat", encoding="ascii") as file:
        rep.equal(file.read().rsplit(")", 1)[1].split()[0], "T", "the child is still stopped")
    os.kill(child, signal.SIGCONT)
    os.write(writer, b"\n")
    result = outcome(rep, title, parent, lambda status: status > 3)
    process.expect_messages(rep, result.messages, [rf"\[{child}\]", rf"\[{parent.pid}\]"], title)
    os.close(writer)


def scenario_large_fork_control(env, rep):
    """Nobody interrupts: the child has its copy, and it takes as long as the kills assume."""
    parent, writer, _, early = large_fork(env, 0.01, lambda pid: None)
    rep.ok(early, "copying 32 MiB takes more than 10 ms")
    os.write(writer, b"\n")
    result = outcome(rep, "not interrupted", parent, lambda status: status == 0)
    process.expect_messages(rep, result.messages, [], "not interrupted")
    os.close(writer)


def scenario_unannounced(env, rep):
    """Children of _Fork and of the system calls themselves never share or see secrets."""
    both(env, rep, "fork_raw", "idle", "read", "write", "mmaps")


def scenario_by_syscall(env, rep):
    """fork by syscall() runs no handlers of the C library's; the preload sees it all the same."""
    both(env, rep, "fork_raw", "seen", "refused")
    process.run_checks(env, rep, "fork_raw", ["secret", "seen"],
                       env.preloaded(SECRETSSL_REQUIRE="1"), title="required")


def scenario_unannounced_before_use(env, rep):
    """They lose nothing where there is nothing yet."""
    both(env, rep, "fork_raw", "before_first_use", "families")
    process.run_checks(env, rep, "fork_raw", ["secret", "before_first_use"],
                       env.preloaded(SECRETSSL_REQUIRE="1"), title="required")


def scenario_unannounced_allocation(env, rep):
    process.run_checks(env, rep, "fork_raw", ["ordinary", "allocate"], env.plain(),
                       title="allocate without the preload")
    result = process.run_checks(env, rep, "fork_raw", ["secret", "allocate"], env.preloaded(),
                                messages=["fork"], title="allocate")
    ways = len(re.findall(r"^ok - child of", result.out, re.M))
    rep.ok(ways >= 3, "at least three ways to fork were tried", ways)
    rep.equal(len(result.messages), ways, "one message of each such child")


def scenario_deny(env, rep):
    """SECRETSSL_FORK=deny withholds keys, and only keys."""
    for case in "words", "sign", "elliptic", "others":
        process.run_checks(env, rep, "fork_deny", ["secret", case], env.preloaded(),
                           title=f"{case} under copy, the control")
        # A child that is ended may say why; nothing else may.
        result = process.run(env, [env.helper("fork_deny"), "secret", case],
                             env.preloaded(SECRETSSL_FORK="deny"))
        process.take_over(rep, result, f"{case} under deny")
        rep.ok(not any(f"[{result.pid}]" in line for line in result.messages),
               f"{case} under deny: the parent says nothing", result.messages)


def scenario_threads(env, rep):
    """Clients and servers in threads that fork while other threads allocate."""
    for kind in ("rsa:2048",), ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-subj", "/CN=x",
                        "-keyout", env.path("key"), "-out", env.path("certificate")],
                       env=env.plain(), check=True, capture_output=True, timeout=60)
        for expected, environ in ("ordinary", env.plain()), ("secret", env.preloaded()):
            process.run_checks(
                env, rep, "tls_threads", [expected, env.path("key"), env.path("certificate")],
                environ, title=f"{expected} memory, {kind[0]}", seconds=120)


def scenario_descriptors(env, rep):
    """No free descriptor, and all closed: still secret memory, before and after a fork."""
    both(env, rep, "descriptors", "used_up", "limit")
    for expected, environ in ("ordinary", env.plain()), ("secret", env.preloaded()):
        result = process.run(env, [env.helper("descriptors"), expected, "closed_all"], environ)
        rep.equal((result.status, result.err), (0, ""),
                  f"a program that closes all descriptors, {expected} memory")
    rep.ok(resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 64, "the limits above were lower")


def scenario_filtered(env, rep):
    """A program without libcrypto forks where a filter kills for rt_sigprocmask, if the C library's
    own fork does without it: that of Debian 12 does, that of Debian 13 does not."""
    control, preloaded = (process.run(env, [env.helper("fork_filtered")], environ)
                          for environ in (env.plain(), env.preloaded()))
    rep.ok(control.status in (3, -signal.SIGSYS), "without: has its child, or is killed", control)
    rep.equal((preloaded.status, preloaded.err), (control.status, ""), "with the preload: the same")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
