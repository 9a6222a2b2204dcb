# SPDX-License-Identifier: Apache-2.0
"""secretssl doctor, beyond memory and its limits: the machine, the preload, single processes."""

import os
import platform
import re
import resource
import shutil
import subprocess
import sys

from harness import environment, figures, process, report
from harness.doctor import USER, doctor, elsewhere, expect, installed


def scenario_container(env, rep):
    found = doctor(env, wrapper=["unshare", "--user", "--map-root-user"])
    rep.ok(found.verdict("container") == "note" and "user namespace" in found.found("container"),
           "a user name space", found)
    plain = doctor(env)
    rep.ok("user namespace" not in plain.found("container") or plain.verdict("container") == "ok",
           "not here", plain)
    found = doctor(env, environ=env.plain(container="lxc"),
                   wrapper=["chroot", "/"] if os.path.exists("/.dockerenv") else [])
    rep.ok(found.found("container").startswith("in a container"), "a container", found)


def scenario_hibernation(env, rep):
    """A machine that can hibernate, one that may not, and one that cannot tell."""
    found = doctor(env, wrapper=elsewhere(system={"power/state": "freeze mem disk",
                                                  "power/disk": "[platform] shutdown"}))
    expect(rep, found, "hibernation", "warning", "nohibernate")
    found = doctor(env, wrapper=elsewhere(system={"power/state": "freeze mem disk",
                                                  "power/disk": "[disabled]"}))
    rep.equal(found.verdict("hibernation"), "ok", "disabled")
    for policy, verdict in ("wipe", "note"), ("refuse", "warning"):
        found = doctor(env, wrapper=elsewhere(system={"power/state": "freeze mem disk", "power/disk": "[platform] shutdown",
                                                      "module/secretmem/parameters/hibernate": policy}))
        rep.equal(found.verdict("hibernation"), verdict, f"secretmem.hibernate={policy}")
    found = doctor(env, wrapper=elsewhere(system={"power/state": "freeze mem"}))
    rep.equal(found.verdict("hibernation"), "ok", "suspend only")
    found = doctor(env, wrapper=elsewhere(system={}))
    rep.equal(found.verdict("hibernation"), "unknown", "no /sys")


def scenario_core_dumps(env, rep):
    pattern = "/proc/sys/kernel/core_pattern"
    found = doctor(env, wrapper=elsewhere({pattern: "|/usr/lib/handler %p"}), limits={"CORE": 0})
    expect(rep, found, "core-dumps", "warning", "kernel.core_pattern=|/bin/false")
    found = doctor(env, wrapper=elsewhere({pattern: "core.%p"}), limits={"CORE": 1 << 30})
    expect(rep, found, "core-dumps", "warning", "LimitCORE=0", "* hard core 0")
    found = doctor(env, wrapper=elsewhere({pattern: "core.%p"}), limits={"CORE": 0})
    rep.equal(found.verdict("core-dumps"), "ok", "a limit of 0 and files")
    found = doctor(env, wrapper=elsewhere({pattern: ""}), limits={"CORE": 1 << 30})
    rep.equal(found.verdict("core-dumps"), "ok", "no pattern")


def scenario_patches(env, rep):
    """The counters of patched kernels."""
    base = {"block_size": "2097152", "blocks": "3", "pages": "7", "fallbacks": "1", "lost": "0",
            "reserved_total": "8", "reserved_free": "5", "reserved_misses": "0"}

    def system(**change):
        return {f"kernel/mm/secretmem/{name}": text for name, text in {**base, **change}.items()}

    found = doctor(env, wrapper=elsewhere(system=system()))
    rep.ok(found.verdict("blocks") == "ok" and "2048 KiB: 3 in use, 7 single pages, 1 fallbacks; 8 "
           "reserved at boot, 5" in found.found("blocks"), "blocks", found)
    rep.equal(doctor(env, wrapper=elsewhere(system=system(block_size="0"))).verdict("blocks"), "note",
              "none in this kernel")
    rep.equal(doctor(env, wrapper=elsewhere(system=system(lost="2"))).verdict("blocks"), "warning",
              "pages that were lost")
    found = doctor(env, wrapper=elsewhere(system=system(copy_at_fork="1")), limits={"MEMLOCK": 4 << 20})
    expect(rep, found, "fork-copies", "note", "LimitMEMLOCK=infinity")
    rep.ok("4096 KiB" in found.found("fork-copies"), "which limit", found)
    found = doctor(env)
    there = os.path.exists("/sys/kernel/mm/secretmem")
    rep.equal((found.verdict("blocks"), found.verdict("uncached")),
              ("ok", "ok") if there else ("note", "note"), "as this kernel is")
    unlimited = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] == resource.RLIM_INFINITY
    rep.equal(found.verdict("fork-copies"), "ok" if there and unlimited else "note", "as this kernel and limit are")


