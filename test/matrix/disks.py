# SPDX-License-Identifier: Apache-2.0
"""The disks and kernels of emulated machines: a root file system of another architecture, in which no
program runs while it is made, and for each kernel an initramfs that mounts the disks.
"""

import gzip
import hashlib
import lzma
import os
import shutil
import subprocess
from pathlib import Path

import roots

INIT = Path(__file__).resolve().parent / "guest-init"
# What the first process needs to mount the disks
MODULES = ("virtio_pci", "virtio_blk", "ext4", "overlay", "virtio_rng")
# What every system has, and the tests' programs
PACKAGES = (
    *("base-passwd", "bash", "busybox-static", "coreutils", "dash", "debianutils", "diffutils", "findutils", "grep"),
    *("gzip", "hostname", "kmod", "libc-bin", "login", "mawk", "mount", "passwd", "procps", "sed", "tar", "util-linux"),
    *("cmake", "curl", "gdb", "git", "haproxy", "nginx", "openssl", "python3", "util-linux-extra"),
    *("libcriterion3", "libjansson4", "libunwind8"),
)

KERNELS = ("linux-image-arm64", "linux-image-arm64-16k")


def image(directory, file, size):
    """An ext4 file system with the files of a directory, of so many megabytes."""
    file.unlink(missing_ok=True)
    roots.run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-E", "root_owner=0:0", "-d", directory,
              file, f"{size}M", stdout=subprocess.DEVNULL)


def megabytes(directory):
    said = subprocess.run(["du", "-sm", str(directory)], check=True, text=True, stdout=subprocess.PIPE)
    return int(said.stdout.split()[0])


def _unpacked(path):
    """The bytes of a module or kernel, which a package may have compressed."""
    data = path.read_bytes()
    if data.startswith(b"\xfd7zXZ"):
        return lzma.decompress(data)
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def _needed(files, release):
    """Paths of the modules, each behind those that it needs."""
    found = []
    for module in MODULES:
        said = subprocess.run(["modprobe", "-d", str(files), "-S", release, "-C", "/dev/null", "--show-depends", module],
                              check=True, text=True, stdout=subprocess.PIPE).stdout
        found += [Path(line.split()[1]) for line in said.splitlines() if line.startswith("insmod")]
    return list(dict.fromkeys(found))


def _boot_files(files, release, target):
    """The kernel of a release, and an initramfs that mounts the disks."""
    roots.run("depmod", "-b", files, release)
    work = target / "initramfs.d"
    (work / "bin").mkdir(parents=True)
    (work / "modules").mkdir()
    shutil.copy(files / "usr/bin/busybox", work / "bin/busybox")
    shutil.copy(INIT, work / "init")
    (work / "init").chmod(0o755)
    names = []
    for path in _needed(files, release):
        names.append(path.name.removesuffix(".xz"))
        (work / "modules" / names[-1]).write_bytes(_unpacked(path))
    (work / "modules/list").write_text("\n".join(names) + "\n")
    with open(target / "initramfs", "wb") as file:
        subprocess.run("find . | cpio -o -H newc --quiet -R 0:0", shell=True, check=True, cwd=work, stdout=file)
    shutil.rmtree(work)
    (target / "vmlinuz").write_bytes(_unpacked(next((files / "boot").glob(f"vmlin*-{release}"))))


def _prepared(files):
    """What maintainer scripts do otherwise, which cannot run here."""
    for directory in "bin", "lib", "sbin":
        if not (files / directory).exists():
            (files / directory).symlink_to(f"usr/{directory}")
    for name in "passwd", "group":
        shutil.copy(files / f"usr/share/base-passwd/{name}.master", files / "etc" / name)
    (files / "etc/shadow").write_text("root:*:1::::::\n")
    (files / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    (files / "etc/hostname").write_text("machine\n")
    for link, program in (("sh", "dash"), ("awk", "mawk"), ("which", "which.debianutils")):
        if not (files / "usr/bin" / link).exists() and (files / "usr/bin" / program).exists():
            (files / "usr/bin" / link).symlink_to(program)
    # They are where maintainer scripts put them.
    (files / "usr/lib/ssl/certs").mkdir(parents=True, exist_ok=True)
    for directory in "srv", "root", "tmp", "proc", "sys", "dev", "run", "var/lib/nginx", "var/log/nginx":
        (files / directory).mkdir(parents=True, exist_ok=True)


def _key(lines, architecture):
    made_from = [*lines, architecture, *PACKAGES, *KERNELS, *MODULES, INIT.read_text(), Path(__file__).read_text()]
    return hashlib.sha256("\n".join(made_from).encode()).hexdigest()[:12]


def _make(work, lines, architecture):
    files, listed = work / "files", work / "sources.list"
    work.mkdir(parents=True)
    listed.write_text("\n".join(lines) + "\n", encoding="utf-8")
    roots.run("mmdebstrap", "--quiet", "--mode=root", "--variant=extract", f"--architectures={architecture}",
              f"--aptopt={roots.OLD}", f"--include={','.join((*PACKAGES, *KERNELS))}", "", files, listed)
    _prepared(files)
    for release in sorted(path.name for path in (files / "usr/lib/modules").iterdir()):
        target = work / "kernels" / release
        target.mkdir(parents=True)
        _boot_files(files, release, target)
    for useless in "usr/lib/modules", "boot", "usr/share/doc", "usr/share/locale", "var/lib/apt/lists":
        shutil.rmtree(files / useless, ignore_errors=True)
    image(files, work / "root.ext4", megabytes(files) * 5 // 4 + 64)
    roots.run("rm", "-rf", files)


def made(machine, builder):
    """The directory of a machine's files, made if it is missing: the disk with its root, and each of Debian's kernels
    with its initramfs. The builder is the row whose root has the same release of Debian."""
    lines, name = roots.sources(builder), f"machine-{machine.architecture}"
    kept = roots.kept(name, _key(lines, machine.architecture))
    if not kept.is_dir():
        work = roots.cache() / f"unfinished00-{name}"
        roots.run("rm", "-rf", "--one-file-system", work)
        _make(work, lines, machine.architecture)
        os.rename(work, kept)
    return kept
