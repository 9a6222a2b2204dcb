# SPDX-License-Identifier: Apache-2.0
"""A scratch machine: this one's root file system below a writable overlay in memory, with a
systemd, a network and process numbers of its own, and the project installed as packages do."""

import os
import shutil
import subprocess
import sys
import tempfile
import time

import pages  # makes the harness known
from harness import process

# In a mount name space of its own, which goes with the last process in it. The machine's own
# cgroup is made here where no systemd could make one.
START = """\
set -eu
scratch=$1 staged=$2 group=$3
shift 3
case $(stat -f -c %T "$scratch") in
tmpfs | overlayfs) mount -t tmpfs none "$scratch" ;; # not below another overlay
esac
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
mount -t overlay -o lowerdir=/,upperdir="$scratch/upper",workdir="$scratch/work" none \\
    "$scratch/root"
cp -a "$staged/." "$scratch/root/"
ldconfig -r "$scratch/root"
tr -d - </proc/sys/kernel/random/uuid >"$scratch/root/etc/machine-id"
scope=
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    if [ ! -d /run/systemd/system ] && [ -e "$hierarchy/cgroup.procs" ]; then
        mkdir "$hierarchy/$group"
        echo $$ >"$hierarchy/$group/cgroup.procs"
        scope=--keep-unit
    fi
done
exec systemd-nspawn --directory="$scratch/root" --machine="$group" --boot --register=no $scope \\
    --console=pipe --quiet --private-network --link-journal=no --resolv-conf=off --timezone=off \\
    "$@" systemd.unit=basic.target
"""


class Machine:
    """Boots on entry; `run` is a root shell's line in it."""

    def __init__(self, env, staged, options=()):
        self.env, self.staged, self.options = env, staged, options
        self.group = f"secretssl-docs-{os.getpid()}"
        self.leader = None

    def __enter__(self):
        scratch = tempfile.mkdtemp(prefix="machine-", dir=self.env.directory)
        self.child = process.Child(
            self.env, ["unshare", "--mount", "--propagation", "private", "sh", "-c", START, "sh",
                       scratch, self.staged, self.group, *self.options],
            # Without its filter of system calls: what a machine has, not what nspawn allows.
            self.env.plain(SYSTEMD_SECCOMP="0"))
        begin = time.monotonic()
        if not process.wait_until(self.booted, 60, 0.1):
            result = self.child.stop()
            raise RuntimeError(f"the scratch machine does not boot\n{result}")
        self.seconds = time.monotonic() - begin
        return self

    def booted(self):
        if self.child.popen.poll() is not None:
            return True
        below = process.children(self.child.pid)
        if not below:
            return False
        self.leader = below[0]
        state = self.run("systemctl is-system-running")
        return state.out.strip() in ("running", "degraded")

    def enter(self, command):
        """A command line that runs a command in the machine, as root."""
        return ["nsenter", "--target", str(self.leader), "--mount", "--uts", "--ipc", "--net",
                "--pid", "--root", "--wd", *command]

    def run(self, line, seconds=60):
        return process.run(self.env, self.enter(["bash", "-c", line]),
                           self.env.plain(HOME="/root", LC_ALL="C.UTF-8"), seconds=seconds)

    def write(self, path, text, where="whole"):
        """A file in the machine: the whole of it, or its first or last lines."""
        inside = f"/proc/{self.leader}/root{path}"
        os.makedirs(os.path.dirname(inside), exist_ok=True)
        before = ""
        if where != "whole":
            with open(inside, encoding="utf-8") as file:
                before = file.read()
        with open(inside, "w", encoding="utf-8") as file:
            file.write({"whole": text, "top": text + before, "end": before + text}[where])

    def __exit__(self, *_):
        if self.leader:
            # The first process of a name space takes all others with it.
            try:
                os.kill(self.leader, 9)
            except ProcessLookupError:
                pass
        self.child.stop(9 if not self.leader else 15)
        for hierarchy in "/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified":
            remove_groups(os.path.join(hierarchy, self.group))


def remove_groups(top):
    """Removes empty cgroups; the kernel may need a moment to see that they are."""
    for directory, _, _ in os.walk(top, topdown=False):
        process.wait_until(lambda path=directory: removed(path), 5, 0.05)


def removed(path):
    try:
        os.rmdir(path)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


def stage(build):
    """Builds and installs the project as a package has it, into a directory of the build's."""
    tree, staged = os.path.join(build, "docs-package"), os.path.join(build, "docs-staged")
    triplet = subprocess.run(["gcc", "-print-multiarch"], check=True, capture_output=True,
                             text=True).stdout.strip()
    shutil.rmtree(staged, ignore_errors=True)
    for command in (
            ["cmake", "-S", pages.ROOT, "-B", tree, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
             "-DCMAKE_INSTALL_PREFIX=/usr", f"-DCMAKE_INSTALL_LIBDIR=lib/{triplet}",
             "-DSECRETSSL_TESTS=OFF", "-DSECRETSSL_BENCH=OFF"],
            ["cmake", "--build", tree], ["cmake", "--install", tree]):
        done = subprocess.run(command, env={**os.environ, "DESTDIR": staged}, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}\n{done.stdout}")


if __name__ == "__main__":
    stage(sys.argv[1])
