# SPDX-License-Identifier: Apache-2.0
"""libcryptos that arrive later, several of them, foreign ones; what dlopen() promises."""

import os
import re
import shutil
import sys

from harness import environment, process, report


# By which OpenSSL is known that is linked into a program, and exports nothing
MARK = b"crypto/mem_sec.c"
HIDDEN = "the program contains a copy of OpenSSL that exports no symbols: it cannot be protected"
LIBRESSL = r"libfake_libressl\.so is not protected: it is LibreSSL"


def both(env, rep, case, messages=(), program="arrive"):
    process.run_both(env, rep, program, case, messages)


def refused(env, rep, case, pattern):
    """What cannot be hooked is said in one line; required, it ends the process."""
    both(env, rep, case, [pattern])
    result = process.run(env, [env.helper("arrive"), "secret", case],
                         env.preloaded(SECRETSSL_REQUIRE="1"))
    rep.ok(result.status == 78 and len(result.err.splitlines()) == 1
           and re.search(r"cannot be hooked", result.err),
           f"{case}: SECRETSSL_REQUIRE=1 is status 78 and one line", result)


def scenario_nothing(env, rep):
    both(env, rep, "nothing")
    result = process.run(env, [env.helper("arrive"), "ordinary", "nothing"],
                         env.preloaded(SECRETSSL_ARENA_SIZE="wrong"))
    rep.equal((result.status, result.err), (0, ""), "a wrong value matters to nobody")


def scenario_wrong_setting(env, rep):
    """It is said when a libcrypto comes, and before it handles a secret."""
    result = process.run(env, [env.helper("arrive"), "ordinary", "constructor"],
                         env.preloaded(SECRETSSL_ARENA_SIZE="wrong"))
    rep.ok(result.status == 78 and result.out == ""
           and "SECRETSSL_ARENA_SIZE=wrong: accepted values are" in result.err, "status 78", result)


def scenario_symbolic(env, rep):
    both(env, rep, "symbolic")


def scenario_several(env, rep):
    both(env, rep, "several")
    result = process.run(env, [env.helper("arrive"), "secret", "several"],
                         env.preloaded(SECRETSSL_STATS="1"))
    rep.ok("; 4 libcrypto hooked" in result.err, "four are counted", result)


def scenario_constructor(env, rep):
    both(env, rep, "constructor")


def scenario_late(env, rep):
    refused(env, rep, "late", r"libfake_late\.so is not protected: the hook comes too late")


def scenario_libressl(env, rep):
    refused(env, rep, "libressl", LIBRESSL)


def scenario_boringssl(env, rep):
    refused(env, rep, "boringssl",
            r"libfake_boringssl\.so is not protected: it is BoringSSL or AWS-LC")


def scenario_boringssl_by_name(env, rep):
    """BoringSSL and AWS-LC look for functions of ours by name; in another namespace in vain."""
    both(env, rep, "boringssl_by_name")
    both(env, rep, "boringssl_elsewhere",
         [r"libfake_weak_boringssl\.so is not protected: it is BoringSSL or AWS-LC"])
    result = process.run(env, [env.helper("arrive"), "secret", "boringssl_by_name"],
                         env.preloaded(SECRETSSL_STATS="1", SECRETSSL_REQUIRE="1"))
    rep.ok(result.status == 0 and "; 1 libcrypto hooked" in result.err, "counted once", result)


def scenario_boringssl_inside(env, rep):
    """In a program that exports nothing. It is protected if its code calls our function, not if its linker only kept
    the name of it, or it has its own."""
    for way, served in ("found", True), ("fixed", False), ("own", False):
        program = env.helper(f"inner_{way}")
        result = process.run(env, [program], env.preloaded(SECRETSSL_REQUIRE="1", SECRETSSL_STATS="1"))
        rep.ok(result.status == 0 and "; 1 libcrypto hooked" in result.err if served else
               result.status == 78 and "contains a copy of BoringSSL or AWS-LC" in result.err, f"{way}: required", result)
        result = process.run(env, [env.tool, "run", "--require", "--", program], env.plain())
        rep.equal(result.status, 0 if served else 125, f"{way}: secretssl run --require")


def scenario_boringssl_of_android(env, rep):
    """A real one, Debian's."""
    both(env, rep, "boringssl_of_android")


def scenario_old(env, rep):
    refused(env, rep, "old", r"libfake_old\.so is not protected: it is an OpenSSL older than")


def scenario_members(env, rep):
    """Parts of libcrypto.a, without the function that says which version it is."""
    both(env, rep, "members")
    refused(env, rep, "old_members",
            r"libfake_old_members\.so is not protected: it is an OpenSSL older than")


def scenario_contexts(env, rep):
    """A job's stack is no secret memory, also if libcrypto names no files; arguments arrive."""
    both(env, rep, "job", ["OPENSSL_NO_FILENAMES"], program="contexts")
    both(env, rep, "own", program="contexts")


