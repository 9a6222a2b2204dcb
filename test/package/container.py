#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs what docs/operations/containers.md says about an image and a pod, with podman.

usage: container.py SOURCE CACHE WORK

In name spaces of its own: the changes to this machine's files, podman's storage included, are in memory and end
with the test. What podman gets from Debian's registry elsewhere is the base root of roots.py.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import roots
import scratch
from packages import debs_in

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "docs"))
import blocks  # noqa: E402  # pylint: disable=wrong-import-position

RUNTIME = HERE.parent / "docs/limited-runtime"
MARK = "run by package.container"
# The network is the loopback interface of the test.
CONFIG = """\
[containers]
netns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
[engine.runtimes]
runc = ["/usr/local/bin/limited-runc"]
"""


class Place:
    """From here on this program sees this machine's files below an overlay in memory."""

    def __init__(self, source, base):
        self.source = source
        scratch.loopback_up()
        work = Path("/mnt")
        scratch.mount("-t", "tmpfs", "scratch", work)
        for name in ["changes", "overlay", "root"]:
            (work / name).mkdir()
        root = work / "root"
        scratch.mount("-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={work}/changes,workdir={work}/overlay",
                      root)
        for name in ["proc", "sys", "dev"]:
            scratch.mount("--rbind", f"/{name}", root / name)
        # runc knows either version of control groups, and not both at once.
        hybrid = root / "sys/fs/cgroup/unified"
        if hybrid.is_dir():
            subprocess.run(["umount", hybrid], check=True)
        for name in ["run", "var/lib/containers"]:
            (root / name).mkdir(parents=True, exist_ok=True)
            scratch.mount("-t", "tmpfs", name, root / name)
        (root / "run/base").mkdir()
        scratch.mount("--bind", base, root / "run/base")
        # A container's run-time makes a root of its own in the same way, which fails below a mere chroot.
        os.chdir(root)
        subprocess.run(["pivot_root", ".", "mnt"], check=True)
        subprocess.run(["umount", "--lazy", "/mnt"], check=True)
        write("/etc/containers/containers.conf", CONFIG)
        write("/usr/local/bin/limited-runc", RUNTIME.read_text(encoding="utf-8"), 0o755)
        self.run("tar -C /run/base --one-file-system -c . | podman import --quiet "
                 "--change ENV=PATH=/usr/sbin:/usr/bin:/sbin:/bin - docker.io/library/debian:bookworm-slim")

    def run(self, line, status=0):
        print("#", line, flush=True)
        done = subprocess.run(["sh", "-c", line], cwd=self.source, text=True, check=False, timeout=300,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8",
                                   "BUILDAH_ISOLATION": "chroot"})
        print(done.stdout, end="", flush=True)
        if done.returncode != status:
            sys.exit(f"{line}: exit status {done.returncode}, not {status}")
        return done.stdout


def write(name, text, mode=0o644):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def commands(source):
    """The page's commands, by section."""
    page = (source / "docs/operations/containers.md").read_text(encoding="utf-8")
    found = [[command for command, _ in block.commands()]
             for block in blocks.fenced(page) if block.shown and block.marker and MARK in block.marker]
    if len(found) != 2 or not all(found):
        sys.exit("docs/operations/containers.md has not two sections of commands")
    return found


def copies(place, container):
    """The copies of the server's key in the processes of a container, looked for from outside."""
    first = place.run(f"podman inspect --format '{{{{.State.Pid}}}}' {container}").strip()
    pids = place.run(f"echo {first}; pgrep --parent {first}").split()
    if len(pids) < 2:
        sys.exit(f"{container}: nginx has {len(pids)} processes")
    said = place.run(f"/run/tool/usr/bin/secretssl scan --key web-tls/tls.key {' '.join(pids)} || true")
    found = re.findall(r"^\d+ \(\S+\): (\d+) cop", said, re.M)
    if len(found) != len(pids):
        sys.exit(f"{container}: the scan has not looked at all of {pids}")
    return sum(map(int, found))


def answers(place):
    """Waits for the server."""
    for _ in range(100):
        done = subprocess.run(["curl", "-sk", "https://127.0.0.1:8443/"], check=False,
                              stdout=subprocess.PIPE, text=True)
        if done.stdout == "hello\n":
            return
        time.sleep(0.2)
    place.run("podman ps --all; { podman logs web || podman logs web-nginx; } | tail -n 20; exit 255")


def step(place, line):
    """A command of the page, and what must be true after it."""
    place.run(line)
    if line.startswith(("podman run", "podman kube play")):
        container = "web" if line.startswith("podman run") else "web-nginx"
        answers(place)
        if copies(place, container) != 0:
            sys.exit(f"{container}: there are copies of the key")


def control(place):
    """The same image without the preload: copies are found. With it and a limit of none: it refuses."""
    run = "podman run --name other --volume ./web-tls:/run/secrets/tls:ro"
    place.run(f"{run} --detach --env LD_PRELOAD= localhost/nginx-secretssl")
    answers(place)
    if copies(place, "other") == 0:
        sys.exit("without the preload no copies are found")
    place.run("podman exec --env LD_PRELOAD= other secretssl stat --strict 1", 1)
    place.run("podman rm --force --time 2 other")
    said = place.run(f"{run} --ulimit memlock=0 --rm --user www-data localhost/nginx-secretssl", 78)
    if "SECRETSSL_REQUIRE=1" not in said:
        sys.exit("without a limit, no line of libsecretssl")


def secret(place):
    """What a cluster has as a secret of type kubernetes.io/tls. Podman 4.3 decodes no base64 when it mounts one."""
    lines = ["apiVersion: v1", "kind: Secret", "metadata:", "  name: web-tls", "data:"]
    for name in "tls.crt", "tls.key":
        lines += [f"  {name}: |", *[f"    {line}" for line in (place.source / "web-tls" / name).read_text().splitlines()]]
    write(place.source / "secret.yaml", "\n".join(lines) + "\n")
    place.run("podman secret create web-tls secret.yaml")


def main():
    source, cache, work = map(Path, sys.argv[1:])
    scratch.enter()
    debs = debs_in(work / "debs")
    place = Place(source, roots.made(cache, debs) / "base")
    for deb in debs:
        shutil.copy(deb, source)
    # The tool outside of the containers, to look into them
    place.run("dpkg-deb --extract secretssl_*.deb /run/tool")
    image, pod = commands(source)
    for line in image:
        step(place, line)
    control(place)
    secret(place)
    for line in pod:
        step(place, line)


if __name__ == "__main__":
    os.environ.pop("LD_PRELOAD", None)
    main()
