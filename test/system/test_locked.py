# SPDX-License-Identifier: Apache-2.0
"""Memory that programs lock by themselves is secret memory: docs/locked-memory.md."""

import ctypes
import os
import sys

from harness import environment, figures, process, report

LEFT = "memory that the program locked is not secret: "
LARGE = LEFT + "it is too large"
BUSY = LEFT + "other threads may be writing to it"


def both(env, rep, name, case, messages=(), **settings):
    process.run_both(env, rep, name, case, messages=messages, **settings)


def scenario_kept(env, rep):
    both(env, rep, "locks", "kept")


def scenario_pieces(env, rep):
    both(env, rep, "locks", "pieces")


def scenario_others(env, rep):
    """Stacks, blocks of malloc, shared memory: as without the preload, and no message."""
    both(env, rep, "locks", "others")


def scenario_later(env, rep):
    both(env, rep, "locks", "later", ["ordinary locked memory from now on, because of mremap"])
    both(env, rep, "locks", "advice")
    both(env, rep, "locks", "wiped", ["ordinary locked memory from now on, because of MADV_WIPEONFORK"])


def scenario_large(env, rep):
    """Over the cap of one lock, and over that of the process."""
    both(env, rep, "locks", "large", [LARGE])
    for size, kind, messages in ("64K", "ordinary", [LARGE]), ("128K", "secret", ()):
        process.run_checks(env, rep, "locks_shared", [kind, "large"], env.preloaded(SECRETSSL_ARENA_SIZE=size),
                           title=f"SECRETSSL_ARENA_SIZE={size}", messages=messages)


def scenario_limit(env, rep):
    """A program that counts on RLIMIT_MEMLOCK gets all of it, in secret memory."""
    for kind, environ in ("ordinary", env.plain()), ("secret", env.preloaded()):
        process.run_checks(env, rep, "locks", [kind, "limit"],
                           {**environ, **({"LD_PRELOAD": env.reachable(env.preload)} if kind == "secret" else {})},
                           path=env.reachable(env.helper("locks")), user=environment.PLAIN_USER,
                           limits={"MEMLOCK": 256 << 10}, title=f"256 KiB, {kind}")


def scenario_fork(env, rep):
    for case in "fork", "access", "many", "raw":
        both(env, rep, "locks_shared", case)


def scenario_stack(env, rep):
    both(env, rep, "locks_shared", "stack", ["ordinary locked memory from now on, because of pthread_attr_setstack"])
    both(env, rep, "locks_shared", "signal", ["a stack that the program has locked is ordinary locked memory"])


def scenario_threads(env, rep):
    """Memory that threads write to is exchanged while they wait; where the kernel cannot make them wait, it is
    left alone."""
    watched = write_protects()
    rep.note(f"the kernel {'can' if watched else 'cannot'} protect memory from threads")
    for case in "writers", "threads":
        process.run_checks(env, rep, "locks_shared", ["ordinary", case], env.plain(), title=f"{case} without")
        process.run_checks(env, rep, "locks_shared", ["secret" if watched else "ordinary", case], env.preloaded(),
                           title=case, messages=() if watched else [BUSY])
    process.run_checks(env, rep, "with_filter", ["USERFAULTFD_EPERM", env.helper("locks_shared"), "ordinary", "writers"],
                       env.preloaded(), title="writers, no userfaultfd", messages=[BUSY])


def write_protects():
    """Whether userfaultfd(2) has its mode of write protection here: UFFDIO_API says which features there are."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = {"x86_64": 323, "aarch64": 282, "riscv64": 282}[os.uname().machine]
    fd = libc.syscall(number, os.O_CLOEXEC | 1)
    if fd < 0:
        return False
    api = (ctypes.c_uint64 * 3)(0xAA, 0, 0)
    done = libc.ioctl(fd, 0xC018AA3F, api)
    os.close(fd)
    return done == 0 and bool(api[1] & 1)


def scenario_no_secret_memory(env, rep):
    """The kernel locks, as the program asked; required, the process ends."""
    command = ["EPERM", env.helper("locks_shared"), "ordinary", "fork"]
    process.run_checks(env, rep, "with_filter", command, env.preloaded(), title="degraded",
                       messages=[r"no secret memory \(memfd_secret: EPERM\)"])
    result = process.run(env, [env.helper("with_filter"), *command], env.preloaded(SECRETSSL_REQUIRE="1"))
    rep.equal(result.status, 78, "required")
    process.expect_messages(rep, result.messages, [r"SECRETSSL_REQUIRE=1: no secret memory \(EPERM\)"], "required")


def scenario_settings(env, rep):
    """Off: nothing is secret, nothing is said. Deny: children have none of it."""
    process.run_checks(env, rep, "locks_shared", ["ordinary", "fork"], env.preloaded(SECRETSSL_MLOCK="off"),
                       title="off")
    for fork, status in ("copy", 0), ("deny", 1):
        result = process.run(env, [env.helper("locks_shared"), "secret", "fork"], env.preloaded(SECRETSSL_FORK=fork))
        rep.equal(result.status, status, f"{fork}: a child has it, or not")


def scenario_figures(env, rep):
    """stat has the bytes and the number of locks, and calls the process protected."""
    code = ("import ctypes, mmap, time; c = ctypes.CDLL(None, use_errno=True)\n"
            "c.mmap.restype = ctypes.c_void_p\n"
            "for size in 8192, 4096, 32 << 20:\n"
            "    at = c.mmap(None, ctypes.c_size_t(size), 3, 0x22, -1, ctypes.c_long(0))\n"
            "    assert c.mlock(ctypes.c_void_p(at), ctypes.c_size_t(size)) == 0\n"
            "print('locked', flush=True); time.sleep(60)")
    for setting, wanted in ("auto", ("protected", 12288, 2, 1)), ("off", ("unused", 0, 0, 0)):
        child = process.Child(env, ["/usr/bin/python3", "-c", code],
                              env.preloaded(SECRETSSL_MLOCK=setting, SECRETSSL_LOG="none"))
        child.wait_for("^locked")
        found = figures.of(env, child.pid)
        rep.equal((found["state"], found["mlock_bytes"], found["mlocks"], found["mlocks_left"]), wanted, setting)
        child.stop()


if __name__ == "__main__":
    report.main(sys.modules[__name__])
