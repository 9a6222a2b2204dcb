# SPDX-License-Identifier: Apache-2.0
"""What every measurement of a run shares: the two sides, helper programs, certificates, CPUs."""

import os
import random
import re
import shutil
import subprocess
from dataclasses import dataclass

from suite import nginx, process
from suite.errors import BenchError

SIDES = ("without", "with")
# A third side: the preload, with copies in pages of children that have ended. Not for servers whose
# children have different privileges (docs/fork.md).
RECYCLED = "recycled"
FORK_SIDES = (*SIDES, RECYCLED)
# Enough for two copies of what the largest process forks with
RESERVE = "48M"
HELPERS = ("tls-load", "fork-cost", "start-cost", "exit-memory", "replay-trace", "first-touch")
KEYS = {
    "p256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa2048": ["-newkey", "rsa:2048"],
}


@dataclass(frozen=True)
class Effort:
    """How much is done in one round."""

    handshakes: int  # for each side, in two slices
    warmup: int  # handshakes before anything counts
    responses: int  # of 1 MiB, for each side, in two slices
    children: int  # forks of each size for each side
    starts: int  # runs of each program for each side
    idle: tuple  # connections at which memory is looked at
    passes: int  # of a trace in each process
    open: tuple  # connections that are open while handshakes are measured
    touch_mib: int  # secret memory whose first touch is measured
    logins: int  # to PostgreSQL, in a slice
    spawns: tuple  # connections to Apache that fill a slice's time before it, and in it
    shells: int  # commands by ssh, in a slice
    trace: str = None  # replayed in place of all others


FULL = Effort(1500, 100, 400, 10, 25, (0, 50, 100, 200, 400), 5, (0, 200, 800), 64, 200, (128, 96), 8)
QUICK = Effort(40, 10, 8, 2, 2, (0, 50, 100), 1, (0, 10), 2, 8, (1, 2), 1, "keygen")


def clean_environment():
    """The caller's environment without anything that sets a preload or its settings."""
    return {
        name: value
        for name, value in os.environ.items()
        if name != "LD_PRELOAD" and not name.startswith("SECRETSSL_")
    }


def find_program(name):
    path = shutil.which(name)
    if path is None:
        raise BenchError(f"{name} is not installed; scripts/setup installs what is needed")
    return path


class Context:
    def __init__(self, build_dir, preload, effort, seed, workdir):
        """PRELOAD is the object on the "with" side; None makes both sides alike (A/A)."""
        self.effort = effort
        self.preload = preload
        self.random = random.Random(seed)
        self.notes = []
        self.build_dir = build_dir
        self.helpers = os.path.join(build_dir, "bench")
        for helper in HELPERS:
            if not os.access(os.path.join(self.helpers, helper), os.X_OK):
                raise BenchError(
                    f"{os.path.join(self.helpers, helper)} is not there; build it with: "
                    "cmake --preset release && cmake --build --preset release"
                )
        self.nginx = nginx.find()
        self.openssl = find_program("openssl")
        self.true = find_program("true")
        cpus = sorted(os.sched_getaffinity(0))
        self.server_cpu, self.client_cpu = cpus[0], cpus[-1]
        if len(cpus) == 1:
            self.note("one CPU only: server and client share it")
        self._clean = clean_environment()
        self.workdir = workdir
        self._certificates = {}

    def note(self, text):
        """Something that the reader of the results must know, once."""
        text = re.sub(r"\[\d+\] ", "", text)
        if text not in self.notes:
            self.notes.append(text)

    def hear(self, line):
        """What a program printed: a message of the preload's is for the reader, the rest is not."""
        if "cannot be preloaded" in line:
            raise BenchError(f"the loader refuses the preload: {line}")
        if line.startswith("libsecretssl:"):
            self.note(line)

    def environment(self, side):
        environment = dict(self._clean)
        if side != SIDES[0] and self.preload:
            environment["LD_PRELOAD"] = self.preload
        if side == RECYCLED:
            environment["SECRETSSL_FORK_RESERVE"] = RESERVE
        return environment

    def order(self, sides=SIDES):
        """The sides in random order."""
        return self.random.sample(sides, len(sides))

    def certificate(self, kind):
        """Path, without suffix, of a self-signed certificate and its key."""
        if kind not in self._certificates:
            path = os.path.join(self.workdir, kind)
            command = [self.openssl, "req", "-x509", "-nodes", "-subj", "/CN=localhost"]
            command += ["-days", "2", "-keyout", path + ".key", "-out", path + ".crt"]
            self.run(command + KEYS[kind])
            self._certificates[kind] = path
        return self._certificates[kind]

    def server(self, side, kind, bulk_bytes=0):
        return self.server_with(self.environment(side), kind, bulk_bytes)

    def server_with(self, environment, kind, bulk_bytes=0):
        return nginx.Nginx(
            self.nginx,
            environment,
            self.certificate(kind),
            self.server_cpu,
            bulk_bytes,
        )

    def run(self, command, environment=None, cpu=None):
        """Standard output of a command that must succeed."""
        done = self.start(command, environment, cpu, stderr=subprocess.PIPE)
        output, errors = done.communicate()
        if done.returncode != 0:
            lines = errors.strip().split("\n")
            raise BenchError(
                f"{os.path.basename(command[0])} ended with status {done.returncode}: {lines[-1]}"
            )
        for line in errors.splitlines():
            self.hear(line)
        return output

    def start(self, command, environment=None, cpu=None, stderr=None):
        """A command with pipes to its standard input and output."""
        child = subprocess.Popen(
            command,
            env=self._clean if environment is None else environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        if cpu is not None:
            os.sched_setaffinity(child.pid, {cpu})
        return child

    def helper(self, name, *arguments):
        return [os.path.join(self.helpers, name), *map(str, arguments)]

    def check_side(self, side, pid, what, secret_kib, preload=None):
        """A run whose "without" side has the preload, or whose other sides have not, is worthless.

        PRELOAD is where the object lies for a program that may not read it in the build directory.
        """
        loaded = bool(self.preload) and process.maps_file(pid, preload or self.preload)
        expected = side != SIDES[0] and bool(self.preload)
        if loaded != expected:
            raise BenchError(
                f"{what} on the '{side}' side has "
                + ("the preload loaded" if loaded else f"not loaded {self.preload}")
            )
        held = process.memory(pid).secret
        if not expected and held:
            raise BenchError(f"{what} on the '{side}' side holds {held} KiB of secret memory")
        if expected and held < secret_kib:
            self.note(
                f"{what} holds less than {secret_kib} KiB of secret memory: its figures are "
                "those of the degraded mode"
            )
