# SPDX-License-Identifier: Apache-2.0
"""secretssl doctor: what is in the way of secret memory is found, by trying, and named."""

import ctypes
import mmap
import os
import re
import resource
import subprocess
import sys

from harness import environment, process, report
from harness.doctor import USER, VERDICTS, doctor, elsewhere, expect, installed

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


def scenario_uncached(env, rep):
    """Uncached memory: what is missing is a privilege, a processor or the patches, and is named."""
    for answer, verdict, words in (("EPERM", "warning", "CAP_SYS_RAWIO"),
                                   ("EOPNOTSUPP", "note", "not on this processor or architecture")):
        found = doctor(env, wrapper=[env.helper("with_filter"), f"UNCACHED_{answer}"])
        rep.ok(found.verdict("uncached") == verdict and words in found.found("uncached")
               and "kernel-patches" not in found.found("uncached"), answer, found)
        rep.equal(found.verdict("secret-memory"), "ok", f"{answer}: secret memory works all the same")
    if not os.path.exists("/sys/kernel/mm/secretmem"):
        rep.ok("kernel-patches/" in doctor(env).found("uncached"), "the control: no patches")


def scenario_filters(env, rep):
    """A seccomp filter that refuses memfd_secret, or kills for it, or allows it."""
    for action in "ENOSYS", "EPERM", "KILL":
        found = doctor(env, wrapper=[env.helper("with_filter"), action])
        expect(rep, found, "seccomp", "failed", "SystemCallFilter=memfd_secret",
               '{"names": ["memfd_secret"], "action": "SCMP_ACT_ALLOW"}')
        rep.ok("only where the unit has" in found.checks["seccomp"]["remedies"][0]["where"],
               f"{action}: not for a unit without a filter", found.checks["seccomp"])
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
    rep.ok("root may be able to find out more" in text.out, "root may know more", text)
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
    for machine, name in ("x86_64", "amd64"), ("aarch64", "arm64"):
        found = doctor(env, wrapper=[*elsewhere(system=without), *refused, "setarch", "--uname-2.6", "env",
                                     f"FAKE_MACHINE={machine}", "LD_PRELOAD=" + env.helper("libfake_machine.so")])
        rep.equal(found.lines("kernel"), [f"apt install linux-image-{name}"], f"on {machine}")
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


def scenario_memlock_in_user_namespace(env, rep):
    """Capabilities that a user name space gives are none: the limit holds, and stays."""
    inside = ["unshare", "--user", "--map-root-user"]
    found = doctor(env, wrapper=inside, limits={"MEMLOCK": 8 << 20})
    expect(rep, found, "memlock", "warning", "LimitMEMLOCK=512M")
    rep.ok("CAP_" not in found.found("memlock") and found.found("cap-ipc-lock").startswith("held")
           and "a process that holds it is exempt" not in found.found("cap-ipc-lock"), "no power is claimed", found)
    if may_raise():
        found = doctor(env, limits={"MEMLOCK": 8 << 20})
        rep.ok(found.verdict("memlock") == "ok" and "CAP_" in found.found("memlock"),
               "outside there is", found)


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


def scenario_hard_file_size(env, rep):
    """A hard limit cannot be got around: it is named, and not that on locked memory."""
    script = '(ulimit -f 0; {}exec "$@") | cat; exit ${{PIPESTATUS[0]}}'
    for case, trap in ("killed", ""), ("refused", "trap '' XFSZ; "):
        found = doctor(env, wrapper=["bash", "-c", script.format(trap), "bash"])
        expect(rep, found, "secret-memory", "failed", "LimitFSIZE=infinity", "--ulimit fsize=-1",
               "* - fsize unlimited")
        rep.equal(("RLIMIT_FSIZE" in found.found("secret-memory"), found.status, found.verdict("memlock")),
                  (True, 1, "note"), f"{case}: named")


