# SPDX-License-Identifier: Apache-2.0
"""secretssl stat, of processes that do not help: gone, elsewhere, foreign, or lying."""

import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys

from harness import environment, figures, fuse, process, report


def scenario_library_gone(env, rep):
    """The library's file is deleted, or replaced by something else, while the program runs."""
    for what in "deleted", "replaced":
        copy = env.path(f"{what}.so")
        shutil.copy(env.preload, copy)
        child = figures.seclude(env, {**env.preloaded(), "LD_PRELOAD": copy}, "plain")
        os.unlink(copy)
        if what == "replaced":
            with open(copy, "wb") as file:
                file.write(b"\x7fELF no library\n")
        found = figures.of(env, child.pid)
        rep.ok(found["state"] == "protected" and found["live_bytes"] >= 100 * figures.BLOCK, what, found)


def scenario_mount_namespace(env, rep):
    """A process whose files are not where this program would look for them."""
    hidden = env.path("hidden")
    os.mkdir(hidden)
    shutil.copy(env.helper("seclude"), os.path.join(hidden, "seclude"))
    inside = 'mount --bind "$1" /mnt && mount -t tmpfs none "$1" && exec "$2" "$3" "$4" "$5"'
    child = process.Child(env, ["unshare", "--mount", "--propagation", "private", "sh", "-c", inside,
                                "sh", hidden, "/mnt/seclude", "plain", "inside", "100"],
                          env.preloaded())
    figures.named(child.pid, "inside")
    rep.ok(not os.path.exists("/mnt/seclude"), "its program is nowhere here")
    found = figures.of(env, child.pid)
    rep.ok(found["state"] == "protected" and found["live_bytes"] >= 100 * figures.BLOCK,
           "in another mount name space", found)


def scenario_liars(env, rep):
    """A process whose memory lies: the tool ends soon, in a regular way, and says nothing false
    of what the kernel knows."""
    for case in ("cycle", "endless", "wild", "wilder", "huge", "version", "size", "larger", "many",
                 "edge", "named", "more", "weaker"):
        child = process.Child(env, [env.helper("liar"), case], env.plain())
        figures.named(child.pid, "told")
        for form in "--json", "--prometheus", None:
            result = figures.stat(env, *filter(None, [form, child.pid]), seconds=20)
            if result.status not in (0, 1, 2) or result.seconds > 10:
                rep.ok(False, f"{case}, {form}: ends in a regular way", result)
        found = figures.of(env, child.pid)
        expected = {"version": "unknown", "size": "no-tls", "edge": "no-tls", "named": "unknown",
                    "huge": "unknown", "more": "unknown", "weaker": "unknown",
                    "larger": "no-tls"}.get(case, "unused")
        rep.equal(found["state"], expected, f"{case}: {expected}")
        if case in ("cycle", "endless", "wild", "wilder", "many"):
            rep.equal(found["complete"], False, f"{case}: not complete")
        said = {"version": "version 77", "more": "2 pages of secret memory, where the kernel has 1 ",
                "weaker": "pages of locked memory"}.get(case, "")
        rep.ok(said in found["reason"] and ("secret_bytes" in found) == (expected == "unused"),
               f"{case}: what is wrong is named, and not shown as a figure", found)
        child.stop(signal.SIGKILL)
    child = process.Child(env, [env.helper("liar"), "exact"], env.plain())
    figures.named(child.pid, "told")
    found = figures.of(env, child.pid)
    rep.equal((found["state"], found.get("secret_bytes")), ("protected", 4096), "what may be true is believed")


