# SPDX-License-Identifier: Apache-2.0
"""The hooks themselves: OpenSSL's contract, foreign pointers, threads, and coming too late."""

import os
import re
import shutil
import subprocess
import sys

from harness import process, report

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "install"))
from symbols import symbols_of  # noqa: E402 (found beside the tests of installing)

# What libcrypto exports with such a name, and is no function for the caller's memory. These functions allocate
# their own objects by those that are answered.
NO_ALLOCATORS = r"""CRYPTO_THREAD_\w+ | CRYPTO_(alloc|dup|free)_ex_(data|index) | CRYPTO_ocb128_\w+ |
    CRYPTO_\w+_mem_functions | CRYPTO_mem_\w+"""


def libcrypto():
    """The one that the openssl command has."""
    libraries = subprocess.run(["ldd", shutil.which("openssl")], text=True, check=True,
                               stdout=subprocess.PIPE).stdout
    return re.search(r"libcrypto\.so\S* => (\S+)", libraries)[1]


def exported(path):
    return set(symbols_of(path, "--dynamic"))


def unanswered(symbols, env):
    """Of these symbols of a libcrypto, the functions for memory that the preload does not have."""
    memory = {name for name in symbols
              if re.fullmatch(r"CRYPTO_\w*(alloc|free|dup|size|used|allocated)\w*", name)}
    others = {name for name in memory if re.fullmatch(NO_ALLOCATORS, name, re.VERBOSE)}
    return memory - others - exported(env.preload)


def scenario_contract(env, rep):
    process.run_both(env, rep, "hooks", "contract")


def scenario_foreign_pointers(env, rep):
    process.run_both(env, rep, "hooks", "foreign")


def scenario_small_stack(env, rep):
    process.run_both(env, rep, "hooks", "small_stack")


def scenario_threads_that_end(env, rep):
    process.run_both(env, rep, "hooks", "threads")


def scenario_misuse_while_forking(env, rep):
    """The call stack of a misuse does not wait for a fork, which waits for that thread."""
    for turn in range(5):
        result = process.run(env, [env.helper("hooks"), "secret", "misuse"], env.preloaded())
        rep.ok(result.status == -6 and re.search(r"#1 0x\S+ ", result.err),
               f"turn {turn}: SIGABRT with a call stack", result)


def scenario_early_library(env, rep):
    """A library that uses OpenSSL in its constructor comes after the hook."""
    process.run_checks(env, rep, "early", ["ordinary", "use"], env.plain(),
                       title="early without the preload")
    process.run_checks(env, rep, "early", ["secret", "use"], env.preloaded(), title="early")


def is_symbolic(path):
    """Whether a library was linked with -Bsymbolic, as Debian links libcrypto from 3.6 on."""
    done = subprocess.run(["readelf", "--wide", "--dynamic", path], text=True, check=True,
                          stdout=subprocess.PIPE)
    return "SYMBOLIC" in done.stdout


def scenario_before_start(env, rep):
    """A library that insists on being first allocates before us: one line says so; what
    follows is protected, unless libcrypto's own calls do not go through us: then a second line
    says that nothing is. Required, the process ends."""
    said = ["allocations before libsecretssl"]
    if is_symbolic(libcrypto()):
        said.append("is not protected: the hook comes too late")
    process.run_checks(env, rep, "late", ["ordinary", "afterwards"], env.plain(),
                       title="late without the preload")
    kind = "ordinary" if len(said) == 2 else "secret"
    result = process.run_checks(env, rep, "late", [kind, "afterwards"], env.preloaded(),
                                title="late", messages=said)
    rep.equal(len(result.err.splitlines()), len(said), "the lines on stderr")
    result = process.run(env, [env.helper("late"), "secret", "afterwards"],
                         env.preloaded(SECRETSSL_REQUIRE="1"))
    rep.ok(result.status == 78 and result.out == "" and len(result.err.splitlines()) == 1
           and re.search("allocations before libsecretssl", result.err),
           "SECRETSSL_REQUIRE=1: status 78 and one line", result)


def scenario_kernel_tls(env, rep):
    """A libcrypto that is served gives no keys to the kernel."""
    process.run_both(env, rep, "ktls", "served", ["kernel TLS is refused"])
    process.run_both(env, rep, "ktls", "left_alone", ["is not protected: it is LibreSSL"])


def scenario_unwound(env, rep):
    """Call stacks go on beyond syscall(), which is ours."""
    process.run_both(env, rep, "unwound", "waiting")


def scenario_every_allocator(env, rep):
    """OpenSSL gets new functions for memory now and then: each that this libcrypto has is ours."""
    path = libcrypto()
    symbols = exported(path)
    rep.ok({"CRYPTO_malloc", "CRYPTO_secure_zalloc"} <= symbols, f"{path} exports its functions")
    rep.equal(sorted(unanswered(symbols, env)), [], "all of its functions for memory are answered")
    rep.equal(unanswered(symbols | {"CRYPTO_new_alloc"}, env), {"CRYPTO_new_alloc"},
              "the control: one more would be found")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
