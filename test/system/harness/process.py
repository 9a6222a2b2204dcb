# SPDX-License-Identifier: Apache-2.0
"""Starting programs, waiting for them, and ending every one of them, by process id."""

import ctypes
import glob
import os
import re
import resource
import signal
import subprocess
import time

PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000
# How much more time everything has on an emulated processor
SLOWNESS = int(os.environ.get("LIBSECRETSSL_TEST_SLOWNESS", "1"))
MESSAGE = re.compile(r"libsecretssl: \[(\d+)\] \S.*")
# The directory of a libcrypto that names no files, and what each process says that uses it
NAMELESS = os.environ.get("LIBSECRETSSL_TEST_NAMELESS")
UNNAMED = re.compile(r"^libsecretssl: \[\d+\] libcrypto allocates without file names .*\n", re.M)


def adopt_orphans():
    """Makes what our children leave behind (daemons, nginx workers) our children."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def children(pid):
    """Direct children of a process, of all its threads."""
    found = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def end_descendants():
    """Kills and reaps whatever a scenario left running."""
    for _ in range(200):
        left = children(os.getpid())
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass


def text_of(path):
    """What a log has so far; empty if it does not exist yet."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def kill(pid):
    """Kills a process and waits for its end; (before, after), or None: it had ended by itself."""
    before = time.monotonic()
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return None
    wait_until(lambda: not alive(pid))
    return before, time.monotonic()


def wait_until(condition, seconds=10, step=0.01):
    """The first true answer of condition(), or its last answer when time is up."""
    end = time.monotonic() + seconds * SLOWNESS
    while True:
        answer = condition()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(step)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def words(pid, name):
    """What a file of /proc/PID holds, zero bytes as blanks; None: the process has gone."""
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None


def title(pid):
    return words(pid, "cmdline")


def program(pid):
    return words(pid, "comm")


class Result:
    """How a program ended: status (negative: the signal), out, err, seconds."""

    def __init__(self, pid, status, out, err, seconds):
        self.pid, self.status, self.out, self.err, self.seconds = pid, status, out, err, seconds

    @property
    def messages(self):
        """The lines that libsecretssl wrote to stderr."""
        return [line for line in self.err.splitlines() if "libsecretssl" in line]

    def __str__(self):
        return (f"status {self.status} after {self.seconds:.2f} s\n"
                f"stdout: {self.out[-1500:]}\nstderr: {self.err[-1500:]}")


def limiter(limits, user, setup):
    """What a child does between fork and exec."""
    def prepare():
        for name, value in (limits or {}).items():
            pair = value if isinstance(value, tuple) else (value, value)
            resource.setrlimit(getattr(resource, "RLIMIT_" + name), pair)
        if setup:
            setup()
        if user is not None and os.geteuid() == 0:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
    return prepare


class Child:
    """A running program with its output in files, so that no pipe can fill up."""

    def __init__(self, env, command, environ, *, stdin=None, limits=None, user=None, setup=None,
                 cwd=None, pass_fds=()):
        stem = env.path(f"output-{len(os.listdir(env.directory))}-{time.monotonic_ns()}")
        self.names = (stem + ".out", stem + ".err")
        prepare = limiter(limits, user, setup) if limits or user is not None or setup else None
        with open(self.names[0], "wb") as out, open(self.names[1], "wb") as err:
            self.started = time.monotonic()
            self.popen = subprocess.Popen(
                command, env=environ, stdin=stdin if stdin is not None else subprocess.DEVNULL,
                stdout=out, stderr=err, cwd=cwd or env.directory, preexec_fn=prepare,
                pass_fds=pass_fds)
        self.pid = self.popen.pid

    def read(self, which):
        with open(self.names[which], "rb") as file:
            return file.read().decode("utf-8", "replace")

    @property
    def out(self):
        return self.read(0)

    @property
    def err(self):
        return UNNAMED.sub("", self.read(1)) if NAMELESS else self.read(1)

    def wait_for(self, pattern, seconds=20):
        """Waits for a line of stdout; the match, or RuntimeError with all that was said."""
        match = wait_until(lambda: re.search(pattern, self.out, re.M)
                           or self.popen.poll() is not None, seconds)
        match = re.search(pattern, self.out, re.M)
        if not match:
            raise RuntimeError(f"{self.popen.args}: no {pattern!r}\n{self.wait(0.1)}")
        return match

    def wait(self, seconds=60):
        """The result; when time is up the program is killed and its status is 'timeout'."""
        try:
            status = self.popen.wait(seconds * SLOWNESS)
        except subprocess.TimeoutExpired:
            status = "timeout"
            self.popen.kill()
            self.popen.wait()
        return Result(self.pid, status, self.out, self.err, time.monotonic() - self.started)

    def stop(self, number=signal.SIGTERM):
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        return self.wait(10)