def scenario_silent_file(env, rep):
    """A process whose file lies where its owner answers when it pleases him."""
    with open(os.path.join(env.build, "test", "tool", "unreached_hidden.so"), "rb") as file:
        served = fuse.Served(env.path("served"), file.read())
    code = (f"import mmap, time; f = open({served.file!r}, 'rb')\n"
            "m = mmap.mmap(f.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)\n"
            "print(m[:4], flush=True); time.sleep(100)")
    try:
        child = process.Child(env, [sys.executable, "-c", code], env.plain())
        child.wait_for("ELF")
        twin = process.Child(env, [sys.executable, "-c", code], env.plain())
        twin.wait_for("ELF")
        found = figures.of(env, child.pid)
        rep.ok(found["state"] == "unreached" and found["not_reached"][0]["mapping"] == served.file,
               "as long as he answers, it is looked into", found)
        served.silence()
        reader = process.Child(env, ["cat", served.file], env.plain())
        rep.equal(reader.wait(2).status, "timeout", "who reads it waits")
        result = figures.stat(env, "--json", child.pid, seconds=30)
        rep.ok(result.status == 2 and result.seconds < 15 and "no answer" in result.err,
               "when he does not, it is not waited for", result)
        result = figures.stat(env, "--all", "--json", seconds=30)
        rep.ok(result.status in (1, 2) and result.seconds < 20, "nor with --all", result)
        second = process.Child(env, ["sleep", "100"], env.plain())
        result = figures.stat(env, "--json", child.pid, twin.pid, second.pid, seconds=30)
        states = [one["state"] for one in json.loads(result.out)["processes"]]
        rep.ok(states == ["unknown", "unknown", "no-tls"] and result.seconds < 6,
               "once for all processes that have it, which are all unknown", result)
        child.popen.kill()
        twin.popen.kill()
    finally:
        served.end()


def scenario_other_builds(env, rep):
    """Counters are only ever added: what an older build has not is 0, what a newer has is left."""
    for case, limit in ("older", 0), ("newer", 4096):
        child = process.Child(env, [env.helper("liar"), case], env.plain())
        figures.named(child.pid, "told")
        found = figures.of(env, child.pid)
        rep.equal((found["failed_allocations"], found["limit_bytes"]), (7, limit), case)


# A program for 32-bit machines that only waits: pause(), again and again.
CODE_32 = bytes.fromhex("b81d000000cd80ebf7")


def program_32(name):
    base = 0x8048000
    head = struct.pack("<16sHHIIIIIHHHHHH", b"\x7fELF\x01\x01\x01", 2, 3, 1, base + 84, 52, 0, 0,
                       52, 32, 1, 0, 0, 0)
    segment = struct.pack("<IIIIIIII", 1, 0, base, base, 84 + len(CODE_32), 84 + len(CODE_32), 5,
                          0x1000)
    with open(name, "wb") as file:
        file.write(head + segment + CODE_32)
    os.chmod(name, 0o755)


def scenario_not_for_us(env, rep):
    """Processes that are no business of ours, or cannot be looked at: one clear line each."""
    program_32(env.path("small"))
    try:
        child = process.Child(env, [env.path("small")], env.preloaded())
    except OSError:
        rep.note("this kernel runs no 32-bit programs")
    else:
        found = figures.of(env, child.pid)
        rep.ok(found["state"] == "unreached" and "32-bit" in found["reason"] and found["status"] == 1,
               "a 32-bit program", found)
    child = process.Child(env, ["sleep", "100"], env.plain())
    found = figures.of(env, child.pid)
    rep.equal((found["state"], found["status"]), ("no-tls", 1), "sleep has no TLS")
    zombie = subprocess.Popen(["true"])
    process.wait_until(lambda: not process.alive(zombie.pid))
    found = figures.of(env, zombie.pid)
    rep.ok(found["state"] == "gone" and "ended" in found["reason"] and found["status"] == 2,
           "a zombie has ended", found)
    zombie.wait()
    result = figures.stat(env, zombie.pid)
    rep.ok(result.status == 2 and result.err.count("\n") == 1 and "no such process" in result.err,
           "no such process", result)
    found = figures.of(env, 2) if process.program(2) == "kthreadd" else None
    rep.ok(found is None or found["state"] == "no-tls", "a thread of the kernel", found)


def scenario_other_user(env, rep):
    """Without privileges: one's own processes, and a clear line for others'."""
    tool, preload = env.reachable(env.tool), env.reachable(env.preload)
    foreign = figures.seclude(env, env.preloaded(), "plain")
    # Its descriptors and its program are its own, so the kernel lets it look.
    own = figures.seclude(env, {**env.preloaded(), "LD_PRELOAD": preload}, "plain",
                  path=env.reachable(env.helper("seclude")), user=environment.PLAIN_USER)
    found = figures.of(env, own.pid, tool=tool, user=environment.PLAIN_USER)
    rep.equal((found["state"], found["status"]), ("protected", 0), "one's own")
    result = figures.stat(env, foreign.pid, tool=tool, user=environment.PLAIN_USER)
    rep.ok(result.status == 2 and result.out == "" and result.err.count("\n") == 1
           and "root" in result.err and str(foreign.pid) in result.err, "root's", result)
    result = figures.stat(env, "--all", "--json", tool=tool, user=environment.PLAIN_USER)
    pids = [one["pid"] for one in json.loads(result.out)["processes"]]
    rep.ok(own.pid in pids and foreign.pid not in pids and result.err.count("\n") == 1
           and "could not be looked at" in result.err, "--all", result)


