# SPDX-License-Identifier: Apache-2.0
"""Programs with one mistake each: the message, the call stack and the signal by which they end.

Each runs over the library and, under the preload, over OpenSSL's allocation functions; and
each time the same program without the mistake ends with 0 and says nothing.
"""

import os
import re
import shutil
import signal
import sys

from harness import process, report

WAYS = {"library": "libsecretmem", "openssl": "libsecretssl"}
# A slot, a medium one, a large block
SIZES = (100, 1000, 20000)
EVERY_KIND_OF_SIZE = (1, 15, 16, 17, 100, 255, 256, 1000, 8190, 8191, 20000)
HIDE_LIBUNWIND = process.hide("/lib/*/libunwind.so.8*", "/usr/lib/*/libunwind.so.8*")

DOUBLE = r"{} of a block that is free already \(double free\)"
INSIDE = r"{} of an address inside a block or never allocated"
UNALIGNED = r"{} of an address that is not aligned"
NEVER = r"{} of an address that was never allocated"
OVERRUN = "overrun: the bytes behind a block were overwritten"
DIRTY = "write after free: free memory was overwritten"


def start(env, way, program, arguments, **options):
    settings = options.pop("settings", {})
    environ = env.preloaded(**settings) if way == "openssl" else env.plain(**settings)
    command = [os.path.join(env.helpers, f"bugs-{way}", program), *map(str, arguments)]
    return process.run(env, command, environ, **options)


def expected_addresses(result):
    return re.findall(r"^expect (0x[0-9a-f]+)$", result.out, re.M)


def check_message(rep, way, result, kind, title, text=None):
    """One line that names kind and address, then a call stack that has bug() in it."""
    lines = (result.err if text is None else text).splitlines()
    start_of = rf"{WAYS[way]}: \[{result.pid}\] "
    fatal = lines and re.fullmatch(rf"{start_of}fatal: {kind}: (0x[0-9a-f]+)", lines[0])
    rep.ok(fatal and fatal[1] in expected_addresses(result),
           f"{title}: the message names the kind and the address", result)
    frames = [re.fullmatch(rf"{start_of}#(\d+) 0x[0-9a-f]+ (\S+ )?\(\S+\)", line)
              for line in lines[1:]]
    rep.ok(all(frames) and [int(frame[1]) for frame in frames] == list(range(len(frames)))
           and any((frame[2] or "").startswith("bug+0x") for frame in frames),
           f"{title}: a call stack, with the function that did it, and nothing else", result)


def fails(env, rep, program, kind, *arguments, ways=WAYS, **options):
    """It ends by SIGABRT and says why; without the mistake it runs to its end."""
    for way in ways:
        title = " ".join(map(str, (way, program, *arguments)))
        result = start(env, way, program, ["bug", *arguments], **options)
        rep.equal(result.status, -signal.SIGABRT, f"{title}: SIGABRT")
        check_message(rep, way, result, kind, title)
        control(env, rep, way, program, arguments, title)


def control(env, rep, way, program, arguments, title):
    result = start(env, way, program, ["right", *arguments])
    rep.ok(result.status == 0 and result.err == "" and "done" in result.out.splitlines(),
           f"{title}: without the mistake it runs to its end, and nothing is said", result)


def stopped(env, rep, program, *arguments, ways=WAYS):
    """It ends by SIGSEGV: a guard page has no access."""
    for way in ways:
        title = " ".join(map(str, (way, program, *arguments)))
        result = start(env, way, program, ["bug", *arguments])
        rep.ok(result.status == -signal.SIGSEGV and result.err == "", f"{title}: SIGSEGV", result)
        control(env, rep, way, program, arguments, title)


def scenario_double_free(env, rep):
    for size in SIZES:
        for between in (0, 300):
            fails(env, rep, "double_free", DOUBLE.format("free"), size, between)
        fails(env, rep, "double_free_thread", DOUBLE.format("free"), size)


def scenario_free_of_no_block(env, rep):
    for size in SIZES:
        fails(env, rep, "free_inside", INSIDE.format("free"), size, 16)
        fails(env, rep, "free_inside", UNALIGNED.format("free"), size, 8)
        fails(env, rep, "free_inside", UNALIGNED.format("free"), size, 1)
    fails(env, rep, "free_inside", INSIDE.format("free"), 20000, 8192)
    for place, kind in enumerate((INSIDE, NEVER, NEVER, NEVER)):
        fails(env, rep, "free_nowhere", kind.format("free"), 100, place)