def scenario_staying_hooked(env, rep):
    """The program's own functions, however it gets at CRYPTO_set_mem_functions: refused."""
    for case in ("set_by_handle", "set_by_default", "set_by_next", "set_by_version",
                 "set_by_versioned_dlsym", "set_by_dlsym_of_libc", "believes"):
        both(env, rep, case, ["CRYPTO_set_mem_functions.* are refused.*: libsecretssl's functions stay in use"], "staying")


def scenario_functions_ignored(env, rep):
    """A program that ends unless it is told that its functions are in use; nothing else is said."""
    process.run_both(env, rep, "staying", "ignored", SECRETSSL_FUNCTIONS="ignore")


def scenario_engine(env, rep):
    """A program with a libcrypto that nobody sees, and an engine with another: blocks cross."""
    shared = r"libcrypto\.so\.3 is not protected: an ENGINE exchanges blocks"
    for environ, title, messages in ((env.plain(), "without the preload", ()),
                                     (env.preloaded(), "with it", [shared])):
        process.run_checks(env, rep, "engine_host", ["ordinary", "crossing"], environ, title=title,
                           messages=messages)
    unmarked = env.path("unmarked")
    with open(env.helper("engine_host"), "rb") as one, open(unmarked, "wb") as other:
        other.write(one.read().replace(MARK, MARK.upper()))
    os.chmod(unmarked, 0o755)
    os.symlink(env.helper("libengine.so"), env.path("libengine.so"))
    for program, said in ((env.helper("engine_host"), HIDDEN),
                          (unmarked, "cannot be hooked: an ENGINE exchanges")):
        result = process.run(env, [program, "ordinary", "crossing"],
                             env.preloaded(SECRETSSL_REQUIRE="1"))
        rep.ok(result.status == 78 and len(result.err.splitlines()) == 1 and said in result.err,
               f"required: status 78, {said}", result)
    result = process.run(env, [env.helper("engine_host"), "ordinary", "crossing"],
                         env.preloaded(SECRETSSL_STATS="1"))
    rep.ok("; 1 libcrypto hooked" in result.err and "not protected" in result.err, "counted", result)


def scenario_engine_of_same(env, rep):
    """Program and engine are linked with the same libcrypto: nothing is shared or said."""
    both(env, rep, "same", program="engine_user")
    result = process.run(env, [env.helper("engine_user"), "secret", "same"],
                         env.preloaded(SECRETSSL_REQUIRE="1"))
    rep.equal((result.status, result.err), (0, ""), "required: it runs")


def scenario_new_space(env, rep):
    both(env, rep, "new_space", program="spaces")


def scenario_real_in_space(env, rep):
    both(env, rep, "real_in_space", program="spaces")


def scenario_full_in_space(env, rep):
    """An arena that is full, and name spaces with C libraries of their own."""
    process.run_checks(env, rep, "spaces", ["ordinary", "full_in_space"], env.plain(),
                       title="without the preload")
    process.run_checks(env, rep, "spaces", ["secret", "full_in_space"],
                       env.preloaded(SECRETSSL_ARENA_SIZE="64K"), title="with it",
                       messages=["the arena is full"])


def scenario_secure_in_space(env, rep):
    """Without the preload there is no such thing: that heap's blocks are not the other's."""
    process.run_checks(env, rep, "spaces", ["secret", "secure_in_space"], env.preloaded())


def scenario_threads(env, rep):
    both(env, rep, "threads")


def scenario_unloaded(env, rep):
    both(env, rep, "unloaded")


def scenario_user_of_foreign(env, rep):
    both(env, rep, "user_of_foreign", [LIBRESSL])


def scenario_whose_user(env, rep):
    """Whoever is linked with a libcrypto that is served is served, whatever else is there."""
    both(env, rep, "after_foreign", [LIBRESSL])
    both(env, rep, "at_start", [LIBRESSL], program="arrive_foreign")
    late = r"twin/libfake_3\.so is not protected: the hook comes too late"
    both(env, rep, "twins", [late])
    both(env, rep, "twins_turned", [late])


def scenario_shim(env, rep):
    """A library that opens a libcrypto when it is asked which one it is."""
    both(env, rep, "shim", program="turns")


def scenario_stale(env, rep):
    """A library at the place of another is not taken for that one."""
    both(env, rep, "stale", [LIBRESSL], program="turns")


def scenario_procession(env, rep):
    """More plugins come and go than there are places to note them: places are used again."""
    both(env, rep, "procession", [LIBRESSL], program="turns")


def scenario_crowd(env, rep):
    """All places are taken: one that becomes free is used; what is too many is said once."""
    for number in range(67):
        shutil.copy(env.helper("libforeign_user.so"), env.path(f"user_{number}.so"))
    process.run_checks(env, rep, "turns", ["ordinary", "crowd"], env.plain(), title="without")
    many = "more than 64 libraries are linked with one of several libcryptos"
    result = process.run_checks(env, rep, "turns", ["secret", "crowd"], env.preloaded(),
                                title="with the preload", messages=[LIBRESSL, many])
    rep.equal(result.err.count(many), 1, "said once")


def scenario_fork_in_list(env, rep):
    """A callback of dl_iterate_phdr() forks while another thread opens libraries."""
    both(env, rep, "fork_in_list")