def scenario_unreached(env, rep):
    """A copy of OpenSSL that exports nothing, in a process with and without the preload."""
    hidden = os.path.join(env.build, "test", "tool", "unreached_hidden.so")
    code = f"import ctypes, time; ctypes.CDLL({hidden!r}); print('ready', flush=True); time.sleep(100)"
    for environ, libraries in (env.plain(), []), (env.preloaded(), ["libsecretssl.so"]):
        child = process.Child(env, [sys.executable, "-c", code], environ)
        child.wait_for("^ready")
        found = figures.of(env, child.pid)
        rep.ok(found["state"] == "unreached" and found["status"] == 1
               and found["libraries"] == libraries
               and "exports no symbols" in found["not_reached"][0]["what"],
               f"unreached, libraries {libraries}", found)


def loaded(env, environ, *libraries, more=""):
    """A program that has nothing of TLS but what it loads."""
    code = (f"import ctypes, time; held = [ctypes.CDLL(name) for name in {libraries!r}]; {more}\n"
            "print('ready', flush=True); time.sleep(100)")
    child = process.Child(env, [sys.executable, "-c", code], environ)
    child.wait_for("^ready")
    return child


def scenario_unlike_openssl(env, rep):
    """What exports OpenSSL's hook, or has its name, is OpenSSL, without any text of Debian's build."""
    libressl = env.helper("libfake_libressl.so")
    named = env.path("libcrypto.so.9")
    shutil.copy(os.path.join(env.build, "test", "tool", "libscan_any_object.so"), named)
    renamed = env.path("libssl.so.9")
    shutil.copy(named, renamed)
    for library in libressl, named, renamed:
        found = figures.of(env, loaded(env, env.plain(), library).pid)
        rep.equal((found["state"], found["openssl"], found["status"]), ("unprotected", library, 1),
                  os.path.basename(library))
    other = env.path("libother.so.9")
    shutil.copy(named, other)
    found = figures.of(env, loaded(env, env.plain(), other).pid)
    rep.equal((found["state"], found["openssl"]), ("no-tls", None), "but not what has neither")
    found = figures.of(env, loaded(env, env.preloaded()).pid)
    rep.equal((found["state"], found["openssl"]), ("unused", None), "nor libsecretssl itself")


def scenario_none_hooked(env, rep):
    """The one libcrypto there is cannot be hooked: that is no protection."""
    found = figures.of(env, loaded(env, env.preloaded(), env.helper("libfake_libressl.so")).pid)
    rep.ok((found["hooks"], found["hooks_failed"]) == (0, 1) and found["state"] == "unprotected"
           and found["status"] == 1 and "none could be hooked" in found["reason"], "unprotected", found)
    found = figures.of(env, loaded(env, env.preloaded(), "libcrypto.so.3",
                                   env.helper("libfake_libressl.so")).pid)
    rep.ok((found["hooks"], found["hooks_failed"]) == (1, 1) and found["state"] == "degraded",
           "beside one that is hooked: degraded", found)