def scenario_preload(env, rep):
    """The object is not there, is no library, is told nonsense, or may not be loaded."""
    tool = installed(env, preload=False)
    found = doctor(env, tool=tool)
    if os.path.exists(env.path("lib/libsecretssl.so")) or "hooks" in found.found("preload"):
        raise RuntimeError(f"there is an installed libsecretssl.so: {found}")
    rep.ok(found.verdict("preload") == "failed" and "is in none of" in found.found("preload")
           and found.status == 1 and found.verdict("secret-memory") == "ok", "not there", found)
    with open(env.path("lib/libsecretssl.so"), "wb") as file:
        file.write(b"no library\n")
    found = doctor(env, tool=tool)
    rep.ok(found.verdict("preload") == "failed" and "not hooked" in found.found("preload")
           and "ld.so" in found.found("preload"), "no library", found)
    tool = installed(env)
    rep.equal(doctor(env, tool=tool).verdict("preload"), "ok", "there")
    subprocess.run(["cmake", "--install", env.build, "--prefix", env.path("prefix")], check=True,
                   capture_output=True, timeout=120)
    found = doctor(env, tool=env.path("prefix/bin/secretssl"))
    rep.ok(found.verdict("preload") == "ok" and env.path("prefix") in found.found("preload"),
           "installed below another prefix", found)
    found = doctor(env, tool=tool, environ=env.plain(SECRETSSL_ROUTE="wrong"))
    rep.ok(found.verdict("preload") == "failed" and "status 78" in found.found("preload")
           and "SECRETSSL_ROUTE" in found.found("preload"), "a wrong setting", found)
    os.chown(tool, environment.PLAIN_USER + 1, 0)
    os.chmod(tool, 0o4755)
    found = doctor(env, tool=tool, **USER)
    rep.ok(found.verdict("preload") == "failed" and "set-id" in found.found("preload"), "set-id", found)


def scenario_chroot(env, rep):
    """A root directory without /proc and /sys: what works is tried, the rest is said to be unknown."""
    root = env.path("root")
    loaded = subprocess.run(["ldd", env.tool], check=True, capture_output=True, text=True, timeout=60)
    for name in re.findall(r"/\S+", loaded.stdout):
        os.makedirs(root + os.path.dirname(name), exist_ok=True)
        shutil.copy(name, root + name)
    for name in "bin", "lib":
        os.makedirs(os.path.join(root, name), exist_ok=True)
    shutil.copy(env.tool, os.path.join(root, "bin"))
    shutil.copy(env.preload, os.path.join(root, "lib"))
    found = doctor(env, tool="/bin/secretssl", wrapper=["chroot", root])
    rep.equal((found.status, found.verdict("unreadable"), found.verdict("preload")), (0, "ok", "ok"),
              "secret memory works")
    rep.equal([found.verdict(name) for name in ("cgroup", "container", "hibernation", "core-dumps")],
              ["unknown"] * 4, "what /proc and /sys would tell is unknown")
    result = process.run(env, ["chroot", root, "/bin/secretssl", "stat", "--all"], env.plain())
    rep.ok(result.status == 2 and "mount it" in result.err, "stat says what it needs", result)


def held(env, environ, *arguments, wrapper=(), name="held", case="plain", blocks=100,
         **options):
    path = options.pop("path", None) or env.helper("seclude")
    child = process.Child(env, [*wrapper, path, case, name, str(blocks)], environ, **options)
    if not figures.named(child.pid, name):
        raise RuntimeError(f"{name}: {child.wait(0.1)}")
    return child


