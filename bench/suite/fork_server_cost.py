# SPDX-License-Identifier: Apache-2.0
"""New connections a second to servers that fork a process for each connection.

The servers are those of the system tests, with the default settings of the preload on the "with" side.
"""

import contextlib
import os
import re
import subprocess
import time

from harness import environment, figures, keys, programs, tls
from harness.process import program
from suite import process
from suite.context import FORK_SIDES, RECYCLED, SIDES
from suite.errors import BenchError
from suite.server_cost import load

CLIENTS, CLIENT_THREADS = 4, 2
# Apache makes up for children that have ended once a second: 1 child, then 2, 4, and so on up to
# 32, as long as fewer are idle than MinSpareServers. The first connections meet idle children, and
# then few new ones, so that they would not show what a connection costs in the long run.
PREFORK_SETTINGS = """\
StartServers 8
MinSpareServers 40
MaxSpareServers 128
ServerLimit 128
MaxRequestWorkers 128
MaxConnectionsPerChild 1
"""


class Postgres(programs.Postgres):
    """Asked by pgbench, which connects anew for each query."""

    name = "PostgreSQL"
    program = "postgres"
    needs = (os.path.join(programs.Postgres.binaries or "/nonexistent", "pgbench"),)

    def before(self, context):
        context.run([self.tool("pgbench"), "--initialize", "--quiet", self.url()])

    def connect(self, context, count):
        each = max(1, count // CLIENTS)
        command = [self.tool("pgbench"), "-C", "-S", f"-c{CLIENTS}", f"-j{CLIENT_THREADS}"]
        output = context.run([*command, "-n", f"-t{each}", self.url()])
        done = re.search(r"actually processed: (\d+)/", output)
        rate = re.search(r"tps = ([\d.]+) \(including reconnection times\)", output)
        if not done or int(done[1]) != each * CLIENTS or not rate:
            raise BenchError(f"pgbench did not make {each * CLIENTS} connections: {output}")
        return int(done[1]), int(done[1]) / float(rate[1])

    @contextlib.contextmanager
    def held(self, context):
        """A connection that lives, and its process with it, until the end of the block."""
        client = context.start([self.tool("psql"), self.url(), "-qAt"])
        with _talking(client, "select 'here';"):
            yield


class Prefork(programs.ApachePrefork):
    name = "Apache"
    program = "apache2"
    needs = ("/usr/sbin/apache2",)

    def prepare(self):
        super().prepare()
        with open(self.path("conf"), "a", encoding="utf-8") as file:
            file.write(PREFORK_SETTINGS)

    def ready(self):
        # Trying to connect would use children up. It listens before it has any.
        return len(self.processes()) >= 4

    def before(self, context):
        pass

    def connect(self, context, count):
        return count, load(context, self, "handshakes", count, 8)["seconds"]

    def held(self, _context):
        return tls.connect(self.port, tls.context(self.identity))


class Sshd(programs.Sshd):
    """Asked by one ssh after the other."""

    name = program = "sshd"
    needs = ("/usr/sbin/sshd", "/usr/bin/ssh", "/usr/bin/ssh-keygen")

    def before(self, context):
        pass

    def connect(self, context, count):
        begin = time.monotonic()
        for _ in range(count):
            context.run(self.client("true"))
        return count, time.monotonic() - begin

    @contextlib.contextmanager
    def held(self, context):
        """It executes itself anew for each connection: only a living one shows what that loads."""
        with _talking(context.start(self.client("cat")), "here"):
            yield


@contextlib.contextmanager
def _talking(client, line):
    """A client that has had its answer, until the end of the block."""
    try:
        try:
            client.stdin.write(line + "\n")
            client.stdin.flush()
            answer = client.stdout.readline().strip()
        except BrokenPipeError:
            answer = ""
        if answer != "here":
            raise BenchError(f"{client.args[0]} had no answer on its connection: '{answer}'")
        yield
    finally:
        with contextlib.suppress(BrokenPipeError):
            client.stdin.close()
        client.wait()
        client.stdout.close()


@contextlib.contextmanager
def _servers(context, kind, sides):
    """A fresh server for each side, by side, all at once."""
    if not all(os.access(path, os.X_OK) for path in kind.needs):
        raise BenchError(f"{kind.name} is not installed; scripts/setup bench installs it")
    if os.geteuid() != 0:
        raise BenchError(f"{kind.name} is started as root, to become another user: run as root")
    with contextlib.ExitStack() as stack:
        try:
            env = stack.enter_context(environment.Environment(context.build_dir, ""))
            identity = keys.Identity(env, "rsa")
            servers = {}
            for side in sides:
                settings = context.environment(side)
                if "LD_PRELOAD" in settings:
                    # The users that these servers become may be kept from the build directory.
                    settings["LD_PRELOAD"] = env.reachable(context.preload)
                servers[side] = kind(env, identity, settings)
                stack.callback(servers[side].stop)
        except (RuntimeError, subprocess.SubprocessError) as error:
            # One line, as of all errors.
            raise BenchError(" ".join(f"{kind.name}: {error}".split())) from error
        yield servers


def _check(context, side, server):
    """Every process of it is what the side says, also one that serves a connection."""
    preload = server.env.reachable(context.preload) if context.preload else None
    with server.held(context):
        # Not what a session of ssh executes: sshd does not pass its environment on. Newer releases
        # have an sshd-session.
        found = [(pid, program(pid) or "") for pid in server.processes()]
        pids = [pid for pid, name in found if name.startswith(server.program)]
        if len(pids) < 2:
            raise BenchError(f"{server.name} has no process for a connection")
        for pid in pids:
            least = 4 if pid == server.child.pid else 0
            try:
                context.check_side(side, pid, server.name, least, preload)
            except BenchError:
                # PostgreSQL starts and ends helpers as it likes, and Apache children.
                if process.has_memory(pid):
                    raise
    for line in (server.child.err + server.log()).splitlines():
        context.hear(line)


def _recycled(context, server):
    """How many copies were made in pages of children that had ended, of how many."""
    found = figures.of(server.env, server.child.pid)
    if not found["forks_recycled"]:
        context.note(f"{server.name} recycled no copy: its figures are those of copies in new pages")
    return {name: found[name] for name in ("forks", "forks_recycled")}


def _compare(context, kind, sides, warmup, count):
    """Connections a second, on fresh servers of all sides.

    There are two slices of each side, A B C C B A in random order, so that a drift of the machine's
    speed falls on all sides alike. WARMUP connections before each slice do not count. The CPU time
    is that of the whole server, because a server may fork while nobody waits for it.
    """
    slices, more = [], {}
    order = context.order(sides)
    with _servers(context, kind, sides) as servers:
        for server in servers.values():
            server.before(context)
        for side in order + order[::-1]:
            server = servers[side]
            server.connect(context, warmup)
            before = process.family_cpu_us(server.child.pid)
            done, seconds = server.connect(context, count)
            spent = process.family_cpu_us(server.child.pid) - before
            slices.append([side, done, round(seconds, 4), spent])
        for side, server in servers.items():
            _check(context, side, server)
        if RECYCLED in sides and context.preload:
            more["recycling"] = _recycled(context, servers[RECYCLED])
    sums = {
        side: [sum(column) for column in zip(*(row[1:] for row in slices if row[0] == side))]
        for side in sides
    }
    return {
        **{side: round(done / seconds, 3) for side, (done, seconds, _) in sums.items()},
        "cpu_us": {side: round(spent / done) for side, (done, _, spent) in sums.items()},
        "slices": slices,
        **more,
    }


def postgresql(context):
    count = context.effort.logins
    return _compare(context, Postgres, FORK_SIDES, count // 5, count)


def apache_prefork(context):
    return _compare(context, Prefork, SIDES, *context.effort.spawns)


def sshd(context):
    return _compare(context, Sshd, SIDES, 1, context.effort.shells)
