# SPDX-License-Identifier: Apache-2.0
"""What root tries from outside: the ways that are closed, those that are open, and that doctor --against-root
tells them apart. Each way is shown to work against a process without protection."""

import ctypes
import glob
import mmap
import os
import re
import shlex
import sys

from harness import memory, process, report
from harness.doctor import doctor, elsewhere, expect

SEED = 20261129
SECRET = memory.pattern(SEED, 64)
LIBC = ctypes.CDLL(None, use_errno=True)
PIDFD_OPEN, PIDFD_GETFD, MEMFD_SECRET = 434, 438, 447
# Below /proc/sys/kernel on a machine on which an administrator has closed what can be closed there.
CLOSED = {"modules_disabled": "1", "kexec_load_disabled": "1", "yama/ptrace_scope": "3"}
OPEN = {"modules_disabled": "0", "kexec_load_disabled": "0", "yama/ptrace_scope": "1"}
BY_SYSCTL = {"modules": "kernel.modules_disabled=1", "kexec": "kernel.kexec_load_disabled=1",
             "debuggers": "kernel.yama.ptrace_scope=3"}


def held(env, protected):
    """A process that holds the secret and waits: it, the secret's address, and the pipe that ends it."""
    reader, writer = os.pipe()
    child = process.Child(env, [env.helper("holder"), "wait", str(SEED)], env.chosen(protected), stdin=reader)
    os.close(reader)
    found = child.wait_for(r"^ready (0x[0-9a-f]+)$")
    return child, int(found.group(1), 16), writer