def scenario_processes(env, rep):
    """Why a process is not protected, and what to do about it."""
    protected, plain = held(env, env.preloaded()), held(env, env.plain())
    found = doctor(env, protected.pid)
    rep.equal((found.status, found.processes[protected.pid]["verdict"]), (0, "ok"), "protected")
    found = doctor(env, protected.pid, plain.pid)
    one = found.processes[plain.pid]
    rep.ok(found.status == 1 and found.works and one["verdict"] == "failed"
           and one["state"] == "unprotected"
           and any(line["line"].startswith("Environment=LD_PRELOAD=/") for line in one["remedies"]),
           "started without", found)
    for case in "plain", "leaderless":
        unloadable = held(env, env.plain(LD_PRELOAD="/nonexistent/libsecretssl.so"), case=case)
        rep.ok(case == "plain" or process.wait_until(lambda pid=unloadable.pid: not process.alive(pid)),
               f"{case}: its first thread")
        found = doctor(env, unloadable.pid).processes[unloadable.pid]
        rep.ok("ld.so did not load" in found["found"] and found["remedies"],
               f"{case}: ld.so did not load it", found)
    path = env.path("set-id")
    shutil.copy(env.helper("seclude"), path)
    os.chown(path, environment.PLAIN_USER + 1, 0)
    os.chmod(path, 0o4755)
    elevated = held(env, {**env.plain(), "LD_PRELOAD": env.reachable(env.preload)}, path=path, **USER)
    found = doctor(env, elevated.pid).processes[elevated.pid]
    rep.ok("set-id" in found["found"]
           and found["remedies"][0]["line"] == "AmbientCapabilities=CAP_NET_BIND_SERVICE", "set-id", found)
    refused = held(env, env.preloaded(), wrapper=[env.helper("with_filter"), "EPERM"])
    found = doctor(env, refused.pid)
    one = found.processes[refused.pid]
    rep.ok(found.status == 1 and one["state"] == "degraded"
           and one["remedies"][0]["line"] == "SystemCallFilter=memfd_secret"
           and "only where the unit has" in one["remedies"][0]["where"], "below a filter", found)
    small = held(env, env.preloaded(SECRETSSL_ARENA_SIZE="64K"))
    one = doctor(env, small.pid).processes[small.pid]
    rep.ok(one["state"] == "degraded"
           and one["remedies"][0]["line"].startswith("Environment=SECRETSSL_ARENA_SIZE="),
           "an arena that is full", one)
    for wrapper, size, limit in ([], "1M", "512M"), ([env.helper("liar"), "full"], "1048576M", "2097152M"):
        if wrapper:
            child = process.Child(env, wrapper, env.plain())
            figures.named(child.pid, "told")
            one = doctor(env, child.pid).processes[child.pid]
        rep.equal([line["line"] for line in one["remedies"]],
                  [f"Environment=SECRETSSL_ARENA_SIZE={size}", f"LimitMEMLOCK={limit}"],
                  "an arena of a size that is accepted, and a limit for it")
    sleep = process.Child(env, ["sleep", "100"], env.plain())
    found = doctor(env, sleep.pid)
    rep.equal((found.status, found.processes[sleep.pid]["verdict"]), (1, "note"), "nothing to protect")
    unused = process.Child(env, ["sleep", "100"], env.preloaded())
    rep.ok(process.wait_until(lambda: figures.of(env, unused.pid)["state"] == "unused", 20),
           "loaded, and unused")
    for pid in sleep.pid, unused.pid:
        found = doctor(env, pid)
        stat = process.run(env, [env.tool, "stat", str(pid)], env.plain())
        rep.equal((found.processes[pid]["verdict"], found.status, stat.status), ("note", 1, 1),
                  f"{found.processes[pid]['state']}: the exit status is that of stat")


def scenario_exponents(env, rep):
    """Only OpenSSL 3.0, and only with all that AVX512-IFMA needs, has exponents of RSA on the stack."""
    version = subprocess.run(["openssl", "version"], check=True, capture_output=True, text=True).stdout.split()[1]
    for features, there in ("0x80230000", True), ("0x80210000", False), ("0x80030000", False), ("0", False), ("~0x200000", False):
        found = doctor(env, environ=env.plain(OPENSSL_ia32cap=f":{features}"))
        expected = there and version.startswith("3.0.") and platform.machine() == "x86_64"
        rep.equal(found.verdict("rsa-exponents"), "warning" if expected else "ok", f"OpenSSL {version}, {features}")
        if expected:
            expect(rep, found, "rsa-exponents", "warning", "Environment=OPENSSL_ia32cap=:~0x200000")


