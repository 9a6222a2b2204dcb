# SPDX-License-Identifier: Apache-2.0
"""A root file system to install in, that nothing is left of.

The whole test runs in name spaces of its own: mounts, processes and network (which has only the
loopback interface). They end with it, however it ends, and so do the file system's changes, which
are in a tmpfs above a root of roots.py.
"""

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

INSIDE = "SECRETSSL_TEST_NAMESPACE"
SIOCSIFFLAGS = 0x8914
IFF_UP = 1
PACKAGES_DIRECTORY = "root/packages"
DEVICES = ["null", "zero", "full", "random", "urandom"]


def enter(network=False):
    """Starts this program again in name spaces of its own, which die with their parent."""
    if os.environ.get(INSIDE):
        return
    spaces = ["--mount", "--pid", "--mount-proc"] + ([] if network else ["--net"])
    os.execvpe("setpriv", ["setpriv", "--pdeathsig", "KILL", "unshare", *spaces, "--fork",
                           "--kill-child", sys.executable, "-B", *sys.argv],
               dict(os.environ, **{INSIDE: "1"}))


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


class Scratch:
    """One root; to be used after enter()."""

    def __init__(self, below):
        loopback_up()
        self.work = Path("/mnt")
        mount("-t", "tmpfs", "scratch", self.work)
        for name in ["changes", "overlay", "root"]:
            (self.work / name).mkdir()
        self.root = self.work / "root"
        mount("-t", "overlay", "overlay", "-o", f"lowerdir={below},"
              f"upperdir={self.work}/changes,workdir={self.work}/overlay", self.root)
        mount("-t", "proc", "proc", self.root / "proc")
        for device in DEVICES:
            mount("--bind", f"/dev/{device}", self.root / "dev" / device)
        self.environ = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
                        "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}

    def command(self, words):
        return ["chroot", str(self.root), *[str(word) for word in words]]

    def run(self, *words, status=0, **extra):
        """Runs a command inside and returns what it said; it must end with that exit status."""
        done = subprocess.run(self.command(words), text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=self.environ, check=False, **extra)
        print("#", *words)
        print(done.stdout, end="")
        if done.returncode != status:
            sys.exit(f"{words[0]}: exit status {done.returncode}, not {status}")
        return done.stdout

    def start(self, *words):
        """Starts a command inside; the name space ends it."""
        print("#", *words, "&", flush=True)
        return subprocess.Popen(self.command(words), env=self.environ,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def install(self, debs):
        """Installs packages with what they depend on, as a user would."""
        return self.apt("install", "--no-install-recommends", *[self.bring(deb) for deb in debs])

    def bring(self, package):
        """Copies a file into the root, and says its name there."""
        (self.root / PACKAGES_DIRECTORY).mkdir(exist_ok=True)
        shutil.copy(package, self.root / PACKAGES_DIRECTORY)
        return f"/{PACKAGES_DIRECTORY}/{package.name}"

    def apt(self, *words):
        return self.run("apt-get", "-y", "-o", "Dpkg::Use-Pty=0", *words)

    def path(self, name):
        return self.root / str(name).lstrip("/")


def mount(*words):
    done = subprocess.run(["mount", *[str(word) for word in words]], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        sys.exit(f"mount {' '.join(map(str, words))}: {done.stdout.strip()}; the package tests "
                 "need root and may mount in a name space of their own")


def stop(server):
    server.terminate()
    server.wait()


def maps(server):
    return Path("/proc", str(server.pid), "maps").read_text(encoding="utf-8")