def scenario_foreign_constructor(env, rep):
    both(env, rep, "foreign_constructor",
         [LIBRESSL, r"libfake_late\.so is not protected: the hook comes too late"])


def scenario_passed_on(env, rep):
    """What the C library searches for the caller is hooked before dlsym() answers."""
    both(env, rep, "passed_on", [LIBRESSL])


def scenario_waiting(env, rep):
    """A constructor waits for a thread that is the first to use stdio."""
    both(env, rep, "waiting")


def compared(env, rep, case):
    """What a case says must be the same with the preload and without."""
    said = [process.run(env, [env.helper("finds"), "ordinary", case], environ)
            for environ in (env.plain(), env.preloaded())]
    process.take_over(rep, said[0], "without the preload")
    process.take_over(rep, said[1], "with it")
    for one, other in zip(said[0].out.splitlines(), said[1].out.splitlines()):
        rep.equal(other, one, f"the same: {one}")
    return said[0].out.splitlines()


def scenario_semantics(env, rep):
    """dlopen() finds, refuses and explains the same with the preload and without."""
    found = [line for line in compared(env, rep, "semantics") if line.endswith(": found")]
    rep.equal(len(found), 5, "libraries found: RUNPATH, again, RPATH, $ORIGIN, libcrypto")


def scenario_names(env, rep):
    """A library that is there is found by each name it was opened by."""
    found = [line for line in compared(env, rep, "names") if ".so: " not in line and "/" in line]
    rep.equal([re.search(r"/(alien|deep)/", line)[1] for line in found],
              ["alien"] * 3 + ["deep"] * 3, "which of the libraries without us")


def asked(env, rep, who, names, found):
    """Opens by name with the preload and without; `found` of them are there."""
    said = [process.run(env, [env.helper("asks"), who, *names], environ)
            for environ in (env.plain(), env.preloaded())]
    rep.equal([one.err for one in said], ["without the preload\n", "with the preload\n"], who)
    rep.equal(said[1].out, said[0].out, f"{who}: the same with the preload")
    rep.equal(len(re.findall(r"^[^:]*: /[^:]*$", said[0].out, re.M)), found, f"{who}: found")


def scenario_origin(env, rep):
    """$ORIGIN is the caller's directory, not ours; generated code is the program's."""
    names = ["$ORIGIN/libsecretmem.so", "${ORIGIN}/libnone.so", "$ORIGIN.so/none", "$ORIGINS/none",
             "$ORIGIN/deep/libgarbage.so", "$LIB/libnone.so", "$ORIGIN/deep/libdeep_1.so",
             "libdeep_2.so"]
    rep.ok(os.path.exists(os.path.join(os.path.dirname(env.preload), "libsecretmem.so")),
           "there is one beside ours")
    for who in "program", "generated":
        asked(env, rep, who, names, 2)


def scenario_origin_of_relative(env, rep):
    """$ORIGIN is where the caller was when it was opened, not the same below another directory."""
    os.mkdir(env.path("deep"))
    for name in "libdeep_3.so", "libdeep_9.so":
        shutil.copy(env.helper("deep/libdeep_1.so"), env.path(f"deep/{name}"))
    said = compared(env, rep, "relative")
    rep.equal(os.path.realpath(said[0].rsplit(" ", 1)[1]),
              os.path.realpath(env.helper("deep/libdeep_3.so")), "the one beside the caller")
    rep.ok("No such file" in said[1], "and no other", said)


# What the whole machine would have in /etc, for one program, as another user
SET_ID = 'mount --bind "$1" /etc && shift && exec setpriv --reuid %d --clear-groups "$@"'


def scenario_set_id(env, rep):
    """In a set-id program the C library alone says what $ORIGIN and RUNPATH may be."""
    for directory in "ours", "etc", "empty":
        os.mkdir(env.path(directory))
    program = env.reachable(env.helper("asks"))
    ours = shutil.copy(env.preload, env.path("ours"))
    deep = env.helper("deep/libdeep_1.so")
    shutil.copy(deep, env.path("libplugin.so"))
    shutil.copy(deep, env.path("ours/libbeside.so"))
    with open(env.path("etc/ld.so.preload"), "w", encoding="ascii") as file:
        file.write(ours + "\n")
    names = ["$ORIGIN/libplugin.so", "$ORIGIN/libbeside.so", "libnone.so", "libdeep_2.so"]
    command = ["unshare", "-m", "sh", "-c", SET_ID % environment.PLAIN_USER, "sh"]
    said = {}
    for mode in 0o755, 0o4755:
        os.chmod(program, mode)
        for etc in "empty", "etc":
            said[mode, etc] = process.run(env, [*command, env.path(etc), program, "program", *names],
                                          env.plain())
            rep.equal(said[mode, etc].err, ("with" if etc == "etc" else "without")
                      + " the preload\n", f"{mode:o}, {etc}")
        rep.equal(said[mode, "etc"].out, said[mode, "empty"].out, f"{mode:o}: the same")
    found = [re.findall(r"^([^:]*): /", said[mode, "etc"].out, re.M) for mode in (0o755, 0o4755)]
    rep.equal(found, [[names[0], names[3]], [names[3]]], "found as an ordinary and a set-id program")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