def run(env, command, environ, *, text=None, seconds=60, **options):
    """Runs a program to its end; `text` goes to its stdin."""
    if text is None:
        return Child(env, command, environ, **options).wait(seconds)
    name = env.path(f"input-{time.monotonic_ns()}")
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)
    with open(name, "rb") as stdin:
        return Child(env, command, environ, stdin=stdin, **options).wait(seconds)


def take_over(report, result, title):
    """Takes the 'ok' and 'not ok' lines of a C helper over; it must say that it is done."""
    for line in result.out.splitlines():
        verdict, _, what = line.partition(" - ")
        if verdict in ("ok", "not ok"):
            report.ok(verdict == "ok", f"{title}: {what}")
        elif line != "done":
            report.note(line)
    report.ok("done" in result.out.splitlines() and result.status == 0,
              f"{title}: runs to its end", result)


def run_checks(env, report, name, arguments, environ, *, title="", messages=(), **options):
    """Runs a C helper and takes its checks over.

    Every message of libsecretssl must match one of the patterns in `messages`, and each of
    those must be met by one message; None leaves that to the caller.
    """
    path = options.pop("path", None) or env.helper(name)
    result = run(env, [path, *arguments], environ, **options)
    title = title or " ".join([name, *arguments])
    take_over(report, result, title)
    if messages is not None:
        expect_messages(report, result.messages, messages, title)
    return result


def run_both(env, report, name, case, messages=(), control="ordinary", **settings):
    """A helper's case without the preload and with it: run_checks for each. control: the kind of
    memory that it has without."""
    run_checks(env, report, name, [control, case], env.plain(),
               title=f"{case} without the preload")
    run_checks(env, report, name, ["secret", case], env.preloaded(**settings), title=case,
               messages=messages)


def expect_messages(report, lines, patterns, title):
    """Each message is well formed and expected, each expected one is there."""
    strange = [line for line in lines if not MESSAGE.fullmatch(line)
               or not any(re.search(pattern, line) for pattern in patterns)]
    missing = [pattern for pattern in patterns
               if not any(re.search(pattern, line) for line in lines)]
    report.ok(not strange and not missing,
              f"{title}: " + ("says what it must and no more" if patterns else "says nothing"),
              f"unexpected: {strange}\nmissing: {missing}")


LIBC = ctypes.CDLL(None, use_errno=True)


def mount(source, target, kind, flags):
    """mount(2); OSError"""
    if LIBC.mount(source.encode(), target.encode(), kind, flags, None) != 0:
        raise OSError(ctypes.get_errno(), "mount", target)


def own_mounts():
    """For a child's setup: what it mounts from now on is mounted for it alone."""
    if LIBC.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    mount("none", "/", None, MS_REC | MS_PRIVATE)


def hide(*patterns):
    """For a child's setup: in mounts of its own an empty file lies where each of these is."""
    def setup():
        found = {os.path.realpath(name) for pattern in patterns for name in glob.glob(pattern)}
        if not found:
            os._exit(99)
        own_mounts()
        for name in found:
            mount("/dev/null", name, None, MS_BIND)
    return setup


def cover(target, source):
    """For a child's setup: in mounts of its own one file or directory lies where another is."""
    own_mounts()
    mount(source, target, None, MS_BIND)


def enter(root, directory):
    """For a child's setup: its / becomes another one, which has /proc, /dev and the directory of the
    test as here. In mounts of its own, so the root stays as it is."""
    own_mounts()
    mount("proc", root + "/proc", b"proc", 0)
    mount("/dev", root + "/dev", None, MS_BIND | MS_REC)
    mount("tmpfs", root + os.path.dirname(directory), b"tmpfs", 0)
    os.mkdir(root + directory)
    mount(directory, root + directory, None, MS_BIND)
    os.chroot(root)
    os.chdir(directory)
