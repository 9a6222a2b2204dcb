#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Installs the packages in a scratch root, uses them there as a stranger would, removes them.

usage: installed.py roots CACHE WORK
       installed.py SCENARIO CACHE WORK
"""

import hashlib
import os
import re
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import roots
import scratch
from packages import OLDER, PACKAGES, debs_in
from removal import scenario_removal  # noqa: F401 (found by its name)
from scratch import maps, stop

# What apt, dpkg and ldconfig write about themselves
JOURNALS = ("var/log/", "var/lib/dpkg/", "var/lib/apt/", "var/cache/apt/", "var/cache/ldconfig/",
            "var/cache/debconf/", "root/packages", "tmp/", "proc/", "dev/")
SOURCE = Path(__file__).resolve().parents[2]
PORT = 4433
MARK = 8640073  # seconds: nothing else sleeps as long
EXAMPLE_SAYS = "contains 1\nversion 0.1\n"


def listing(root):
    """Every file: kind, mode, owner, and what is in it."""
    found = {}
    for directory, names, files in os.walk(root):
        for name in names + files:
            path = Path(directory, name)
            inside = str(path.relative_to(root))
            if (inside + "/").startswith(JOURNALS):
                continue
            info = path.lstat()
            what = ""
            if stat.S_ISLNK(info.st_mode):
                what = os.readlink(path)
            elif stat.S_ISREG(info.st_mode):
                what = hashlib.sha256(path.read_bytes()).hexdigest()
            found[inside] = (stat.filemode(info.st_mode), info.st_uid, info.st_gid, what)
    return found


def differences(before, after):
    return sorted(name for name in before | after if before.get(name) != after.get(name))


def scenario_purge(place, debs):
    """Installed with what they need, as the packages say; removed without trace."""
    before, packages = listing(place.root), place.run("dpkg-query", "-W")
    place.install(debs)
    symbols = sorted(debs[0].parent.glob("*.ddeb"))
    for ddeb in symbols:
        place.run("dpkg", "--install", place.bring(ddeb))
    every = PACKAGES + [ddeb.name.partition("_")[0] for ddeb in symbols]
    if place.run("dpkg", "--verify", *every):
        sys.exit("what is installed is not what the packages say")
    for name in every:
        if place.run("dpkg-query", "-W", "-f", "${db:Status-Status}", name) != "installed":
            sys.exit(f"{name} is not installed")
    if "libsecretmem.so.0 " not in place.run("ldconfig", "-p"):
        sys.exit("the dynamic linker's cache has no libsecretmem.so.0")
    installed = differences(before, listing(place.root))
    for wanted in ["usr/bin/secretssl", "usr/include/secretmem.h", "etc/ld.so.cache"]:
        if wanted not in installed:
            sys.exit(f"installing did not bring {wanted}, or the listing does not see it")
    # dpkg can tell when a file of ours is not what it was.
    with open(place.path("/usr/bin/secretssl"), "ab") as file:
        file.write(b"x")
    if "/usr/bin/secretssl" not in place.run("dpkg", "--verify", "secretssl"):
        sys.exit("dpkg does not see that a file was changed")

    place.apt("purge", "--auto-remove", *every)
    left = differences(before, listing(place.root))
    if left:
        sys.exit("removing them left, or took: " + " ".join(left))
    if place.run("dpkg-query", "-W") != packages:
        sys.exit("other packages are installed than before")


def identity(place):
    place.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
              "-keyout", "/root/key.pem", "-out", "/root/certificate.pem")


def fetch():
    """One handshake and a page, from outside the root; the loopback interface is shared."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", PORT), timeout=20) as plain:
        with context.wrap_socket(plain) as session:
            session.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return session.recv(12) == b"HTTP/1.0 200"


def serve(place, *before):
    """A TLS server that answers."""
    server = place.start(*before, "openssl", "s_server", "-accept", f"127.0.0.1:{PORT}", "-www",
                         "-key", "/root/key.pem", "-cert", "/root/certificate.pem", "-quiet")
    until = time.monotonic() + 30
    while True:
        try:
            if fetch():
                return server
        except OSError:
            pass
        if time.monotonic() > until or server.poll() is not None:
            sys.exit("the server does not answer")
        time.sleep(0.05)


