# SPDX-License-Identifier: Apache-2.0
"""Where the built files are, a directory for each scenario, and environments to start with."""

import os
import resource
import shutil
import subprocess
import tempfile

# A user with no other process: limits counted by user see only what a test starts.
PLAIN_USER = 64017
# SECRETSSL_UNCACHED of every program that a test starts without a value of its own
UNCACHED = os.environ.get("LIBSECRETSSL_TEST_UNCACHED")
# SECRETSSL_SEAL likewise
SEAL = os.environ.get("LIBSECRETSSL_TEST_SEAL")
# "kernel": the kernel is to make the copies of forked children, which it does without a limit only
FORK_COPY = os.environ.get("LIBSECRETSSL_TEST_FORK_COPY")
LONG = os.environ.get("LIBSECRETSSL_TEST_LONG")


def unpacked(*parts):
    """The path of a file that scripts/setup has put into the project's cache, by package."""
    here = os.path.dirname(os.path.abspath(__file__))
    cache = subprocess.run([os.path.join(here, "..", "..", "..", "scripts", "cache")], check=True,
                           capture_output=True, text=True, timeout=20).stdout.strip()
    return os.path.join(cache, "unpacked", *parts)


def stays_cached(name):
    """Whether the kernel keeps a file's pages although it is on the disk: there is no disk."""
    with open(name, "wb") as file:
        file.write(b"x")
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    done = subprocess.run(["fincore", "--noheadings", "--output", "PAGES", name], check=True,
                          capture_output=True, text=True, timeout=20)
    os.unlink(name)
    return int(done.stdout or 0) > 0


def kernel_copies():
    """Whether the kernel copies secret memory at fork for this process's programs."""
    return (os.path.exists("/sys/kernel/mm/secretmem/copy_at_fork")
            and resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] == resource.RLIM_INFINITY)


class Environment:
    """Paths and a temporary directory that other users may enter; removed at the end."""

    def __init__(self, build, helpers):
        self.build = os.path.abspath(build)
        self.helpers = os.path.abspath(helpers)
        self.preload = os.path.join(self.build, "lib", "libsecretssl.so")
        self.library = os.path.join(self.build, "lib", "libsecretmem.so")
        self.tool = os.path.join(self.build, "bin", "secretssl")
        self.directory = None
        self.in_memory = False

    def __enter__(self):
        if FORK_COPY and not kernel_copies():
            raise RuntimeError("LIBSECRETSSL_TEST_FORK_COPY: this kernel does not copy secret memory at fork, or "
                               "RLIMIT_MEMLOCK is not unlimited")
        self.directory = tempfile.mkdtemp(prefix="secretssl-test-")
        os.chmod(self.directory, 0o755)
        self.in_memory = stays_cached(self.path("probe"))
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.directory, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.directory, name)

    def helper(self, name):
        return os.path.join(self.helpers, name)

    def reachable(self, path):
        """A copy that any user can read, for programs started as another user."""
        copy = self.path(os.path.basename(path))
        if not os.path.exists(copy):
            shutil.copy(path, copy)
            os.chmod(copy, 0o755)
        return copy

    def plain(self, **settings):
        """The environment of a control: no preload."""
        base = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": self.directory, "LC_ALL": "C"}
        if UNCACHED:
            base["SECRETSSL_UNCACHED"] = UNCACHED
        if SEAL:
            base["SECRETSSL_SEAL"] = SEAL
        if LONG:
            base["LIBSECRETSSL_TEST_LONG"] = LONG
        return {**base, **settings}

    def preloaded(self, **settings):
        """The same with the preload; settings are SECRETSSL_* and others by their full name."""
        if not os.path.exists(self.preload):
            raise FileNotFoundError(f"{self.preload} is not built")
        # Where files lie in memory (the lab) each key file would be a message.
        base = {"SECRETSSL_DROP_CACHE": "0"} if self.in_memory else {}
        return self.plain(LD_PRELOAD=self.preload, **{**base, **settings})

    def chosen(self, protected, **settings):
        return self.preloaded(**settings) if protected else self.plain(**settings)