def scenario_realloc_of_no_block(env, rep):
    for size in SIZES:
        fails(env, rep, "realloc_inside", INSIDE.format("realloc"), size, 16)
        fails(env, rep, "realloc_inside", UNALIGNED.format("realloc"), size, 4)
        fails(env, rep, "realloc_freed", DOUBLE.format("realloc"), size)
    for place, kind in enumerate((INSIDE, NEVER, NEVER, NEVER)):
        fails(env, rep, "realloc_nowhere", kind.format("realloc"), 100, place)


def scenario_usable_size(env, rep):
    for size in SIZES:
        fails(env, rep, "usable_size_of_freed", DOUBLE.format("usable size"), size,
              ways=["library"])


def scenario_write_after_free(env, rep):
    for size in SIZES:
        for place in (0, size // 2, size - 1):
            fails(env, rep, "write_after_free", DIRTY, size, place)
    for size in (100, 1000):
        fails(env, rep, "write_after_realloc", DIRTY, size)


def scenario_overrun(env, rep):
    for size in EVERY_KIND_OF_SIZE:
        fails(env, rep, "overrun", OVERRUN, size)
        fails(env, rep, "overrun", OVERRUN, size, -1)


def scenario_overrun_that_jumps(env, rep):
    """Past the canary, to what else the block has for itself: its slot, its last page."""
    for size, far in ((1, 14), (17, 9), (100, 11), (1000, 20), (5000, 100), (9000, 3000), (20000, 479)):
        fails(env, rep, "overrun_jump", OVERRUN, size, far)


def scenario_empty_block(env, rep):
    """One of size 0 has no byte to read or to write. OpenSSL gives none."""
    for place in 0, 7, 15:
        stopped(env, rep, "overrun_jump", 0, place, ways=["library"])
    fails(env, rep, "double_free", DOUBLE.format("free"), 0, 0, ways=["library"])


def scenario_overrun_then_realloc(env, rep):
    for size, other in ((100, 110), (100, 90), (100, 1000), (1000, 10), (20000, 20001),
                        (20000, 100000), (20000, 10000), (20000, 10)):
        fails(env, rep, "overrun_realloc", OVERRUN, size, other)


def scenario_guard(env, rep):
    """Behind a large block, and at once behind one that fills its pages, no access."""
    for size in (8192, 20000, 20480, 1000000):
        stopped(env, rep, "overrun_far", size)
    stopped(env, rep, "overrun", 8192)
    stopped(env, rep, "overrun", 20480)
    stopped(env, rep, "read_far", 20000)


def scenario_underrun(env, rep):
    """The byte before a block is another's: what is found is what became of that."""
    fails(env, rep, "underrun", OVERRUN, 24, 0)
    fails(env, rep, "underrun", OVERRUN, 111, 0)
    fails(env, rep, "underrun", DIRTY, 24, 1)
    fails(env, rep, "underrun", DIRTY, 100, 1)
    stopped(env, rep, "underrun", 20480, 2)


def scenario_no_escape(env, rep):
    """The program's own plans for SIGABRT do not count."""
    for place in (0, 1, 2):
        fails(env, rep, "abort_handled", DOUBLE.format("free"), 100, place)


def scenario_threads(env, rep):
    """Several at once: all lines are whole, the first is one of them."""
    for way in WAYS:
        result = start(env, way, "many_threads", ["bug"])
        kind = DOUBLE.format("free")
        lines = result.err.splitlines()
        good = [re.fullmatch(rf"{WAYS[way]}: \[{result.pid}\] "
                             rf"(fatal: {kind}: 0x[0-9a-f]+|#\d+ 0x[0-9a-f]+ .*\))", line)
                for line in lines]
        rep.ok(result.status == -signal.SIGABRT and lines and all(good)
               and "fatal: " in lines[0], f"{way} many_threads", result)
        control(env, rep, way, "many_threads", [], f"{way} many_threads")


def scenario_linker_lock(env, rep):
    """libunwind cannot be loaded now, or ever: after some seconds the process ends all the same."""
    for way in WAYS:
        result = start(env, way, "linker_lock", ["bug"])
        rep.ok(result.status == -signal.SIGABRT and 2 < result.seconds < 15,
               f"{way} linker_lock: SIGABRT after {result.seconds:.1f} s", result)
        rep.ok(re.fullmatch(rf"{WAYS[way]}: \[{result.pid}\] fatal: {DOUBLE.format('free')}: "
                            r"0x[0-9a-f]+\n", result.err), f"{way} linker_lock: one line", result)
        control(env, rep, way, "linker_lock", [], f"{way} linker_lock")


def scenario_without_libunwind(env, rep):
    for way in WAYS:
        result = start(env, way, "double_free", ["bug"], setup=HIDE_LIBUNWIND)
        rep.equal(result.status, -signal.SIGABRT, f"{way}: SIGABRT")
        rep.ok(re.fullmatch(rf"{WAYS[way]}: \[{result.pid}\] fatal: {DOUBLE.format('free')}: "
                            rf"0x[0-9a-f]+\n{WAYS[way]}: \[{result.pid}\] no call stack: "
                            r"libunwind\.so\.8 cannot be loaded\n", result.err),
               f"{way}: a line says that there is no call stack", result)
        result = start(env, way, "double_free", ["right"], setup=HIDE_LIBUNWIND)
        rep.ok(result.status == 0 and result.err == "", f"{way}: nobody misses it", result)


def scenario_not_loaded_before(env, rep):
    """libunwind is not there until it is needed."""
    for way in WAYS:
        result = start(env, way, "double_free", ["right"],
                       settings={"LD_DEBUG": "files", "LD_DEBUG_OUTPUT": env.path("files")})
        with open(env.path(f"files.{result.pid}"), encoding="utf-8") as file:
            text = file.read()
        rep.ok(result.status == 0 and "libc.so.6" in text and "libunwind" not in text,
               f"{way}: not loaded in a program without mistakes", result)
        result = start(env, way, "double_free", ["bug"],
                       settings={"LD_DEBUG": "files", "LD_DEBUG_OUTPUT": env.path("files")})
        with open(env.path(f"files.{result.pid}"), encoding="utf-8") as file:
            rep.ok("libunwind.so.8" in file.read(), f"{way}: loaded for a call stack")


def scenario_log_file(env, rep):
    """Message and call stack go where SECRETSSL_LOG says."""
    for way in WAYS:
        log = env.path(f"{way}.log")
        result = start(env, way, "double_free", ["bug"], settings={"SECRETSSL_LOG": log})
        rep.ok(result.status == -signal.SIGABRT and result.err == "",
               f"{way}: SIGABRT, and nothing on stderr", result)
        with open(log, encoding="utf-8") as file:
            check_message(rep, way, result, DOUBLE.format("free"), f"{way}, in the file",
                          file.read())
        result = start(env, way, "double_free", ["bug"], settings={"SECRETSSL_LOG": "none"})
        rep.ok(result.status == -signal.SIGABRT and result.err == "", f"{way}: none", result)


def scenario_other_root(env, rep):
    """In a chroot no library is loaded for the call stack: it may be anybody's."""
    root = env.path("root")
    place = os.path.join(root, "lib", "x86_64-linux-gnu")
    os.makedirs(place)
    for name in "libc.so.6", "ld-linux-x86-64.so.2":
        shutil.copy(f"/lib/x86_64-linux-gnu/{name}", place)
    shutil.copy(env.helper("planted/libunwind.so.8"), place)
    same = process.run(env, [env.helper("other_root"), "/"], env.preloaded())
    rep.ok(same.status == -signal.SIGABRT and re.search(r"#0 0x", same.err),
           "the same root: a call stack", same)
    result = process.run(env, [env.helper("other_root"), root], env.preloaded())
    rep.ok(result.status == -signal.SIGABRT and "planted" not in result.out
           and "no call stack: the root directory has changed" in result.err,
           "another: the message alone, and nothing of its is run", result)


def scenario_without_zero(env, rep):
    """SECRETSSL_ZERO=0: what is freed is not cleared; overruns and bad frees are found still."""
    zero = {"settings": {"SECRETSSL_ZERO": "0"}}
    for size in SIZES:
        fails(env, rep, "double_free", DOUBLE.format("free"), size, 300, **zero)
        fails(env, rep, "overrun", OVERRUN, size, -1, **zero)
    for way in WAYS:
        result = start(env, way, "write_after_free", ["bug", 100, 0], **zero)
        rep.ok(result.status == 0 and result.err == "",
               f"{way}: a write after free cannot be told from what the block held", result)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
