# SPDX-License-Identifier: Apache-2.0
"""Where a suite is built and run: name spaces of its own, with a fixed directory, /srv.

A built tree contains its own path, and an ordinary user must reach it. So each tree is at /srv/tree,
wherever the cache is. What a run writes there lies in memory, and ends with the run, as do its
processes, its network (only a loopback device) and its System V objects.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "matrix"))
import roots  # noqa: E402 (found beside the other systems)

LIBRARIES = roots.TOP / "build/release/lib"
SPACES = (*roots.SPACES[:3], "unshare", "--mount", "--ipc", "--pid", "--net", "--fork", "--kill-child")
ENTER = r"""
set -e
how=$1 tree=$2 out=$3 libraries=$4 scripts=$5
shift 5
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir -m 755 /mnt/tree /mnt/lib /mnt/scripts /mnt/out /mnt/changes /mnt/work
mkdir -m 1777 /mnt/tmp
mount --bind "$libraries" /mnt/lib
mount --bind "$scripts" /mnt/scripts
mount --bind "$out" /mnt/out
if [ "$how" = build ]; then
    mount --bind "$tree" /mnt/tree
else
    mount -t overlay overlay -o "lowerdir=$tree,upperdir=/mnt/changes,workdir=/mnt/work" /mnt/tree
fi
mount --rbind /mnt /srv
ip link set lo up
cd /srv/tree
exec "$@"
"""
SETTINGS = {"LD_PRELOAD": "/srv/lib/libsecretssl.so", "SECRETSSL_STATS": "1", "SECRETSSL_LOG": "/srv/out/log"}


def enter(how, tree, out, command, user="root", settings=None):
    """Runs a command in /srv/tree, which is a built tree to be changed (build) or not (run). What it prints
    is in out/output. Returns its status."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/srv/tmp", "TMPDIR": "/srv/tmp",
                   "LC_ALL": "C.UTF-8", "TERM": "dumb", "JOBS": str(os.cpu_count() or 1), **(settings or {})}
    words = ["env", "-i", *(f"{name}={value}" for name, value in environment.items()), *command]
    if user != "root":
        words = ["setpriv", f"--reuid={user}", f"--regid={user_group(user)}", "--clear-groups", *words]
    with open(out / "output", "ab") as output:
        return subprocess.run([*SPACES, "sh", "-c", ENTER, "sh", how,
                               str(tree), str(out), str(LIBRARIES), str(HERE / "scripts"), *words], check=False,
                              stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT).returncode


def user_group(user):
    return roots.run("id", "-g", user, stdout=subprocess.PIPE).strip()
