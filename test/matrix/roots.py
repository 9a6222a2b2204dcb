# SPDX-License-Identifier: Apache-2.0
"""Root file systems of other suites of Debian, made once and kept in the project's cache.

A root has what scripts/setup matrix installs. What is built and tested there goes into a directory
above it (overlay), which is new for each run. What a script has prepared for a row lies in a
directory between the two, which is kept too.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PREPARE = Path(__file__).resolve().parent / "prepare"
# Where this machine has Debian's packages from, by what is below it
LINE = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {uri} {suite} main"
# A release file of sid is valid for a week, and a mirror may be frozen.
OLD = 'Acquire::Check-Valid-Until "false"'
# A crash of the machine may spoil a root.
APT = [OLD, 'DPkg::Options:: "--force-unsafe-io"']
# What a minimal root lacks for scripts/setup
MINIMAL = "ca-certificates,git,mount"

ENTER = r"""
set -e
root=$1
shift
mount --make-rprivate /
mount --rbind "$root" "$root"
mkdir -p "$root/old"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t tmpfs tmpfs "$root/run"
# A link in the root may lead out of it.
cp --remove-destination /etc/resolv.conf /etc/hosts "$root/etc/"
cd "$root"
pivot_root . old
umount -l /old
rmdir /old 2>/dev/null || true
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    LC_ALL=C.UTF-8 TERM=dumb ${http_proxy:+http_proxy="$http_proxy"} \
    ${https_proxy:+https_proxy="$https_proxy"} "$@"
"""


class Failure(Exception):
    pass


class Unavailable(Failure):
    """The archive has no complete copy of a suite, or is not reached."""


def run(*command, **extra):
    done = subprocess.run([str(word) for word in command], text=True, check=False, **extra)
    if done.returncode != 0:
        words = [str(word) for word in command if "\n" not in str(word)]
        raise Failure(f"{' '.join(words)}: exit status {done.returncode}")
    return done.stdout


def cache():
    done = run(TOP / "scripts/cache", stdout=subprocess.PIPE)
    return Path(done.strip()) / "matrix"


def mirror():
    """The addresses of Debian's archive and of its security updates, as this machine has them."""
    targets = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)",
                  "Created-By: Packages", "Origin: Debian", stdout=subprocess.PIPE)
    found = {"security": "", "archive": ""}
    for uri, release in map(str.split, targets.splitlines()):
        found["security" if release.endswith("-security") else "archive"] = uri
    if not found["archive"]:
        raise Failure("this machine's apt has no source of Debian's packages: apt-get update")
    return found


def sources(row):
    """Lines for sources.list."""
    uris = mirror()
    lines = [LINE.format(uri=uris["archive"], suite=row.suite)]
    if row.security:
        lines.append(LINE.format(uri=uris["archive"], suite=f"{row.suite}-updates"))
        lines.append(LINE.format(uri=uris["security"], suite=f"{row.suite}-security"))
    if row.extra:
        lines.append(LINE.format(uri=uris["archive"], suite=row.extra))
    return lines


# The same above a root: its changes, what an overlay needs, and where it is mounted are in a directory. The
# kernel tells nothing of the page cache of a file in an overlay (cachestat), so /srv and /tmp are none.
ABOVE = r"""
set -e
changes=$2/changes overlay=$2/overlay
# An overlay cannot lie in another one: there the changes are in memory, and end with the run.
if [ "$(stat -f -c %T "$2")" = overlayfs ]; then
    mount -t tmpfs tmpfs "$overlay"
    changes=$overlay/changes overlay=$overlay/work
    mkdir "$changes" "$overlay"
fi
mount -t overlay overlay -o "lowerdir=$1,upperdir=$changes,workdir=$overlay" "$2/root"
root=$2/root
mount --bind "$2/srv" "$root/srv"
mount --bind "$2/tmp" "$root/tmp"
shift 2
set -- "$root" "$@"
"""
SPACES = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--ipc", "--pid", "--fork",
          "--kill-child")


class Above:
    """A directory with what is changed above a root, and with /srv and /tmp."""

    def __init__(self, work):
        self.work, self.changes, self.srv = work, work / "changes", work / "srv"
        self.remove()
        for part in "changes", "overlay", "root", "srv", "tmp":
            (work / part).mkdir(parents=True)
        (work / "tmp").chmod(0o1777)
        # A test that became another user must reach what was built.
        for path in work, self.changes, self.srv:
            path.chmod(0o755)

    def run(self, lower, *command):
        """Runs a command above the directories of lower, the uppermost first."""
        run(*SPACES, "sh", "-c", ABOVE + ENTER, "sh", ":".join(map(str, lower)), self.work, *command)

    def remove(self):
        run("rm", "-rf", "--one-file-system", self.work)


def inside(root, *command):
    """Runs a command with the root as /, in name spaces of its own, which end with it."""
    run(*SPACES, "sh", "-c", ENTER, "sh", root, *command)