def scenario_copies(env, rep):
    """One hooked libcrypto does not answer for another that nobody hooked."""
    # Mapped as code without dlopen, as a loader of a program's own does it.
    code = ("libc = ctypes.CDLL(None); f = open({!r}, 'rb'); "
            "libc.mmap.restype = ctypes.c_void_p; "
            "libc.mmap.argtypes = [ctypes.c_void_p] + [ctypes.c_long] * 5; "
            "at = libc.mmap(None, 65536, {}, 2, f.fileno(), 0)")
    other = env.helper("libfake_3.so")
    child = loaded(env, env.preloaded(), "libcrypto.so.3", more=code.format(other, 5))
    found = figures.of(env, child.pid)
    rep.ok(found["state"] == "degraded" and found["hooks"] == 1
           and re.search("2 copies of OpenSSL, 1 hooked: .*libfake_3.so", found["reason"])
           and "libcrypto.so.3" in found["reason"], "named", found)
    # Another of the same file, which is hooked, does not stand in for it.
    space = ("libc = ctypes.CDLL(None); libc.dlmopen.argtypes = [ctypes.c_long, ctypes.c_char_p, "
             "ctypes.c_int]; libc.dlmopen.restype = ctypes.c_void_p; "
             "assert libc.dlmopen(-1, b'libcrypto.so.3', 2); ")
    for more, state in (space, "protected"), (space + code.format(other, 5), "degraded"):
        found = figures.of(env, loaded(env, env.preloaded(), "libcrypto.so.3", more=more).pid)
        rep.ok((found["state"], found["hooks"]) == (state, 2)
               and (state == "protected" or "3 copies of OpenSSL, 2 hooked" in found["reason"]),
               f"one more in a name space: {state}", found)
    child = loaded(env, env.preloaded(), "libcrypto.so.3", more=code.format(other, 1))
    rep.equal(figures.of(env, child.pid)["state"], "protected", "as data it is none")
    child = loaded(env, env.preloaded(), "libcrypto.so.3", other, env.helper("libfake_1.so"),
                   "libssl.so.3")
    found = figures.of(env, child.pid)
    rep.equal((found["state"], found["hooks"]), ("protected", 3), "three that are hooked")


def scenario_beside(env, rep):
    """TLS that is not reached, beside OpenSSL that is: each form of the figures names it."""
    from prometheus_client.parser import text_string_to_metric_families
    hidden = os.path.join(env.build, "test", "tool", "unreached_hidden.so")
    twin = env.path("twin.so")
    shutil.copy(hidden, twin)
    child = loaded(env, env.preloaded(), "libcrypto.so.3", "libgnutls.so.30", hidden, twin)
    found = figures.of(env, child.pid)
    rep.equal([one["what"] for one in found["not_reached"] if "GnuTLS" in one["what"]], ["GnuTLS"],
              "JSON")
    result = figures.stat(env, "--prometheus", child.pid)
    families = {family.name: family for family in text_string_to_metric_families(result.out)}
    samples = [(sample.labels["pid"], sample.labels["comm"], sample.labels["what"], sample.value)
               for sample in families["secretssl_not_reached"].samples]
    comm = process.program(child.pid)
    rep.equal(sorted(samples), [(str(child.pid), comm, "GnuTLS", 1.0),
                                (str(child.pid), comm, "a copy of OpenSSL that exports no symbols", 1.0)],
              "metrics, each once")
    rep.ok("not reached  GnuTLS" in figures.stat(env, child.pid).out, "text")


def scenario_closed_file(env, rep):
    """Code that could not be looked into may be TLS."""
    tool = env.reachable(env.tool)
    copy = env.path("asleep")
    shutil.copy("/usr/bin/sleep", copy)
    os.chmod(copy, 0o755)
    child = process.Child(env, [copy, "100"], env.plain(), user=environment.PLAIN_USER)
    figures.named(child.pid, "asleep")
    user = {"tool": tool, "user": environment.PLAIN_USER}
    rep.equal(figures.of(env, child.pid, **user)["state"], "no-tls", "what can be opened is")
    # No child can be had for the look.
    result = process.run(env, ["prlimit", "--nproc=1", tool, "stat", "--json", str(child.pid)],
                         env.plain(), user=environment.PLAIN_USER)
    found = json.loads(result.out)["processes"][0]
    rep.ok(found["state"] == "unknown" and result.status == 2 and "could not be read" in result.err
           and "no answer" not in result.err, "without a child to look: unknown, and no wait", result)
    os.unlink(copy)
    found = figures.of(env, child.pid, **user)
    rep.ok(found["state"] == "unknown" and found["status"] == 2 and copy in found["reason"],
           "deleted, for who may not open it: unknown", found)
    rep.equal(figures.of(env, child.pid)["state"], "no-tls", "for root it is open")


def scenario_ends_meanwhile(env, rep):
    """Processes that come and go while they are looked at."""
    loop = process.Child(env, ["sh", "-c", "while :; do openssl version >/dev/null; done"],
                         env.preloaded())
    for _ in range(8):
        result = figures.stat(env, "--all", "--json")
        if result.status not in (0, 1, 2) or "processes" not in json.loads(result.out):
            rep.ok(False, "ends in a regular way", result)
    rep.ok(loop.popen.poll() is None, "eight times")
    loop.stop(signal.SIGKILL)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