def scan(place, server, copies):
    """Copies of the key that the installed tool finds: some, or none."""
    said = place.run("secretssl", "scan", "--key", "/root/key.pem", server.pid,
                     status=1 if copies else 0)
    if not said.strip():
        sys.exit("the scan says nothing")


def scenario_run(place, debs):
    """The tool finds the preload object, and it does what it is for."""
    place.install([deb for deb in debs if deb.name.startswith(("libsecretssl0", "secretssl"))])
    version = place.run("secretssl", "--version")
    if "0.1.0" not in version:
        sys.exit(f"--version says {version!r}")
    plain = place.run("openssl", "version")
    for before in [["secretssl", "run", "--require"],
                   ["env", "LD_PRELOAD=libsecretssl.so", "SECRETSSL_REQUIRE=1"]]:
        if place.run(*before, "openssl", "version") != plain:
            sys.exit("openssl says something else under the preload")
        if not place.run(*before, "sh", "-c", "grep /usr/lib/.*/libsecretssl.so /proc/$$/maps"):
            sys.exit("the preload object is not loaded from /usr/lib")
    # Without the library's package the tool says what is missing.
    place.run("dpkg", "--remove", "--force-depends", "libsecretssl0")
    said = place.run("secretssl", "run", "openssl", "version", status=125)
    if "libsecretssl.so" not in said:
        sys.exit("the tool does not say that the preload object is missing")


def scenario_scan(place, debs):
    """Copies of a server's key: some without the preload, none with it."""
    place.install([deb for deb in debs if deb.name.startswith(("libsecretssl0", "secretssl"))])
    identity(place)
    server = serve(place)
    scan(place, server, copies=True)
    stop(server)
    server = serve(place, "secretssl", "run", "--require")
    scan(place, server, copies=False)
    if "secretmem" not in maps(server):
        sys.exit("the server has no secret memory")
    stop(server)


def copy_examples(place):
    place.run("cp", "-r", "/usr/share/doc/libsecretmem-dev/examples", "/root/examples")


def check_example(place, program, needs):
    """It runs, and needs the shared library or does not."""
    said = place.run(program)
    if said != EXAMPLE_SAYS:
        sys.exit(f"{program} said {said!r}")
    if ("[libsecretmem.so.0]" in place.run("readelf", "-d", program)) != needs:
        sys.exit(f"{program} {'does not need' if needs else 'needs'} libsecretmem.so.0")


def scenario_pkg_config(place, debs):
    """The examples, in C and C++, by pkg-config: shared and static."""
    place.install([deb for deb in debs if deb.name.startswith("libsecretmem")])
    copy_examples(place)
    for target in ["all", "static"]:
        place.run("make", "-C", "/root/examples", "clean", target)
        for program in ["secret", "secret_string"]:
            check_example(place, f"/root/examples/{program}", needs=target == "all")


def scenario_find_package(place, debs):
    """The examples, in C and C++, by CMake's find_package: shared and static."""
    place.install([deb for deb in debs if deb.name.startswith("libsecretmem")])
    copy_examples(place)
    place.run("cmake", "-S", "/root/examples", "-B", "/root/build")
    place.run("cmake", "--build", "/root/build")
    for language in ["c", "cc"]:
        check_example(place, f"/root/build/{language}_secretmem", needs=True)
        check_example(place, f"/root/build/{language}_secretmem_static", needs=False)
    # Without the package there is nothing to find.
    place.apt("purge", "libsecretmem-dev")
    place.run("cmake", "-S", "/root/examples", "-B", "/root/without", status=1)