def scenario_remedies(env, rep):
    """Whatever failed, there is a line that says what to do."""
    without = elsewhere(system={"module/kernel/name": "x"})
    filtered = [[env.helper("with_filter"), action] for action in ("ENOSYS", "EPERM", "KILL")]
    cases = [(wrapper, {}, None) for wrapper in [*filtered, [*without, *filtered[0]]]]
    cases += [([], {**USER, "limits": {"MEMLOCK": 0}}, installed(env)),
              (["bash", "-c", '(ulimit -f 0; exec "$@") | cat', "bash"], {}, None)]
    for wrapper, options, tool in cases:
        found = doctor(env, wrapper=wrapper, tool=tool, **options)
        failed = [name for name, one in found.checks.items() if one["verdict"] == "failed"]
        rep.ok(failed, f"{wrapper[-2:] or options}: {failed}", found)
        rep.equal([name for name in failed if not found.lines(name)], [], "each has a remedy")


class Group:
    """A control group with a limit on memory, of whichever generation there is."""

    def __init__(self):
        for root, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
                            ("/sys/fs/cgroup", "memory.max")):
            if not os.path.exists(os.path.join(root, "cgroup.procs")):
                continue
            self.directory = os.path.join(root, f"secretssl-test-{os.getpid()}")
            os.mkdir(self.directory)
            self.file = os.path.join(self.directory, limit)
            if os.path.exists(self.file):
                return
            os.rmdir(self.directory)
        raise RuntimeError("no control groups for memory in /sys/fs/cgroup")

    def limit(self, size):
        with open(self.file, "w", encoding="ascii") as file:
            file.write(str(size))

    def usage(self):
        name = {"memory.max": "memory.current"}.get(os.path.basename(self.file), "memory.usage_in_bytes")
        with open(os.path.join(self.directory, name), encoding="ascii") as file:
            return int(file.read())

    def join(self):
        with open(os.path.join(self.directory, "cgroup.procs"), "w", encoding="ascii") as file:
            file.write(str(os.getpid()))

    def end(self):
        def left():
            with open(os.path.join(self.directory, "cgroup.procs"), encoding="ascii") as file:
                return file.read()

        process.wait_until(lambda: not left())
        os.rmdir(self.directory)


def killed_for_memory(env, group):
    """The diagnosis below a limit under which the doctor lives, and what it tries dies. What is
    charged to the group differs from run to run: closer steps follow."""
    for step in 100 << 10, 50 << 10, 20 << 10:
        for limit in range(2 << 20, 6 << 20, step):
            group.limit(limit)
            try:
                found = doctor(env, setup=group.join)
            except RuntimeError:
                continue  # It had not enough for itself.
            if "was killed" in found.found("memlock"):
                return found
    return None


def scenario_cgroup(env, rep):
    """A control group with little memory left, and one with so little that who asks is killed."""
    group = Group()
    try:
        group.limit(12 << 20)
        found = doctor(env, setup=group.join)
        expect(rep, found, "cgroup", "warning", "MemoryMax=", "--memory ")
        rep.ok(os.path.basename(group.directory) in found.found("cgroup"), "the group is named", found)
        found = killed_for_memory(env, group)
        if rep.ok(found, "there is a limit below which the trial is killed"):
            expect(rep, found, "memlock", "failed", "MemoryMax=")
            rep.equal(found.status, 1, "does not work")
    finally:
        group.end()
    rep.equal(doctor(env).verdict("cgroup"), "ok", "outside of it nothing is near")


def scenario_cgroup_page_cache(env, rep):
    """Page cache in a control group is given up before anybody is killed: it is no lack of memory."""
    group, size = Group(), 48 << 20
    path = env.path("read-once")
    subprocess.run(["dd", "if=/dev/zero", f"of={path}", "bs=1M", f"count={size >> 20}", "conv=fsync",
                    "status=none"], check=True, timeout=60)
    # Out of the cache again: who reads it next is charged.
    subprocess.run(["dd", f"if={path}", "of=/dev/null", "iflag=nocache", "count=0", "status=none"],
                   check=True, timeout=60)
    try:
        group.limit(size)
        subprocess.run(["cat", path], stdout=subprocess.DEVNULL, check=True, timeout=60,
                       preexec_fn=group.join)
        left = size - group.usage()
        rep.ok(left < 16 << 20, f"the page cache is the group's: {left >> 10} KiB are left without it")
        found = doctor(env, setup=group.join)
        rep.equal(found.verdict("cgroup"), "ok", "nothing is near")
    finally:
        group.end()


if __name__ == "__main__":
    report.main(sys.modules[__name__])
