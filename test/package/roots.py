# SPDX-License-Identifier: Apache-2.0
"""Root file systems that packages are installed in, made once and kept.

"base" is a minimal Debian with openssl and nginx, "build" is the same with compilers. Both can install the
packages without the network: what those depend on is in a repository inside. They are kept in the
project's cache, under a name that says what they were made from.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

KEPT = ["openssl", "nginx-light"]
COMPILERS = ["gcc", "g++", "cmake", "make", "pkg-config"]
# What README says that a build needs, beside these
LIGHT = ["ninja-build", "libssl-dev", "libjansson-dev"]
DEPENDS = "var/local/depends"
# A crash of the machine may spoil them: they are only for tests.
FAST = "force-unsafe-io"


def run(*command, **extra):
    extra.setdefault("stderr", subprocess.STDOUT)
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                          check=False, **extra)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout


def mirrors():
    """Lines for sources.list: where this machine has Debian's own packages from."""
    wanted = ["apt-get", "indextargets", "--format",
              "deb $(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages", "Origin: Debian"]
    lines = run(*wanted).splitlines()
    if not lines:
        # The lists may never have been fetched.
        run("apt-get", "update", "-q")
        lines = run(*wanted).splitlines()
    if not lines:
        sys.exit("this machine's apt has no source of Debian's packages (apt-get indextargets)")
    return sorted(set(lines))


def key_of(debs, lines):
    """What the roots are made from: another key, other roots."""
    said = [Path(__file__).read_text(encoding="utf-8"), *lines]
    said += [run("dpkg-deb", "--field", deb, "Architecture", "Depends") for deb in debs]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]


def chroot(root, *command):
    return run("chroot", root, "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", *command)


def install(root, *words):
    return chroot(root, "apt-get", "install", "-q", "-y", "--no-install-recommends", *words)


def keep_depends(root, debs):
    """Leaves the packages that debs need, and no network source, in the root."""
    inside = []
    for deb in debs:
        shutil.copy(deb, root / "tmp")
        inside.append(f"/tmp/{deb.name}")
    install(root, "--download-only", *inside)
    depends = root / DEPENDS
    depends.mkdir(parents=True)
    for deb in (root / "var/cache/apt/archives").glob("*.deb"):
        deb.rename(depends / deb.name)
    for name in inside:
        Path(root, name[1:]).unlink()
    (depends / "Packages").write_text(run("dpkg-scanpackages", ".", cwd=depends,
                                          stderr=subprocess.DEVNULL), encoding="utf-8")
    for path in (root / "etc/apt/sources.list.d").iterdir():
        path.unlink()
    (root / "etc/apt/sources.list").write_text(f"deb [trusted=yes] file:/{DEPENDS} ./\n",
                                               encoding="ascii")
    shutil.rmtree(root / "var/lib/apt/lists")
    chroot(root, "apt-get", "update", "-q")
    chroot(root, "apt-get", "clean")


@contextlib.contextmanager
def mounted(root):
    """/proc for what is run there; this process has mounts of its own (scratch.enter)."""
    run("mount", "-t", "proc", "proc", root / "proc")
    try:
        yield
    finally:
        run("umount", root / "proc")


def make(work, debs, lines):
    base, build = work / "base", work / "build"
    sources = work / "sources.list"
    sources.write_text("\n".join(lines) + "\n", encoding="utf-8")
    run("mmdebstrap", "--mode=root", "--variant=apt", f"--dpkgopt={FAST}", "--skip=cleanup/apt",
        f"--include={','.join(KEPT)}", "", base, sources)
    run("cp", "-a", base, build)
    for root, packages in [(base, []), (build, COMPILERS + LIGHT)]:
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        with mounted(root):
            if packages:
                install(root, *packages)
                chroot(root, "apt-get", "clean")
            keep_depends(root, debs)
    sources.unlink()


def made(cache, debs):
    """The directory that has the roots; makes them if they are missing."""
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lines = mirrors()
        kept = cache / key_of(debs, lines)
        if not kept.is_dir():
            # What is not of this key is old, or was not finished.
            for path in cache.iterdir():
                if path.is_dir():
                    run("rm", "-rf", "--one-file-system", path)
            work = cache / "unfinished"
            work.mkdir()
            make(work, debs, lines)
            os.rename(work, kept)
    return kept