def scenario_limited(env, rep):
    """Where the limit is the reason it comes first, and no filter is asked for where none is: in a
    unit without one, that line would forbid nearly everything."""
    preloaded = {**env.plain(), "LD_PRELOAD": env.reachable(env.preload)}
    path, filtered = env.reachable(env.helper("seclude")), env.reachable(env.helper("with_filter"))
    for wrapper, wanted in ([], []), ([filtered, "EPERM"], ["SystemCallFilter=memfd_secret"]):
        child = held(env, preloaded, path=path, wrapper=wrapper, limits={"MEMLOCK": 0}, **USER)
        one = doctor(env, child.pid).processes[child.pid]
        lines = [line["line"] for line in one["remedies"]]
        rep.equal((one["state"], lines[0], [line for line in lines if "Filter" in line]),
                  ("degraded", "LimitMEMLOCK=512M", wanted), f"below {wrapper[1:] or 'no filter'}")


def scenario_file_size(env, rep):
    """A limit on the size of files is in the way of secret memory, and not of locked memory."""
    # A hard limit of 64 KiB lets it begin, and ends it when it grows.
    for limit, blocks, named in ((0, 0), 100, True), ((32768, 32768), 5000, True), \
            ((0, 1 << 30), 5000, False):
        child = held(env, env.preloaded(), limits={"FSIZE": limit}, blocks=blocks)
        one = doctor(env, child.pid).processes[child.pid]
        rep.equal((one["state"], f"(RLIMIT_FSIZE), {limit[1]} bytes" in one["found"],
                   "LimitFSIZE=infinity" in [line["line"] for line in one["remedies"]]),
                  ("degraded" if named else "protected", named, named), f"{limit}")


def scenario_unreached(env, rep):
    """TLS that cannot be reached is named."""
    hidden = os.path.join(env.build, "test", "tool", "unreached_hidden.so")
    code = f"import ctypes, time; ctypes.CDLL({hidden!r}); print('ready', flush=True); time.sleep(100)"
    child = process.Child(env, [sys.executable, "-c", code], env.preloaded())
    child.wait_for("^ready")
    found = doctor(env, child.pid)
    one = found.processes[child.pid]
    rep.ok(found.status == 1 and one["state"] == "unreached"
           and one["not_reached"][0]["mapping"] == hidden and one["remedies"], "a hidden copy of OpenSSL", found)
    child = process.Child(env, [sys.executable, "-c", "import ssl; " + code], env.preloaded())
    child.wait_for("^ready")
    one = doctor(env, child.pid).processes[child.pid]
    rep.ok(one["state"] == "protected" and one["verdict"] == "warning"
           and one["not_reached"][0]["mapping"] == hidden, "beside one that is protected", one)


OPTION_ERRORS = [(["--zzzz"], "'--zzzz'"), (["-5"], "'5'"), (["--json=1"], "doesn't allow an argument")]


def scenario_arguments(env, rep):
    result = process.run(env, [env.tool, "doctor", "--help"], env.plain())
    rep.ok(result.status == 0 and "Exit status" in result.out and "--preloaded" not in result.out,
           "--help", result)
    for arguments, said in (["a/b"], "'a/b'"), (["0"], "'0'"), (["--jsno"], "'--json'"):
        result = process.run(env, [env.tool, "doctor", *arguments], env.plain())
        rep.ok(result.status == 2 and result.out == "" and result.err.count("\n") == 1
               and said in result.err and result.err.startswith("secretssl: doctor: "),
               " ".join(arguments), result)
    for arguments, said in OPTION_ERRORS:
        result = process.run(env, [env.tool, "doctor", *arguments], env.plain())
        rep.ok(result.status == 2 and result.out == "" and said in result.err.partition("\n")[0]
               and result.err.startswith("secretssl doctor: ")
               and "Try `secretssl doctor --help'" in result.err, " ".join(arguments), result)
    gone = subprocess.Popen(["true"])
    gone.wait()
    found = doctor(env, gone.pid)
    rep.ok(found.status == 2 and found.result.err.count("\n") == 1
           and "no such process" in found.result.err, "a process that is gone", found)
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([env.tool, "doctor"], stdout=full, stderr=subprocess.PIPE, check=False,
                              timeout=60)
    rep.ok(done.returncode == 2 and b"cannot write" in done.stderr, "a full disk", done)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
