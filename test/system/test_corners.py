# SPDX-License-Identifier: Apache-2.0
"""The edge of fork, filters and locked memory; fork handlers around those of libsecretmem."""

import sys

from harness import process, report


def both(env, rep, case, **options):
    """A case without the preload, in ordinary memory, and with it, in secret memory."""
    for kind, environ in ("ordinary", env.plain()), ("secret", env.preloaded()):
        process.run_checks(env, rep, "corners", [kind, case], environ, seconds=100,
                           title=f"{case}, {kind} memory", **options)


def scenario_bad_filter(env, rep):
    both(env, rep, "bad_filter")


def scenario_vfork(env, rep):
    """What a child of vfork does to itself changes nothing in its parent."""
    both(env, rep, "vfork_filter")
    both(env, rep, "vfork_limit")


def scenario_raw_filter(env, rep):
    both(env, rep, "raw_filter")


def scenario_stream(env, rep):
    both(env, rep, "stream")


def scenario_locked(env, rep):
    """mlockall, before the first block and after it, with a large arena as well."""
    both(env, rep, "locked")
    both(env, rep, "locked_before")
    process.run_checks(env, rep, "corners", ["secret", "locked_before"],
                       env.preloaded(SECRETSSL_ARENA_SIZE="64G"), title="an arena of 64 GiB")


def scenario_hard_limit(env, rep):
    both(env, rep, "hard_limit", limits={"MEMLOCK": (4 << 20, 4 << 20)})


def scenario_registers(env, rep):
    both(env, rep, "registers")


def scenario_handlers(env, rep):
    """Handlers that were registered first allocate, free and set errno; none costs a child its life."""
    for what in "none", "prepare", "parent", "child", "freed", "errno":
        result = process.run(env, [env.helper("handlers"), env.library, what], env.plain())
        rep.ok(result.status == 0 and not result.messages, f"handlers: {what}", result)


def scenario_afalg(env, rep):
    """OpenSSL's engine for ciphers in the kernel would write nothing: it is refused, and the
    processor encrypts."""
    with open(env.path("text"), "w", encoding="ascii") as file:
        file.write("a text\n")
    command = ["openssl", "enc", "-aes-128-cbc", "-base64", "-K", "00" * 16, "-iv", "01" * 16, "-in",
               env.path("text")]
    plain = process.run(env, command, env.plain())
    result = process.run(env, [*command, "-engine", "afalg"], env.preloaded())
    rep.equal((plain.status, result.status, result.out), (0, 0, plain.out), "the same bytes")
    rep.ok("libsecretssl: [" in result.err and "OpenSSL's engine afalg is refused" in result.err,
           "and a line that says why", result)


def scenario_unloaded(env, rep):
    """A plugin with the static library in it is closed, and the process forks."""
    result = process.run(env, [env.helper("handlers"), env.helper("libarchive_plugin.so"), "unloaded"],
                         env.plain())
    rep.ok(result.status == 0, "it goes on", result)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
