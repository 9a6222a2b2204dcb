# SPDX-License-Identifier: Apache-2.0
"""secretssl doctor: what is in the way of secret memory is found, by trying, and named."""

import ctypes
import mmap
import os
import re
import resource
import shutil
import subprocess
import sys

from harness import environment, figures, process, report
from harness.doctor import VERDICTS, doctor, elsewhere, installed

USER = {"user": environment.PLAIN_USER}
MEMFD_SECRET = 447
# What a machine without faults says "ok" to, as root
GOOD = ("children", "kernel", "boot-switch", "seccomp", "secret-memory", "unreadable", "fork", "memlock",
        "address-space", "preload")


def counted_by_length():
    """How this kernel counts, found out in another way: a mapping that is larger than the limit."""
    libc = ctypes.CDLL(None, use_errno=True)
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
        os.setgid(environment.PLAIN_USER)
        os.setuid(environment.PLAIN_USER)
        file = libc.syscall(MEMFD_SECRET, 0)
        os.ftruncate(file, 1 << 20)
        try:
            mmap.mmap(file, 1 << 20)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


def may_raise():
    """Whether root may raise limits here (CAP_SYS_RESOURCE); in the lab it may."""
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY,) * 2)
        except (OSError, ValueError):
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def expect(rep, found, check, verdict, *lines):
    """The verdict, and for each text a line to put somewhere that begins with it."""
    rep.equal(found.verdict(check), verdict, f"{check}: {verdict}")
    missing = [line for line in lines if not any(one.startswith(line) for one in found.lines(check))]
    rep.ok(not missing, f"{check}: says what to do", f"no {missing} in {found.lines(check)}")


def scenario_works(env, rep):
    """A machine on which all is well, in both forms, for root and for others."""
    found = doctor(env)
    rep.equal((found.status, found.works), (0, True), "secret memory works")
    rep.equal({name: found.verdict(name) for name in GOOD}, {name: "ok" for name in GOOD}, "all is well")
    rep.ok(all(one["verdict"] in VERDICTS and one["found"] for one in found.checks.values()),
           "each check says something")
    text = process.run(env, [env.tool, "doctor"], env.plain())
    words = re.findall(r"^(ok|note|warning|failed|unknown) +([a-z-]+) ", text.out, re.M)
    rep.equal({name: verdict for verdict, name in words},
              {name: one["verdict"] for name, one in found.checks.items()}, "the text says the same")
    rep.ok(text.status == 0 and text.out.endswith("secret memory works\n") and text.err == "",
           "and that it works", text)
    found = doctor(env, tool=installed(env), **USER)
    rep.equal((found.status, found.works), (0, True), "for a user as well")


def scenario_filters(env, rep):
    """A seccomp filter that refuses memfd_secret, or kills for it, or allows it."""
    for action in "ENOSYS", "EPERM", "KILL":
        found = doctor(env, wrapper=[env.helper("with_filter"), action])
        expect(rep, found, "seccomp", "failed", "SystemCallFilter=memfd_secret",
               '{"names": ["memfd_secret"], "action": "SCMP_ACT_ALLOW"}')
        rep.ok(("ends the process" if action == "KILL" else action) in found.found("seccomp"),
               f"{action} is named", found.found("seccomp"))
        rep.equal((found.status, found.works, found.verdict("secret-memory"), found.verdict("preload"),
                   found.verdict("kernel"), found.verdict("boot-switch")),
                  (1, False, "failed", "failed", "ok", "ok"), f"{action}: does not work")
    found = doctor(env, wrapper=[env.helper("with_filter"), "ALLOW"])
    rep.equal((found.status, found.verdict("seccomp")), (0, "ok"), "a filter that allows it")


def scenario_filter_as_user(env, rep):
    """Without privileges a filter and the boot switch cannot be told apart, and it says so."""
    found = doctor(env, tool=installed(env), wrapper=[env.reachable(env.helper("with_filter")), "ENOSYS"],
                   **USER)
    rep.equal((found.status, found.verdict("boot-switch"), found.verdict("seccomp")),
              (1, "unknown", "unknown"), "unknown")
    text = process.run(env, [env.reachable(env.helper("with_filter")), "ENOSYS", env.path("bin/secretssl"),
                             "doctor"], env.plain(), **USER)
    rep.ok("root may know more" in text.out, "root may know more", text)
    found = doctor(env, tool=env.path("bin/secretssl"),
                   wrapper=[env.reachable(env.helper("with_filter")), "EPERM"], **USER)
    expect(rep, found, "seccomp", "failed", "SystemCallFilter=")


