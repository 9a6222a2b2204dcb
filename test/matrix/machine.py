# SPDX-License-Identifier: Apache-2.0
"""Runs a command in an emulated machine of another architecture, with Debian's own kernel.

QEMU emulates the processor (no KVM), so that a command takes some thirty times as long as elsewhere.
"""

import re
import shutil
import subprocess
import sys

import roots
from disks import image, megabytes

QEMU = {"arm64": ("qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", "neoverse-n1")}
CONSOLE = {"arm64": "ttyAMA0"}
# Seconds that a machine may run
LIMIT = 7200
STATUS = re.compile(r"^machine: exit status (\d+)\r?$", re.MULTILINE)


def _kernel(machine, files, lower):
    """The paths of the kernel and of its initramfs."""
    if machine.built:
        # An initramfs mounts the disks for each kernel; this one has what it needs built in.
        return lower[0] / machine.built, next((files / "kernels").glob("*/initramfs"))
    found = [path for path in sorted((files / "kernels").iterdir()) if re.fullmatch(machine.kernel, path.name)]
    if len(found) != 1:
        raise roots.Failure(f"{files} has {len(found)} kernels of the form '{machine.kernel}'")
    return found[0] / "vmlinuz", found[0] / "initramfs"


def boot(machine, files, place, command):
    """Boots the machine with a copy of the place's /srv, runs a command there, and returns its exit status. What it
    wrote to /srv/out is in the place afterwards; what it printed, in console.log there."""
    kernel, initramfs = _kernel(machine, files, place.lower)
    work, srv, console = place.above.work, place.above.srv, place.out / "console.log"
    disk, script = work / "srv.ext4", srv / "command"
    script.write_text("#!/bin/sh\nexec " + command + "\n")
    script.chmod(0o755)
    image(srv, disk, megabytes(srv) + 1024)
    words = [*QEMU[machine.architecture], "-accel", "tcg,thread=multi", "-smp", "2", "-m", machine.memory,
             "-nodefaults", "-display", "none", "-no-reboot", "-serial", f"file:{console}",
             "-kernel", kernel, "-initrd", initramfs,
             "-append", f"console={CONSOLE[machine.architecture]} panic=-1 oops=panic audit=0 {machine.settings}",
             "-drive", f"file={files / 'root.ext4'},format=raw,if=none,id=root,readonly=on",
             "-device", "virtio-blk-pci,drive=root,serial=root",
             "-drive", f"file={disk},format=raw,if=none,id=srv", "-device", "virtio-blk-pci,drive=srv,serial=srv",
             "-device", "virtio-rng-pci"]
    done = subprocess.run(["timeout", "--foreground", "-k", "5", str(LIMIT), *map(str, words)], check=False,
                          stdin=subprocess.DEVNULL)
    _collect(disk, place)
    said = console.read_text(errors="replace") if console.exists() else ""
    status = STATUS.findall(said)
    if done.returncode != 0 or not status:
        for line in said.splitlines()[-40:]:
            print("machine: | " + "".join(letter for letter in line if letter.isprintable()), file=sys.stderr)
        raise roots.Failure(f"the emulated machine was still running after {LIMIT} seconds and was ended"
                            if done.returncode == 124 else
                            f"the emulated machine ended without an exit status (QEMU's is {done.returncode})")
    return int(status[-1])


def _collect(disk, place):
    """The files of /srv/out, from the disk."""
    target = place.above.work / "collected"
    target.mkdir()
    roots.run("debugfs", "-R", f"rdump /out {target}", disk, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for file in (target / "out").glob("*"):
        if file.name != "console.log":
            shutil.copy(file, place.out)