def by_process_vm_readv(pid, address):
    class Vector(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
    buffer = ctypes.create_string_buffer(64)
    here, there = Vector(ctypes.addressof(buffer), 64), Vector(address, 64)
    LIBC.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    return buffer.raw


def by_mem(pid, address):
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        try:
            file.seek(address)
            return file.read(64) or b""
        except OSError:
            return b""


def gdb(env, pid, *commands):
    words = ["gdb", "-nx", "-batch", "-p", str(pid)]
    for command in ("set confirm off", *commands):
        words += ["-ex", command]
    return process.run(env, words, env.plain(), seconds=60)


def by_ptrace(env, pid, address):
    """PTRACE_PEEKDATA, as gdb does it."""
    target = env.path(f"peek-{pid}")
    gdb(env, pid, f"dump binary memory {target} {address} {address + 64}")
    if not os.path.exists(target):
        return b""
    with open(target, "rb") as file:
        return file.read()


def by_files(pid, address):
    """Opens the mapped file, and takes the descriptors that the process has."""
    found = b""
    for path in glob.glob(f"/proc/{pid}/map_files/*"):
        start, end = (int(word, 16) for word in os.path.basename(path).split("-"))
        if not start <= address < end:
            continue
        try:
            with open(path, "rb", buffering=0) as file:
                found += file.read(end - start) or b""
        except OSError:
            pass
    return found


def taken(pid):
    """Copies of the descriptors of secret memory that another process has now."""
    pidfd = LIBC.syscall(PIDFD_OPEN, pid, 0)
    copies = [LIBC.syscall(PIDFD_GETFD, pidfd, int(number), 0) for number in os.listdir(f"/proc/{pid}/fd")]
    os.close(pidfd)
    for copy in [one for one in copies if one >= 0]:
        if "secretmem" in os.readlink(f"/proc/self/fd/{copy}"):
            yield copy
        else:
            os.close(copy)


def descriptors(pid):
    """How many files of memfd_secret one gets of a process by pidfd_getfd."""
    copies = list(taken(pid))
    for copy in copies:
        os.close(copy)
    return len(copies)


def scenario_reads(env, rep):
    """Reading from outside."""
    file = os.memfd_create("ordinary")
    os.write(file, SECRET)
    shared = mmap.mmap(file, 64)
    address = ctypes.addressof(ctypes.c_char.from_buffer(shared))
    rep.ok(SECRET in by_files(os.getpid(), address), "the control: /proc/PID/map_files reads an ordinary file")
    secret = LIBC.syscall(MEMFD_SECRET, 0)
    rep.equal(descriptors(os.getpid()), 1, "the control: pidfd_getfd takes a descriptor of secret memory")
    os.close(secret)
    for protected in False, True:
        title = "with the preload" if protected else "without"
        child, address, writer = held(env, protected)
        for name, read in (("process_vm_readv", by_process_vm_readv), ("/proc/PID/mem", by_mem),
                           ("ptrace", lambda pid, at: by_ptrace(env, pid, at))):
            rep.equal(read(child.pid, address) == SECRET, not protected, f"{name} reads the secret, {title}")
        rep.ok(SECRET not in by_files(child.pid, address), f"/proc/PID/map_files does not, {title}")
        rep.equal(descriptors(child.pid), 0, f"no descriptor of secret memory is left, {title}")
        os.close(writer)
        child.wait(10)


def holds_secret(file):
    """Whether a file of secret memory has the secret, by a mapping of one's own."""
    size = os.fstat(file).st_size
    if not size:
        return False
    with mmap.mmap(file, size, mmap.MAP_SHARED, mmap.PROT_READ) as mapped:
        return mapped.find(SECRET) >= 0


def scenario_window(env, rep):
    """Not kept out: whoever stops the process between memfd_secret(2) and close(2), and takes the descriptor, has
    what is written to that memory later."""
    stopped, go, script = env.path("stopped"), env.path("go"), env.path("script")
    for fifo in stopped, go:
        os.mkfifo(fifo)
    with open(script, "w", encoding="ascii") as file:
        file.write(f"""\
set confirm off
set startup-with-shell off
set environment LD_PRELOAD {env.preload}
catch syscall ftruncate
commands
silent
shell echo > {stopped}; cat {go}
continue
end
run
""")
    reader, writer = os.pipe()
    command = [env.helper("holder"), "wait", str(SEED)]
    child = process.Child(env, ["gdb", "-nx", "-batch", "-x", script, "--args", *command], env.plain(), stdin=reader)
    os.close(reader)
    waits, files = os.open(stopped, os.O_RDONLY | os.O_NONBLOCK), []

    def step():
        """Takes what there is when the process is stopped; whether it has the secret by now."""
        try:
            is_stopped = bool(os.read(waits, 100))
        except BlockingIOError:
            is_stopped = False
        if is_stopped:
            for pid in process.children(child.pid):
                files.extend(taken(pid))
            with open(go, "w", encoding="ascii"):
                pass
        return re.search(r"^ready 0x", child.out, re.M)

    rep.ok(process.wait_until(step, 60), "the process has its secret", child.err)
    rep.ok(files, "descriptors were taken while it was stopped")
    rep.ok(any(map(holds_secret, files)), "the memory of one of them has the secret now")
    for file in files:
        os.close(file)
    os.close(waits)
    os.close(writer)
    child.wait(20)


def scenario_calls(env, rep):
    """Not kept out: a debugger that makes the process write its own memory to a file."""
    for protected in False, True:
        child, address, writer = held(env, protected)
        path = env.path(f"called-{protected}")
        done = process.run(env, [env.helper("debugger"), str(child.pid), hex(address), str(len(SECRET)), path],
                           env.plain())
        rep.ok(done.status == 0, f"the debugger, protected: {protected}", done)
        with open(path, "rb") as file:
            rep.ok(file.read() == SECRET, f"by calls of the debugger, protected: {protected}", done)
        os.write(writer, b"x")
        os.close(writer)
        rep.equal(child.wait(10).status, 0, "the process reads on as if nothing had happened")


def scenario_probes(env, rep):
    """Not kept out: an eBPF program on a uprobe reads what a process passes to a function, in secret memory.
    Without the privileges for it, it does not, and the doctor says that nobody there can."""
    text = f"a secret of {os.getpid()}"
    done = process.run(env, [env.helper("ebpf_reads"), text], env.plain())
    rep.ok(done.status == 0 and done.out == text + "\n", "root reads it", done)
    rep.equal(doctor(env, "--against-root").verdict("probes"), "warning", "the doctor says so")
    without = ["setpriv", "--bounding-set", "-sys_admin,-perfmon,-bpf", "--inh-caps", "-sys_admin,-perfmon,-bpf"]
    done = process.run(env, [*without, env.helper("ebpf_reads"), text], env.plain())
    rep.ok(done.status == 1 and text not in done.out, "without the capabilities: not", done)
    found = doctor(env, "--against-root", wrapper=without)
    rep.equal(found.verdict("probes"), "ok", "and the doctor says so")


def machine(settings, system):
    """A wrapper for a machine with these files below /proc/sys/kernel, and /sys."""
    script = ["set -e", "mount -t tmpfs none /proc/sys/kernel"]
    for name, text in settings.items():
        script.append(f"mkdir -p /proc/sys/kernel/{os.path.dirname(name)}")
        script.append(f"printf '%s\\n' {shlex.quote(text)} >/proc/sys/kernel/{name}")
    return [*elsewhere(system=system), "sh", "-c", "\n".join([*script, 'exec "$@"']), "sh"]


def really_hardened():
    """Whether this machine was booted as docs/hardening.md says, in the lab."""
    with open("/proc/cmdline", encoding="ascii") as file:
        return "lockdown=confidentiality" in file.read()


def scenario_doctor(env, rep):
    """Each way open, with the line that closes it; then closed."""
    system = {"kernel/security/lockdown": "[none] integrity confidentiality", "kernel/kexec_crash_loaded": "1",
              "kernel/tracing/README": "x"}
    found = doctor(env, "--against-root", wrapper=machine(OPEN, system))
    rep.equal((found.status, found.works), (1, True), "secret memory works, and root has ways")
    for name, line in BY_SYSCTL.items():
        expect(rep, found, name, "warning", line)
    expect(rep, found, "tracefs", "warning", "lockdown=confidentiality")
    expect(rep, found, "crash-kernel", "warning", "kexec -p -u")
    system["kernel/security/lockdown"] = "none [integrity] confidentiality"
    system["kernel/kexec_crash_loaded"] = "0"
    found = doctor(env, "--against-root", wrapper=machine(OPEN, system))
    rep.equal({name: found.verdict(name) for name in ("modules", "kexec", "crash-kernel", "debuggers", "tracefs")},
              {"modules": "ok", "kexec": "ok", "crash-kernel": "ok", "debuggers": "warning", "tracefs": "warning"},
              "integrity: no unsigned code in the kernel, but tracing")
    text = process.run(env, [*machine(OPEN, system), env.tool, "doctor", "--against-root"], env.plain())
    count = len(re.findall("^warning ", text.out, re.M))
    rep.ok(count > 1 and text.out.endswith(f"root has {count} ways to secret memory\n"), "the text counts them",
           text)


def scenario_hardened(env, rep):
    """All that docs/hardening.md closes: really where the lab boots so, else as /proc and /sys say it."""
    if really_hardened():
        done = process.run(env, ["sh", "-c", "mount -t securityfs none /sys/kernel/security; sysctl -q "
                                 + " ".join(f"kernel.{name.replace('/', '.')}={value}"
                                            for name, value in CLOSED.items())], env.plain())
        rep.equal(done.status, 0, "the settings are accepted")
        found = doctor(env, "--against-root")
        rep.ok(not os.path.exists("/sys/kernel/tracing/uprobe_events"), "no trace files")
        done = process.run(env, ["gdb", "-nx", "-batch", "-p", "1"], env.plain())
        rep.ok("not permitted" in done.err, "no process can be traced", done)
        done = process.run(env, [env.helper("ebpf_reads"), "text"], env.plain())
        rep.equal(done.out, "text\n", "but an eBPF program still reads secret memory")
    else:
        system = {"kernel/security/lockdown": "none integrity [confidentiality]", "kernel/tracing/README": "x"}
        found = doctor(env, "--against-root", wrapper=machine(CLOSED, system))
    closed = ("modules", "kexec", "crash-kernel", "dev-mem", "debuggers", "tracefs")
    rep.equal({name: found.verdict(name) for name in closed}, {name: "ok" for name in closed}, "closed")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