def scenario_boot_switch(env, rep):
    """Switched off at boot: really, where the lab boots so; else /sys says so, and a filter does
    what the kernel would."""
    with open("/proc/cmdline", encoding="ascii") as file:
        off = "secretmem.enable=0" in file.read()
    if off:
        found = doctor(env)
    else:
        system = {"module/secretmem/parameters/enable": "N"}
        found = doctor(env, wrapper=[*elsewhere(system=system), env.helper("with_filter"), "ENOSYS"])
    expect(rep, found, "boot-switch", "failed", "secretmem.enable=1")
    rep.ok(found.checks["boot-switch"]["remedies"][0]["where"].startswith("/etc/default/grub"),
           "where to put it", found)
    rep.equal((found.status, found.verdict("kernel"), found.verdict("secret-memory")),
              (1, "ok", "failed"), "does not work")
    found = doctor(env, wrapper=[*elsewhere({"/proc/cmdline": "quiet secretmem.enable=0"}, {}),
                                 env.helper("with_filter"), "ENOSYS"])
    expect(rep, found, "boot-switch", "failed", "secretmem.enable=1")


def scenario_kernel(env, rep):
    """A kernel without memfd_secret: too old, or built so; or nobody knows."""
    refused = [env.helper("with_filter"), "ENOSYS"]
    without = {"module/kernel/name": "x"}
    found = doctor(env, wrapper=[*elsewhere(system=without), *refused])
    expect(rep, found, "kernel", "failed", "CONFIG_SECRETMEM=y")
    found = doctor(env, wrapper=[*elsewhere(system=without), *refused, "setarch", "--uname-2.6"])
    expect(rep, found, "kernel", "failed", "apt install linux-image")
    rep.ok("older" in found.found("kernel"), "too old", found)
    found = doctor(env, wrapper=[*elsewhere(system={}), *refused])
    rep.equal((found.verdict("kernel"), found.status), ("unknown", 1), "no /sys: unknown")


def scenario_memlock(env, rep):
    """No memory that may be locked, a little, enough; and how this kernel counts."""
    tool = installed(env)
    way = "what each process maps" if counted_by_length() else "pages touched by all processes of a user"
    cases = [(0, "failed", 1), (100 << 10, "warning", 0), (8 << 20, "warning", 0)]
    if may_raise():
        cases += [(1 << 30, "ok", 0), (resource.RLIM_INFINITY, "ok", 0)]
    for limit, verdict, status in cases:
        found = doctor(env, tool=tool, limits={"MEMLOCK": limit}, **USER)
        rep.equal((found.verdict("memlock"), found.status), (verdict, status), f"limit {limit}")
        rep.ok(way in found.found("memlock"), f"limit {limit}: this kernel counts {way}", found)
        if verdict != "ok":
            expect(rep, found, "memlock", verdict, "LimitMEMLOCK=512M",
                   "--ulimit memlock=536870912:536870912", "* - memlock 524288")
        rep.ok(found.found("cap-ipc-lock").startswith("not held"), "no capability", found)
    found = doctor(env, tool=tool, limits={"MEMLOCK": 0}, **USER)
    rep.equal((found.verdict("secret-memory"), found.verdict("preload")), ("failed", "failed"),
              "and so nothing works")
    found = doctor(env)
    rep.ok(way in found.found("memlock") and found.found("cap-ipc-lock").startswith("held"), "root", found)
    # The limit is a soft one here, which the preload raises.
    found = doctor(env, tool=tool, limits={"MEMLOCK": (0, 8 << 20)}, **USER)
    rep.equal((found.status, found.verdict("secret-memory")), (0, "ok"), "a soft limit is no obstacle")


def scenario_address_space(env, rep):
    found = doctor(env, limits={"AS": 2 << 30})
    expect(rep, found, "address-space", "warning", "LimitAS=infinity")
    rep.equal(found.status, 0, "works all the same")


def scenario_children(env, rep):
    """Where no process can be made, that is said, and nothing else."""
    found = doctor(env, tool=installed(env), limits={"NPROC": 0}, **USER)
    expect(rep, found, "children", "failed", "TasksMax=infinity", "--pids-limit")
    rep.equal((found.status, list(found.checks)), (1, ["children"]), "nothing else is claimed")


def scenario_file_size(env, rep):
    """A soft limit on the size of files is no obstacle: the allocator gets around it."""
    found = doctor(env, wrapper=["bash", "-c", '(ulimit -S -f 0; exec "$@") | (ulimit -S -f unlimited; cat)',
                                 "bash"])
    rep.equal((found.verdict("secret-memory"), found.verdict("preload")), ("ok", "ok"), "works")