def scenario_light(place, _debs):
    """README's build from the source, by a user without rights, with no more than what README names."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=SOURCE, check=True, stdout=subprocess.PIPE).stdout
    tree = place.path("/home/user/source")
    for name in listed.decode().split("\0"):
        if name and (SOURCE / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(SOURCE / name, tree / name)
    place.run("chown", "-R", "1000:1000", "/home/user")
    commands = re.findall(r"^cmake (?:-B build|--install build).*$", (tree / "README.md").read_text(), re.M)
    if len(commands) != 2:
        sys.exit(f"README builds by {commands}")
    prefix = "/home/user/installed"
    user = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "sh", "-ec"]
    before = time.monotonic()
    place.run(*user, f"cd /home/user/source; {commands[0]}")
    print(f"# built in {time.monotonic() - before:.0f} s")
    place.run(*user, f"cd /home/user/source; {commands[1].replace('/usr/local', prefix)}")
    said = place.run(*user, f"{prefix}/bin/secretssl run --require --stats openssl version")
    if "OpenSSL" not in said or "summary: " not in said:
        sys.exit("openssl did not run under what was installed")
    if [path for path in tree.glob("build/**/*") if "criterion" in path.name or path.name.startswith("test_")]:
        sys.exit("the build has tests")


class Client(threading.Thread):
    """Asks the server again and again, and counts."""

    def __init__(self):
        super().__init__(daemon=True)
        self.good = 0
        self.errors = []
        self.ending = threading.Event()

    def run(self):
        while not self.ending.is_set():
            try:
                self.good += fetch()
            except OSError as error:
                self.errors.append(error)

    def during(self, change):
        before = self.good
        change()
        if self.good == before:
            sys.exit("no handshake took place meanwhile")


def scenario_upgrade(place, debs):
    """A protected server goes on while its packages are replaced, and removed, below it."""
    place.install(debs_in(debs[0].parent.parent / "older"))
    if f"{OLDER}-1" not in place.run("dpkg-query", "-W", "libsecretssl0"):
        sys.exit("the older version is not installed")
    identity(place)
    server = serve(place, "secretssl", "run", "--require")
    if "libsecretssl.so (deleted)" in maps(server):
        sys.exit("the preload object is gone before the upgrade")
    client = Client()
    client.start()

    said = []
    client.during(lambda: said.append(place.install(debs)))
    if "use libsecretssl.so" in said[0]:
        sys.exit("an upgrade speaks of processes, which it takes nothing from")
    if "libsecretssl.so (deleted)" not in maps(server):
        sys.exit("the upgrade did not replace the preload object")
    if OLDER in place.run("dpkg-query", "-W", *PACKAGES):
        sys.exit("not every package was upgraded")
    scan(place, server, copies=False)
    place.run("secretssl", "run", "--require", "openssl", "version")
    client.during(lambda: said.append(place.apt("purge", *PACKAGES)))
    if f"libsecretssl:   {server.pid} openssl\n" not in said[1]:
        sys.exit("the removal does not name the server, which has the object of the older package")
    fetch()

    client.ending.set()
    client.join()
    print(f"{client.good} handshakes, {len(client.errors)} failed")
    if client.errors:
        sys.exit(f"a handshake failed: {client.errors[0]}")
    if server.poll() is not None:
        sys.exit("the server ended")
    stop(server)


def scenario_hold(place, _debs):
    """For scenario_killed: processes and mounts, for ever."""
    place.start("sleep", str(MARK))
    print("holding", flush=True)
    time.sleep(MARK)


def sleepers():
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == f"sleep\0{MARK}\0".encode():
                found.append(path.parent.name)
        except OSError:
            pass
    return found


def killed(cache, work):
    """A test that is killed leaves no process and no mount."""
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    with subprocess.Popen([sys.executable, "-B", __file__, "hold", cache, work],
                          stdout=subprocess.PIPE, text=True) as test:
        until = time.monotonic() + 60
        while "holding" not in test.stdout.readline():
            if test.poll() is not None or time.monotonic() > until:
                sys.exit("the test that is to be killed did not start")
        while not sleepers():
            if time.monotonic() > until:
                sys.exit("the test that is to be killed has no process inside")
            time.sleep(0.01)
        test.kill()
    until = time.monotonic() + 30
    while sleepers():
        if time.monotonic() > until:
            sys.exit(f"still there: {sleepers()}")
        time.sleep(0.01)
    if Path("/proc/self/mountinfo").read_text(encoding="utf-8") != mounts:
        sys.exit("a mount was left")


BUILDS = {"pkg_config", "find_package", "light"}


def main():
    scenario, cache, work = sys.argv[1:]
    if scenario == "killed":
        killed(cache, work)
        return
    debs = debs_in(Path(work, "debs"))
    scratch.enter(network=scenario == "roots")
    kept = roots.made(Path(cache), debs)
    if scenario == "roots":
        return
    below = kept / ("build" if scenario in BUILDS else "base")
    globals()[f"scenario_{scenario}"](scratch.Scratch(below), debs)


if __name__ == "__main__":
    main()
