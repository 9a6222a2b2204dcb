# SPDX-License-Identifier: Apache-2.0
"""The servers of a soak: how each is disturbed, and what its processes have."""

import os
import random
import signal
import time

from harness import keys, memory, nginx, process, programs


def anonymous_kib(pid):
    """Its heaps, stacks and data. Memory that it shares with its children counts as private in the kernel's other
    figures as soon as only one process has touched it, as PostgreSQL's buffers."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii", errors="replace") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Anonymous:"))


def figures(pid):
    """What a process has, or None: it has gone."""
    try:
        mappings = memory.mappings(pid)
        return {"anonymous_kib": anonymous_kib(pid),
                "secret_kib": sum(one.end - one.start for one in mappings if one.secret) // 1024,
                "descriptors": len(os.listdir(f"/proc/{pid}/fd")), "mappings": len(mappings)}
    except (FileNotFoundError, ProcessLookupError):
        return None


class Nginx(nginx.Nginx):
    """A master and four workers, with an RSA key and an ECDSA key."""

    connections, level = 12000, "notice"
    # Workers keep CAP_IPC_LOCK, because the memory that they may lock is limited otherwise.
    wrapper = ("setpriv", "--securebits", "+no_setuid_fixup")
    name, wire, wave = "nginx", "https", 10000
    every = {"reload": 5, "kill": 17}  # seconds
    opens = 0  # descriptors that its processes at rest may come to have
    channel = 2  # descriptors of the main process for each worker that has not ended

    def __init__(self, env, environ):
        super().__init__(env, [keys.Identity(env, "rsa"), keys.Identity(env, "ecdsa")], environ,
                         f"worker_rlimit_nofile {self.connections + 1000};")

    @property
    def main(self):
        return self.master

    def processes(self):
        return [self.master, *process.children(self.master)]

    def disturb(self):
        """Kills one of the workers that serve."""
        victims = self.workers()
        return process.kill(random.choice(victims)) if victims else None

    def at_rest(self):
        return process.wait_until(self.settled, 120)

    def complaints(self, killed):
        """Lines of its log that tell of a death that was not ours, or are graver than an error."""
        deaths = self.deaths()
        strange = [f"process {pid} ended by signal {number}" for pid, number in deaths if number != signal.SIGKILL]
        if len(deaths) > killed:
            strange.append(f"{len(deaths)} processes were killed, not {killed}")
        return strange + self.grave([pid for pid, _ in deaths])

    def reload_(self):
        return self.reload()


class Postgresql(programs.Postgres):
    """A process for each connection. Where one is killed, the server ends all others and starts anew."""

    name, wire, wave = "PostgreSQL", "postgresql", 250
    every = {"reload": 5, "kill": 61}
    channel = 0
    opens = 6  # its helpers keep files of the database open that they have used

    def __init__(self, env, environ):
        super().__init__(env, keys.Identity(env, "rsa"), environ)
        self.identities = [self.identity]

    def prepare(self):
        super().prepare()
        # Each client process has an address of its own.
        with open(self.path("data/pg_hba.conf"), "a", encoding="ascii") as file:
            file.write("host all all 127.0.0.0/8 trust\n")

    @property
    def main(self):
        return self.child.pid

    def arguments(self):
        return [*super().arguments(), "-c", "max_connections=300"]

    def backends(self):
        return [pid for pid in self.processes() if "tests postgres" in (process.title(pid) or "")]

    def disturb(self):
        """Kills the process of a connection, and waits until the server serves again."""
        victims, before = self.backends(), self.starts()
        killed = process.kill(random.choice(victims)) if victims else None
        if not killed:
            return None
        process.wait_until(lambda: self.starts() > before and self.ready(), 60)
        return killed[0], time.monotonic()

    def starts(self):
        return self.child.err.count("database system is ready to accept connections")

    def reload_(self):
        os.kill(self.main, signal.SIGHUP)
        return True

    def at_rest(self):
        return process.wait_until(lambda: not self.backends(), 120)

    def complaints(self, killed):
        """Lines that tell of processes which a signal ended, but for those that were killed."""
        found = [line for line in self.child.err.splitlines() if "was terminated by signal" in line]
        strange = [line for line in found if "signal 9" not in line and "signal 3" not in line]
        if sum("signal 9" in line for line in found) > killed:
            strange.append(f"{len(found)} processes were killed, not {killed}")
        return strange + [line for line in self.child.err.splitlines() if "PANIC" in line]


SERVERS = {"nginx": Nginx, "postgresql": Postgresql}