def cgroup(name):
    """Makes a control group with 1 MiB of memory: (what to write a pid into, its directory)."""
    for root, limit in ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max"):
        directory = os.path.join(root, name)
        if not os.path.exists(os.path.join(root, "cgroup.procs")):
            continue
        os.mkdir(directory)
        if os.path.exists(os.path.join(directory, limit)):
            with open(os.path.join(directory, limit), "w", encoding="ascii") as file:
                file.write(str(12 << 20))
            return os.path.join(directory, "cgroup.procs"), directory
        os.rmdir(directory)
    raise RuntimeError("no control groups for memory: /sys/fs/cgroup is not mounted")


def scenario_cgroup(env, rep):
    """A control group with little memory left."""
    procs, directory = cgroup(f"secretssl-test-{os.getpid()}")
    try:
        join = ["sh", "-c", 'echo $$ >"$1" && shift && exec "$@"', "sh", procs]
        found = doctor(env, wrapper=join)
        expect(rep, found, "cgroup", "warning", "MemoryMax=", "--memory ")
        rep.ok(os.path.basename(directory) in found.found("cgroup"), "the group is named", found)
    finally:
        process.wait_until(lambda: not open(procs, encoding="ascii").read())
        os.rmdir(directory)
    rep.equal(doctor(env).verdict("cgroup"), "ok", "outside of it nothing is near")


def scenario_container(env, rep):
    found = doctor(env, wrapper=["unshare", "--user", "--map-root-user"])
    rep.ok(found.verdict("container") == "note" and "user name space" in found.found("container"),
           "a user name space", found)
    plain = doctor(env)
    rep.ok("user name space" not in plain.found("container") or plain.verdict("container") == "ok",
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
    found = doctor(env)
    there = os.path.exists("/sys/kernel/mm/secretmem")
    rep.equal((found.verdict("blocks"), found.verdict("uncached")),
              ("ok", "ok") if there else ("note", "note"), "as this kernel is")


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


def held(env, environ, *arguments, wrapper=(), name="held", **options):
    path = options.pop("path", None) or env.helper("seclude")
    child = process.Child(env, [*wrapper, path, "plain", name, "100"], environ, **options)
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
    unloadable = held(env, env.plain(LD_PRELOAD="/nonexistent/libsecretssl.so"))
    found = doctor(env, unloadable.pid).processes[unloadable.pid]
    rep.ok("ld.so did not load" in found["found"], "ld.so did not load it", found)
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
           and one["remedies"][0]["line"] == "SystemCallFilter=memfd_secret", "below a filter", found)
    small = held(env, env.preloaded(SECRETSSL_ARENA_SIZE="64K"))
    one = doctor(env, small.pid).processes[small.pid]
    rep.ok(one["state"] == "degraded"
           and one["remedies"][0]["line"].startswith("Environment=SECRETSSL_ARENA_SIZE="),
           "an arena that is full", one)
    sleep = process.Child(env, ["sleep", "100"], env.plain())
    found = doctor(env, sleep.pid)
    rep.equal((found.status, found.processes[sleep.pid]["verdict"]), (0, "note"), "nothing to protect")


def scenario_unreached(env, rep):
    """TLS that cannot be reached is named."""
    hidden = os.path.join(env.build, "test", "scan", "unreached_hidden.so")
    code = f"import ctypes, time; ctypes.CDLL({hidden!r}); print('ready', flush=True); time.sleep(100)"
    child = process.Child(env, [sys.executable, "-c", code], env.preloaded())
    child.wait_for("^ready")
    found = doctor(env, child.pid)
    one = found.processes[child.pid]
    rep.ok(found.status == 1 and one["state"] == "unreached"
           and one["not_reached"][0]["mapping"] == hidden, "a hidden copy of OpenSSL", found)
    child = process.Child(env, [sys.executable, "-c", "import ssl; " + code], env.preloaded())
    child.wait_for("^ready")
    one = doctor(env, child.pid).processes[child.pid]
    rep.ok(one["state"] == "protected" and one["verdict"] == "warning"
           and one["not_reached"][0]["mapping"] == hidden, "beside one that is protected", one)


def scenario_arguments(env, rep):
    result = process.run(env, [env.tool, "doctor", "--help"], env.plain())
    rep.ok(result.status == 0 and "Exit status" in result.out and "--preloaded" not in result.out,
           "--help", result)
    for arguments, said in (["--jsno"], "--jsno"), (["nginx"], "'nginx'"), (["-5"], "-5"), \
            (["--json=1"], "takes no value"), (["0"], "'0'"):
        result = process.run(env, [env.tool, "doctor", *arguments], env.plain())
        rep.ok(result.status == 2 and result.out == "" and result.err.count("\n") == 1
               and said in result.err and result.err.startswith("secretssl: doctor: "),
               " ".join(arguments), result)
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
