# SPDX-License-Identifier: Apache-2.0
"""Less than wanted: limits, sandboxes, small arenas. Nothing breaks, and it is said once."""

import os
import re
import sys

from harness import environment, keys, memory, process, report, tls


def kinds(result):
    """The 'kinds' line of degrade: how many of the blocks it looked at lay in each kind."""
    line = re.search(r"^kinds (.*)$", result.out, re.M)
    return {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", line[1])} if line else {}


def said_once(rep, result, title, most=3):
    """Something was said, and nothing twice."""
    texts = [re.sub(r"\d+", "N", line) for line in result.messages]
    well_formed = all(process.MESSAGE.fullmatch(line) for line in result.messages)
    rep.ok(well_formed and 1 <= len(texts) <= most and len(set(texts)) == len(texts),
           f"{title}: each step is said once", "\n".join(result.messages) or "nothing was said")


def degraded(env, rep, arguments, environ, title, wrapper=(), said=True, **options):
    """Runs degrade; its blocks are whole and its child works, whatever memory it has."""
    command = [*wrapper, options.pop("path", env.helper("degrade")), *arguments]
    result = process.run_checks(env, rep, None, command[1:], environ, path=command[0],
                                title=title, messages=None, **options)
    if said:
        said_once(rep, result, title)
    else:
        rep.equal(result.messages, [], f"{title}: says nothing")
    return kinds(result)


def as_plain_user(env, memlock):
    """Options for a process without privileges that may lock so much memory."""
    env.preload = env.reachable(env.preload)
    return {"path": env.reachable(env.helper("degrade")), "user": environment.PLAIN_USER,
            "limits": {"MEMLOCK": memlock}}


def scenario_memlock_8m(env, rep):
    """What Debian's users have: enough for a program, not for 16 MB of blocks."""
    options = as_plain_user(env, 8 << 20)
    found = degraded(env, rep, ["secret", "small"], env.preloaded(), "a little, as a user",
                     said=False, **options)
    rep.equal(found.get("secret"), 20, "all of it is secret")
    found = degraded(env, rep, ["secret", "large"], env.preloaded(), "16 MB, as a user", **options)
    # Where secret pages are counted for the user, the process may lock as much again.
    beyond = found["undumpable"] + found["locked"]
    rep.ok(found["secret"] >= 4 and found["ordinary"] == 0 and beyond > 0,
           "secret to the limit, undumpable behind it, none ordinary", found)


def scenario_memlock_64k(env, rep):
    options = as_plain_user(env, 64 << 10)
    found = degraded(env, rep, ["secret", "small"], env.preloaded(), "64K, little", **options)
    rep.ok(found["secret"] > 0 and found["ordinary"] == 0, "no block is ordinary memory", found)
    degraded(env, rep, ["secret", "large"], env.preloaded(), "64K, 16 MB", **options)


def scenario_memlock_required(env, rep):
    """A limit that has room for a page, and not for what a small program takes: refused at start."""
    for limit in 64, 100:
        options = as_plain_user(env, limit << 10)
        result = process.run(env, [options["path"], "secret", "small"],
                             env.preloaded(SECRETSSL_REQUIRE="1", SECRETSSL_UNCACHED="off"),
                             user=options["user"], limits=options["limits"])
        rep.ok(result.status == 78 and len(result.err.splitlines()) == 1
               and result.err.endswith("): raise RLIMIT_MEMLOCK\n"),
               f"{limit}K: status 78 and one line with the remedy", result)
    options = as_plain_user(env, 8 << 20)
    found = degraded(env, rep, ["secret", "small"],
                     env.preloaded(SECRETSSL_REQUIRE="1", SECRETSSL_UNCACHED="off"), "8M", said=False,
                     **options)
    rep.equal(found.get("secret"), 20, "8M: all of it is secret")


def scenario_memlock_soft(env, rep):
    """A soft limit below the hard one is raised, where there is need for it."""
    options = as_plain_user(env, (64 << 10, 8 << 20))
    found = degraded(env, rep, ["secret", "small"], env.preloaded(), "soft limit of 64K",
                     said=False, **options)
    rep.equal(found.get("secret"), 20, "all of it is secret")


def scenario_memlock_none(env, rep):
    options = as_plain_user(env, 0)
    # A program that must have uncached memory would not start with none.
    cached = {"SECRETSSL_UNCACHED": "off"}
    for size in "small", "large":
        found = degraded(env, rep, ["undumpable", size], env.preloaded(**cached), f"no lock, {size}",
                         **options)
        rep.ok(found["undumpable"] == 20, "all of it is undumpable", found)
    result = process.run(env, [options["path"], "secret", "small"],
                         env.preloaded(SECRETSSL_REQUIRE="1", **cached), user=options["user"],
                         limits=options["limits"])
    rep.ok(result.status == 78 and len(result.err.splitlines()) == 1 == len(result.messages),
           "SECRETSSL_REQUIRE=1: status 78 and one line", result)


def scenario_filters(env, rep):
    """memfd_secret answered by a filter, or the process killed for it."""
    for action in "ENOSYS", "EPERM", "EAGAIN":
        wrapper = [env.helper("with_filter"), action]
        for size in "small", "large":
            found = degraded(env, rep, ["locked", size], env.preloaded(), f"{action}, {size}",
                             wrapper)
            rep.equal(found.get("locked"), 20, f"{action}, {size}: all of it is locked")
        if action != "EAGAIN":
            result = process.run(env, [*wrapper, env.helper("degrade"), "secret", "small"],
                                 env.preloaded(SECRETSSL_REQUIRE="1"))
            rep.ok(result.status == 78 and len(result.err.splitlines()) == 1 == len(result.messages),
                   f"{action} with SECRETSSL_REQUIRE=1: status 78 and one line", result)
            remedy = {"EPERM": "SystemCallFilter=memfd_secret", "ENOSYS": "secretmem.enable=1"}[action]
            rep.ok(remedy in result.err, f"{action}: the line has the remedy", result)
    found = degraded(env, rep, ["secret", "small"], env.preloaded(), "a filter that allows it",
                     [env.helper("with_filter"), "ALLOW"], said=False)
    rep.equal(found.get("secret"), 20, "a filter that allows it: all of it is secret")


def scenario_filter_that_kills(env, rep):
    """A filter from before the program's start that kills for memfd_secret: found out by a
    process that is made for the purpose, and not by dying."""
    for size in "small", "large":
        found = degraded(env, rep, ["locked", size], env.preloaded(), f"KILL, {size}",
                         [env.helper("with_filter"), "KILL"])
        rep.equal(found.get("locked"), 20, f"KILL, {size}: all of it is locked")


def below_filter(env, rep, case, environ, expected):
    """Runs sandbox, and looks at its memory from outside where it asks for that."""
    title = f"sandbox {case}, {expected} memory"
    reader, writer = os.pipe()
    child = process.Child(env, [env.helper("sandbox"), expected, case], environ, stdin=reader)
    os.close(reader)
    try:
        places = child.wait_for(r"^at (0x\w+) (0x\w+)")
        lies = [any(one.secret and one.start <= int(place, 16) < one.end
                    for one in memory.mappings(child.pid)) for place in places.groups()]
        rep.equal(lies, [expected == "secret"] * 2, f"{title}: blocks taken below the filter")
        os.write(writer, b"\n")
    except RuntimeError as failure:
        rep.ok(False, f"{title}: blocks taken below the filter", failure)
    result = child.wait(30)
    os.close(writer)
    process.take_over(rep, result, title)
    return result


def scenario_sandboxes(env, rep):
    """A process that confines itself; its filter kills for what is not on a short list."""
    for case in "prctl", "syscall", "thread", "fork":
        below_filter(env, rep, case, env.plain(), "ordinary")
        result = below_filter(env, rep, case, env.preloaded(), "secret")
        rep.ok(all(process.MESSAGE.fullmatch(line) for line in result.messages)
               and len(result.messages) <= 2, f"{case}: at most two lines", result.err)


def scenario_strict_mode(env, rep):
    """Seccomp's first mode: read, write, exit and sigreturn."""
    below_filter(env, rep, "strict", env.plain(), "ordinary")
    below_filter(env, rep, "strict", env.preloaded(), "secret")


def scenario_sandbox_before_use(env, rep):
    """The filter comes before OpenSSL is used at all."""
    below_filter(env, rep, "untouched", env.plain(), "ordinary")
    below_filter(env, rep, "untouched", env.preloaded(), "secret")


def scenario_full_arena(env, rep):
    """The cap is reached: the C library helps out; with REQUIRE the allocation fails."""
    for size in "64K", "1M":
        found = degraded(env, rep, ["secret", "large"],
                         env.preloaded(SECRETSSL_ARENA_SIZE=size), f"arena of {size}")
        rep.ok(found["secret"] > 0 and found["ordinary"] > 0,
               f"arena of {size}: secret, then ordinary", found)
        process.run_checks(env, rep, "degrade", ["secret", "refused"],
                           env.preloaded(SECRETSSL_ARENA_SIZE=size, SECRETSSL_REQUIRE="1"),
                           title=f"arena of {size}, required", messages=None)


def scenario_arena_ends_in_handshake(env, rep):
    """Arenas of growing size under a TLS handshake: it succeeds in all of them; required, it
    succeeds or fails by OpenSSL's own error, wherever memory ran out."""
    identity = keys.Identity(env, "rsa")
    command = [env.helper("tls_pair"), identity.key, identity.certificate, "3"]
    phases = set()
    # OpenSSL 3.5 takes more than 1 MiB for one, 3.0 less.
    for size in (*range(64, 1025, 32), *range(1152, 4097, 128)):
        if "fine" in phases and size > 1024:
            break
        arena = {"SECRETSSL_ARENA_SIZE": f"{size}K"}
        result = process.run(env, command, env.preloaded(**arena))
        if result.status != 0 or result.out != "fine\n" or len(result.messages) > 1:
            rep.ok(False, f"arena of {size}K: the handshakes succeed", result)
        if size == 64:
            said_once(rep, result, "arena of 64K", 1)
        result = process.run(env, command, env.preloaded(SECRETSSL_REQUIRE="1", **arena))
        phases.add(result.out.split(":")[0].strip())
        if result.status not in (0, 1):
            rep.ok(False, f"arena of {size}K, required: no crash", result)
    rep.ok({"setup", "handshake", "fine"} <= phases,
           "memory ran out before, in, and not at all during a handshake", phases)


def scenario_server_with_full_arena(env, rep):
    """s_server with an arena of 64K serves, and says once that it is full."""
    identity = keys.Identity(env, "ecdsa")
    server = tls.Server(env, identity, env.preloaded(SECRETSSL_ARENA_SIZE="64K"), ["-www"])
    client = tls.context(identity)
    pages = [tls.fetch(server.port, client) for _ in range(20)]
    rep.ok(all(b"200 ok" in page for page in pages), "20 handshakes and pages")
    said_once(rep, server.stop(), "the server", 1)


def scenario_fork_without_secret_memory(env, rep):
    """The handshakes and forks of threads, where memfd_secret is refused."""
    identity = keys.Identity(env, "ecdsa")
    for action in "ENOSYS", "EPERM":
        result = process.run_checks(
            env, rep, None, [action, env.helper("tls_threads"), "locked", identity.key,
                             identity.certificate],
            env.preloaded(), path=env.helper("with_filter"), messages=None,
            title=f"threads and forks, {action}", seconds=100)
        said_once(rep, result, f"threads and forks, {action}")
    for case in "own", "storm", "generations":
        process.run_checks(env, rep, None, ["EPERM", env.helper("fork_own"), "locked", case],
                           env.preloaded(), path=env.helper("with_filter"), messages=None,
                           title=f"{case}, EPERM")
    for case in "read", "write", "mmaps":
        process.run_checks(env, rep, None, ["EPERM", env.helper("fork_raw"), "locked", case],
                           env.preloaded(), path=env.helper("with_filter"), messages=None,
                           title=f"unannounced children, {case}, EPERM")


def scenario_address_space(env, rep):
    """RLIMIT_AS below the reservation: it shrinks."""
    for limit in 64, 128, 300:
        options = {"limits": {"AS": limit << 20}}
        plain = process.run(env, ["openssl", "version"], env.plain(), **options)
        rep.equal(plain.status, 0, f"openssl version in {limit} MiB, without the preload")
        result = process.run(env, ["openssl", "version"], env.preloaded(), **options)
        rep.equal((result.status, result.out), (0, plain.out), f"openssl version in {limit} MiB")
        degraded(env, rep, ["secret", "small"], env.preloaded(), f"degrade in {limit} MiB",
                 said=bool(result.messages), **options)


def scenario_chroot(env, rep):
    """An empty directory as root, without /proc or /dev, before OpenSSL is used."""
    os.mkdir(env.path("empty"))
    # The word on stdin is there at once: whatever is to be seen from outside comes first.
    reader, writer = os.pipe()
    child = process.Child(env, [env.helper("degrade"), "secret", "wait"], env.preloaded(),
                          stdin=reader, cwd=env.path("empty"))
    os.close(reader)
    places = child.wait_for(r"^at (0x\w+) (0x\w+)")
    secret = [one for one in memory.mappings(child.pid) if one.secret]
    rep.ok(all(any(one.start <= int(place, 16) < one.end for one in secret)
               for place in places.groups()), "blocks lie in secret memory")
    os.write(writer, b"\n")
    result = child.wait(30)
    os.close(writer)
    rep.ok(result.status == 0 and "not ok" not in result.out and result.err == "",
           "allocates and forks in an empty root", result)


def scenario_sandbox_of_limits(env, rep):
    """No file may grow, no process be made: what is needed was had before, and what cannot be
    said ends nobody (a write beyond RLIMIT_FSIZE is SIGXFSZ)."""
    for kind, environ in ("ordinary", env.plain()), ("secret", env.preloaded()):
        if "LD_PRELOAD" in environ:
            environ = {**environ, "LD_PRELOAD": env.reachable(env.preload)}
        for case in "sandbox", "by_prlimit":
            process.run_checks(env, rep, "limits", [kind, case], environ,
                               path=env.reachable(env.helper("limits")),
                               user=environment.PLAIN_USER,
                               title=f"{case}, " + ("without" if kind == "ordinary" else "with"))


def scenario_limits_asked_wrongly(env, rep):
    """setrlimit() with bad pointers, and in children that nobody announced."""
    for case in "pointers", "children":
        for kind, environ in ("ordinary", env.plain()), ("secret", env.preloaded()):
            process.run_checks(env, rep, "limits", [kind, case], environ,
                               title=f"{case}, " + ("without" if kind == "ordinary" else "with"))


def scenario_limit_on_address_space(env, rep):
    """A process that lowers RLIMIT_AS for itself does not lose it to what is only reserved."""
    for require in "0", "1":
        for kind, environ in ("ordinary", env.plain()), \
                ("secret", env.preloaded(SECRETSSL_REQUIRE=require)):
            process.run_checks(env, rep, "limits", [kind, "address"], environ,
                               title=f"address space, {kind}, {require}")


def scenario_limits_passed_on(env, rep):
    """Another preload behind ours is called for what we watch, as it is without us."""
    other = env.helper("libother_preload.so")
    for kind, preload in ("ordinary", other), ("secret", f"{env.preload} {other}"):
        process.run_checks(env, rep, "limits", [kind, "passed_on"],
                           {**env.plain(), "LD_PRELOAD": preload, "SECRETSSL_MLOCK": "off"},
                           title="passed on, " + ("without" if kind == "ordinary" else "with"))


if __name__ == "__main__":
    report.main(sys.modules[__name__])
