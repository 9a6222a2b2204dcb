# SPDX-License-Identifier: Apache-2.0
"""Servers in which system calls of libsecretssl fail (test/faults), and what must hold of them."""

import collections
import concurrent.futures
import os
import re
import signal
import socket
import time

from . import environment, figures, memory, nginx, process, tls

# A line of the report: which call it was, what it was, how many errors it can have
CALL = re.compile(r"^(call|fault) (\d+) (\d+) (\w+) (\w+)$", re.M)
ALLOCATIONS = 9000 # of a process with both ends of a connection
# Figures that grow when a promise was not kept
WORSE = ("locked_bytes", "plain_bytes", "ordinary_bytes", "spilled_allocations", "failed_allocations",
         "degraded_pages", "forks_failed", "hooks_failed", "unguarded_blocks", "key_files_cached")


def links(pid):
    """What the descriptors of a process are, without numbers and directories."""
    found = collections.Counter()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            link = os.path.basename(os.readlink(f"/proc/{pid}/fd/{name}"))
            found[re.sub(r"[0-9a-f]*\d[-0-9a-f]*", "N", link)] += 1
    except FileNotFoundError:
        pass
    return found


def settled_links(pid):
    """links() once they stay the same for a while: on a busy machine a process may still open or close some."""
    for _ in range(20):
        found = links(pid)
        time.sleep(0.15)
        if links(pid) == found:
            break
    return found