def _make(root, lines, foreign):
    own = run("dpkg", "--print-architecture", stdout=subprocess.PIPE).strip()
    listed = root.with_suffix(".list")
    listed.write_text("\n".join(lines) + "\n", encoding="utf-8")
    # mmdebstrap refuses what an earlier run has left.
    run("rm", "-rf", "--one-file-system", root)
    run("mmdebstrap", "--quiet", "--mode=root", "--variant=apt", f"--aptopt={OLD}",
        f"--architectures={','.join((own, *foreign))}", "--dpkgopt=force-unsafe-io", f"--include={MINIMAL}", "",
        root, listed)
    listed.unlink()
    # A package that is a server must not start one: the tests start their own.
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    policy.chmod(0o755)
    (root / "etc/apt/apt.conf.d/50matrix").write_text(
        "".join(f"{option};\n" for option in APT), encoding="utf-8")


def _install(row, root):
    """What is missing of the packages that the tests need; those of another suite last."""
    # An installation that was ended leaves packages that are not set up.
    inside(root, "dpkg", "--configure", "-a")
    if row.purpose:
        copy_project(root / "srv/setup", ("scripts",))
        inside(root, "/srv/setup/scripts/setup", row.purpose)
    done = root / "var/lib/matrix"
    if row.packages and not done.exists():
        inside(root, "apt-get", "-qq", "update")
        inside(root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y",
               "--no-install-recommends", *(("-t", row.extra) if row.extra else ()), "install", *row.packages)
        done.touch()
    inside(root, "apt-get", "clean")


def _files(paths=()):
    """Those that git knows, each name with a zero byte behind it."""
    return subprocess.run(["git", "-C", str(TOP), "ls-files", "-z", "--", *paths], check=True,
                          stdout=subprocess.PIPE).stdout


def copy_project(target, paths=()):
    """The files that git knows, as they are in this checkout."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    packed = subprocess.run(["tar", "-C", str(TOP), "--null", "-T", "-", "-cf", "-"], input=_files(paths),
                            check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-C", str(target), "-xf", "-"], input=packed, check=True)


def source_hash():
    """Of the files that git knows, as they are in this checkout."""
    sums = subprocess.run(["xargs", "-0", "sha256sum"], input=_files(), cwd=TOP, check=True,
                          stdout=subprocess.PIPE).stdout
    return hashlib.sha256(sums).hexdigest()[:16]


def _key(*parts):
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def kept(name, key):
    """The directory of that key for a row. What has another key is old; "unfinished" is as long as a key."""
    directory = cache() / f"{key}-{name}"
    if not directory.is_dir():
        for old in cache().glob(f"????????????-{name}"):
            run("rm", "-rf", "--one-file-system", old)
    return directory


def _prepared(name, row, lower):
    """What the row's script has changed above the base; made anew for another script, or other packages below."""
    status = (lower[-1] / "var/lib/dpkg/status").read_text(encoding="utf-8")
    # A script's own files have names that begin as its own does.
    files = [PREPARE / "source", *sorted(PREPARE.glob(f"{row.prepare[0]}*"))]
    texts = [file.read_text(encoding="utf-8") for file in files]
    below = [directory.name for directory in lower]
    directory = kept(name, _key(*below, status, *texts, *row.prepare))
    if not directory.is_dir():
        above = Above(cache() / f"unfinished00-{name}")
        shutil.copytree(PREPARE, above.srv / "prepare")
        (above.srv / "work").mkdir()
        above.run(lower, "sh", "-c", 'cd /srv/work && exec "$@"', "sh",
                  f"/srv/prepare/{row.prepare[0]}", *row.prepare[1:])
        if not any(above.changes.iterdir()):
            raise Failure(f"{cache()} lies in an overlay, where nothing can be prepared: set LIBSECRETSSL_CACHE")
        os.rename(above.changes, directory)
        above.remove()
    return directory


@contextlib.contextmanager
def _locked(name):
    """For one run at a time."""
    cache().mkdir(parents=True, exist_ok=True)
    with open(cache() / f"{name}.lock", "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"matrix: another run uses {lock.name}: waiting for it", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def made(name, rows):
    """The directories that a row's files lie in, the uppermost first, for one run at a time. Makes the root
    if it is missing, installs what is missing in it, and prepares it."""
    row = rows[name]
    if row.base:
        with _locked(name), made(row.base, rows) as lower:
            yield [_prepared(name, row, lower), *lower] if row.prepare else lower
        return
    with _locked(name):
        lines = sources(row)
        root = kept(name, _key(*lines, *APT, MINIMAL, *row.packages, *row.foreign))
        try:
            if not root.is_dir():
                work = cache() / f"unfinished00-{name}"
                _make(work, lines, row.foreign)
                os.rename(work, root)
            _install(row, root)
        except Failure as error:
            raise Unavailable(error) from error
        yield [root]