def inheritable(pid):
    """Secret mappings that a child of a raw fork would share."""
    found, mapping = [], None
    try:
        with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
            for line in file:
                match = memory.LINE.match(line)
                mapping = match if match else mapping
                if line.startswith("VmFlags:") and mapping[4].startswith("/secretmem") \
                        and " dc " not in line:
                    found.append(mapping[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


class Seen:
    """What an observer sees of one process."""

    def __init__(self, env, key, pid, good):
        self.pid, self.links = pid, links(pid) if good else settled_links(pid)
        # The last connection may not be closed yet.
        if good:
            process.wait_until(lambda: not links(pid) - good.links, 2)
            self.links = links(pid)
        self.inheritable = inheritable(pid)
        self.figures = figures.of(env, pid)
        scan = memory.scan(env, [key], pid)
        self.copies = scan.status == 1
        self.scanned = scan.status in (0, 1)

    def weaker(self, base):
        """In what this process is less protected than the same process without a fault."""
        found = [f"{name}: {self.figures[name]}, without the fault {base.figures[name]}"
                 for name in WORSE if self.figures[name] > base.figures[name]]
        found += [f"lapse {name}" for name in self.figures["lapses"]
                  if name not in base.figures["lapses"]]
        if self.figures["state"] != base.figures["state"]:
            found.append(f"state {self.figures['state']}")
        return found + self.exposed()

    def exposed(self):
        """What others can read of this process's secrets."""
        return (["copies of the key"] if self.copies else []) \
            + [f"children inherit {place}" for place in self.inheritable]


class Run:
    """One run of a server below test/faults: what it said, and what was seen."""

    settings = {}

    def __init__(self, env, identity, options, required, base):
        self.env, self.identity, self.required, self.base = env, identity, required, base
        self.stem = env.path(f"run-{id(self):x}-{len(os.listdir(env.directory))}")
        self.log = self.stem + ".log"
        # The workers of nginx are another user's.
        with open(self.log, "w", encoding="ascii"):
            os.chmod(self.log, 0o666)
        settings = {**self.settings, "SECRETSSL_LOG": self.log,
                    **({"SECRETSSL_REQUIRE": "1"} if required else {})}
        environ = env.preloaded(**settings)
        self.command = [env.helper("faults"), *map(str, options), self.stem + ".report", "env",
                        *[f"{name}={value}" for name, value in environ.items()]]
        self.failed, self.seen, self.child, self.result = [], [], None, None

    def start(self, command):
        self.child = process.Child(self.env, [*self.command, *command], self.env.plain())

    def handshakes(self, port):
        """A page by each version of TLS, with the certificate checked."""
        for version in tls.VERSIONS:
            try:
                answer = tls.fetch(port, tls.context(self.identity, version))
                if b" 200 " not in answer.split(b"\r\n", 1)[0]:
                    self.failed.append(f"TLS {version}: {answer[:60]!r}")
            except OSError as failure:
                self.failed.append(f"TLS {version}: {failure!r}")

    def look(self, pids):
        for pid in pids:
            good = self.base.seen[len(self.seen)] if self.base and len(self.seen) < len(self.base.seen) else None
            one = Seen(self.env, self.identity.key, pid, good)
            if "messages_lost" in one.figures: # it has not ended meanwhile
                self.seen.append(one)

    def finish(self, seconds=60):
        self.result = self.child.wait(seconds)

    @property
    def report(self):
        with open(self.stem + ".report", encoding="ascii") as file:
            return file.read()

    def calls(self):
        """(number, name, how many errors) of each call that was counted."""
        return [(int(number), name, int(last)) for kind, number, _, name, last
                in CALL.findall(self.report) if kind == "call"]

    @property
    def messages(self):
        with open(self.log, encoding="utf-8") as file:
            said = file.read()
        return re.findall(r"^libsecretssl: \[\d+\] .*$", said + "\n" + self.result.err, re.M)

    @property
    def status(self):
        """How the server ended; negative: by a signal."""
        found = re.search(r"^status (-?\d+)$", self.report, re.M)
        return int(found[1]) if found else None

    def __str__(self):
        faults = [match[0] for match in CALL.finditer(self.report) if match[1] == "fault"]
        return "\n".join([f"{'required, ' if self.required else ''}status {self.status}", *faults,
                          *self.failed, *self.messages,
                          *[f"{one.pid}: {one.figures['state']} {one.figures['reason']}, "
                            f"{one.exposed()} {dict(one.figures['lapses'])}" for one in self.seen],
                          self.result.err[-300:]])

    def deaths(self):
        return [f"ended by signal {-self.status}"] if (self.status or 0) < 0 else []

    @property
    def refused(self):
        """Whether OpenSSL was refused an allocation, and ended the process by a bad access: it does
        so without the preload too (test_faults.py, allocations_at_start)."""
        return self.required and any("allocations fail" in line for line in self.messages) \
            and any("signal 11" in text for text in self.deaths())

    def uncounted(self):
        """Children that ended without their secrets, where their parent did not count one."""
        ended = [line for line in self.messages
                 if "this child ends" in line and "put in place" not in line]
        if ended and self.seen and not any(one.figures["forks_failed"] for one in self.seen):
            return [f"not counted: {ended}"]
        return []

    def complaints(self):
        """All that must not be, compared with a run without a fault."""
        base, found = self.base or self, self.deaths() + self.uncounted()
        if self.refused:
            return []
        if self.result.status == "timeout" or self.status is None:
            found.append("does not end")
        lost = sum(one.figures["messages_lost"] for one in self.seen)
        if self.status == 78:
            if not self.required or len(self.messages) != 1 and not lost:
                found.append("ends with status 78")
            return found
        silent = not self.messages and not lost
        if self.failed and (silent or not self.required):
            found += self.failed
        if len(self.seen) != len(base.seen):
            found.append(f"{len(self.seen)} processes, without the fault {len(base.seen)}")
        for one, good in zip(self.seen, base.seen):
            found += self.of_process(one, good, silent)
        return found

    def of_process(self, one, good, silent):
        found = []
        more = one.links - good.links
        if more:
            found.append(f"descriptors left open: {dict(more)}")
        weaker, exposed = one.weaker(good), one.exposed()
        if weaker and silent:
            found.append(f"no line about {weaker}")
        if exposed and one.figures["state"] in ("protected", "unused"):
            found.append(f"{exposed} in a process that is {one.figures['state']}")
        if one.copies and self.required:
            found.append("copies of the key in spite of SECRETSSL_REQUIRE=1")
        if not one.scanned:
            found.append("the scan did not end")
        return found


class SServer(Run):
    """openssl s_server: starts, two handshakes, ends by itself at a third connection."""

    def __init__(self, env, identity, options, required=False, base=None):
        super().__init__(env, identity, options, required, base)
        self.start(["openssl", "s_server", "-accept", "127.0.0.1:0", "-key", identity.key, "-cert",
                    identity.certificate, "-naccept", "3", "-www"])
        port = process.wait_until(self.port, 40)
        if port is not True:
            self.handshakes(port)
            self.look(process.children(self.child.pid))
            with socket.socket() as last:
                last.connect_ex(("127.0.0.1", port))
        self.finish()

    def port(self):
        found = re.search(r"^ACCEPT 127\.0\.0\.1:(\d+)", self.child.out, re.M)
        return int(found[1]) if found else self.child.popen.poll() is not None


class Nginx(Run):
    """nginx with one worker: starts, two handshakes, a reload, two more, quits."""

    def __init__(self, env, identity, options, required=False, base=None):
        super().__init__(env, identity, options, required, base)
        self.directory = self.stem + ".nginx"
        os.mkdir(self.directory)
        os.chmod(self.directory, 0o755)
        port = tls.free_port()
        with open(self.path("nginx.conf"), "w", encoding="ascii") as file:
            file.write(nginx.CONFIGURATION.replace("worker_processes 4", "worker_processes 1").format(
                directory=self.directory, port=port, main="", cache="none", server="", daemon="off",
                connections=256, level="info",
                certificates=f"ssl_certificate {identity.certificate}; "
                             f"ssl_certificate_key {identity.key};"))
        self.start(["/usr/sbin/nginx", "-p", self.directory, "-c", self.path("nginx.conf")])
        if process.wait_until(lambda: self.workers() or self.child.popen.poll() is not None, 40) \
                and self.child.popen.poll() is None:
            self.serve(port)
        self.finish()

    def serve(self, port):
        self.handshakes(port)
        before = self.workers()
        self.look(before)
        self.tell(signal.SIGHUP)
        if not process.wait_until(lambda: len(self.workers()) == 1 and self.workers() != before, 40):
            self.failed.append("no new worker after the reload")
        self.handshakes(port)
        self.look([self.master(), *self.workers()])
        self.tell(signal.SIGQUIT)

    def tell(self, number):
        master = self.master()
        if master:
            os.kill(master, number)

    def path(self, name):
        return os.path.join(self.directory, name)

    def master(self):
        found = process.children(self.child.pid)
        return found[0] if found else None

    def workers(self):
        """Workers that serve, without those that are about to end."""
        return [pid for pid in process.children(self.master())
                if b"worker process" in nginx.Nginx.title(pid)
                and b"shutting down" not in nginx.Nginx.title(pid)]

    def error_log(self):
        return process.text_of(self.path("error.log"))

    def deaths(self):
        return super().deaths() + re.findall(r"process \d+ exited on signal \d+", self.error_log())


class Recycling(Nginx):
    """The same with copies for children in pages that an ended child had."""

    settings = {"SECRETSSL_FORK_RESERVE": "64M"}


class Allocations:
    """s_server in which an allocation of OpenSSL fails in each connection, from the first to the last."""

    def __init__(self, env, identity, version, protected, step):
        self.env, self.identity, self.version = env, identity, version
        self.preload = " ".join([env.helper("libfailing.so"), *([env.preload] if protected else [])])
        self.step, self.next = step, 1
        self.failed, self.ended, self.wrong, self.done = 0, [], [], False
        while not self.done:
            self.serve()

    def serve(self):
        """One server, until it ends or all allocations of a connection have failed once."""
        server = tls.Server(
            self.env, self.identity,
            self.env.plain(LD_PRELOAD=self.preload, FAILING_FROM=str(self.next),
                           FAILING_STEP=str(self.step)),
            ["-www", tls.VERSIONS[self.version][0]])
        before = links(server.pid)
        while not self.done and server.popen.poll() is None:
            self.connect(server.port)
            # The next connection writes the line about this one.
            process.wait_until(lambda: server.popen.poll() is not None
                               or not links(server.pid) - before, 2)
            found = re.findall(r"^failed (\d+) of (\d+)$", server.err, re.M)
            self.done = bool(found) and int(found[-1][1]) < int(found[-1][0])
        if self.done:
            self.last = Seen(self.env, self.identity.key, server.pid, None)
            self.more = links(server.pid) - before
            server.stop()
        else:
            self.ended.append((self.next - self.step, server.wait(5).status))

    def connect(self, port):
        self.next += self.step
        try:
            answer = tls.fetch(port, tls.context(self.identity, self.version), seconds=10)
        except OSError:
            answer = b""
        if not answer:
            self.failed += 1
        elif b" 200 " not in answer.split(b"\r\n", 1)[0]:
            self.wrong.append(answer[:60])

    @property
    def crashes(self):
        return [(number, status) for number, status in self.ended if status not in (0, 1)]


def statuses_at_start(env, identity, protected, step):
    """How a process with both ends of a connection ends if one of its allocations fails: statuses, and
    how often each."""
    found = collections.Counter()
    preload = " ".join([env.helper("libfailing.so"), *([env.preload] if protected else [])])
    command = [env.helper("tls_pair"), identity.key, identity.certificate, "1"]
    for number in range(1, ALLOCATIONS, step):
        result = process.run(env, command, env.plain(LD_PRELOAD=preload, FAILING_NTH=str(number)))
        found[result.status] += 1
    return dict(found)


def sample(every, wanted):
    """About so many of a list, spread over it; all of it in long runs."""
    step = 1 if environment.LONG else max(1, len(every) // wanted)
    return every[step // 2::step]


def sample_each(every, wanted, name):
    """So many of the elements with each name, spread over them; all in long runs."""
    groups = collections.defaultdict(list)
    for one in every:
        groups[name(one)].append(one)
    return [one for group in groups.values() for one in sample(group, wanted)[:None if environment.LONG
                                                                              else wanted]]


def try_all(report, title, jobs):
    """Runs jobs, (what, function), two at a time; a check for each that fails, and one for all."""
    good = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for what, run in zip([name for name, _ in jobs], pool.map(lambda job: job[1](), jobs)):
            complaints = run.complaints()
            good += not complaints
            if complaints:
                report.ok(False, f"{title}: {what}", "\n".join([*complaints, str(run)]))
    report.ok(good == len(jobs) and good > 0, f"{title}: {good} of {len(jobs)} runs")
