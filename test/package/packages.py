#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the packages and looks at them, without installing anything.

usage: packages.py cpack BUILD WORK          makes them, and the ones of an older version
       packages.py lintian WORK
       packages.py contents WORK SYMBOLS     files, symbols and the shlibs file
       packages.py reproducible BUILD WORK SOURCE
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGES = ["libsecretmem-dev", "libsecretmem0", "libsecretssl0", "secretssl"]
OLDER = "0.0.9"
EXPECTED = {
    "libsecretssl0": ["lib/{triplet}/libsecretssl.so"],
    "libsecretmem0": ["lib/{triplet}/libsecretmem.so.0", "lib/{triplet}/libsecretmem.so.{version}"],
    "libsecretmem-dev": ["include/secretmem.h", "include/secretmem.hpp", "lib/{triplet}/libsecretmem.a",
                         "lib/{triplet}/libsecretmem.so", "lib/{triplet}/pkgconfig/secretmem.pc",
                         "lib/{triplet}/cmake/secretmem/secretmemConfig.cmake",
                         "share/doc/libsecretmem-dev/examples/secret.c"],
    "secretssl": ["bin/secretssl", "share/doc/secretssl/README.md.gz", "share/secretssl/schema/stat.schema.json",
                  "share/secretssl/prometheus/secretssl.rules.yml", "share/secretssl/grafana/secretssl-dashboard.json",
                  "lib/systemd/system/secretssl-metrics.service", "lib/systemd/system/secretssl-metrics.timer",
                  "share/bash-completion/completions/secretssl", "share/zsh/vendor-completions/_secretssl",
                  "share/fish/vendor_completions.d/secretssl.fish"],
}
# What an administrator may change, and keeps over an upgrade
CONFIGURATION = {"libsecretssl0": ["/etc/apparmor.d/abstractions/libsecretssl"],
                 "secretssl": ["/etc/logrotate.d/secretssl"]}
DOCUMENTS = ["copyright", "changelog.gz", "changelog.Debian.gz"]


def run(*command, status=0, **extra):
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, **extra)
    print("$", *command)
    print(done.stdout, end="")
    if done.returncode != status:
        sys.exit(f"{command[0]}: exit status {done.returncode}, not {status}")
    return done.stdout


def debs_in(directory):
    return sorted(Path(directory).glob("*.deb"))


def field(deb, name):
    return run("dpkg-deb", "--field", deb, name).strip()


def make(build, into, *options, **extra):
    shutil.rmtree(into, ignore_errors=True)
    run("cpack", "--config", Path(build, "CPackConfig.cmake"), "-B", into, *options, **extra)
    shutil.rmtree(Path(into, "_CPack_Packages"))
    found = [field(deb, "Package") for deb in debs_in(into)]
    if found != PACKAGES:
        sys.exit(f"cpack made {found}, not {PACKAGES}")


def cpack(build, work):
    make(build, Path(work, "debs"))
    make(build, Path(work, "older"), "-R", OLDER)


LINTIAN = ["lintian", "--profile", "debian", "--allow-root", "--fail-on", "error,warning",
           "--display-info", "--display-experimental", "--pedantic"]


def lintian(work):
    said = run(*LINTIAN, *debs_in(Path(work, "debs")), *Path(work, "debs").glob("*.ddeb"))
    # Of lesser weight, and overrides that nothing needs any more
    hints = [line for line in said.splitlines() if line[:2] in {"E:", "W:", "I:", "P:", "X:"}]
    if hints:
        sys.exit(f"lintian has {len(hints)} remarks that no override explains")
    # It looks: what is overridden is what it says otherwise.
    preload = next(Path(work, "debs").glob("libsecretssl0_*.deb"))
    if "E: libsecretssl0: sharedobject-in-library-directory-missing-soname" not in run(
            *LINTIAN, "--no-override", preload, status=2):
        sys.exit("lintian does not see what is overridden")
    # Each override has its reason above it.
    with tempfile.TemporaryDirectory() as tree:
        for deb in debs_in(Path(work, "debs")):
            run("dpkg-deb", "--extract", deb, tree)
        for path in Path(tree, "usr/share/lintian/overrides").iterdir():
            lines = path.read_text(encoding="utf-8").splitlines()
            for before, line in zip([""] + lines, lines):
                if not line.startswith("#") and not before.startswith("#"):
                    sys.exit(f"{path.name}: '{line}' has no reason above it")


def check_library(tree, deb, symbols):
    """What the control files say of the library is what the library says."""
    library = next(tree.glob("usr/lib/*/libsecretmem.so.*.*.*"))
    with tempfile.TemporaryDirectory() as empty:
        Path(empty, "debian").mkdir()
        Path(empty, "debian/control").write_text(
            "Source: x\n\nPackage: libsecretmem0\nArchitecture: any\n", encoding="ascii")
        run("dpkg-gensymbols", "-plibsecretmem0", f"-v{field(deb, 'Version')}", "-c4",
            f"-I{tree}/DEBIAN/symbols", f"-e{library}", f"-P{tree}", f"-O{empty}/symbols",
            cwd=empty)
    said = Path(tree, "DEBIAN/symbols").read_text(encoding="ascii")
    for name in Path(symbols).read_text(encoding="ascii").split():
        if not re.search(rf"^ {name}@SECRETMEM_\d+ ", said, re.M):
            sys.exit(f"the symbols file has no {name}")
    if "SONAME               libsecretmem.so.0" not in run("objdump", "-p", library):
        sys.exit("the SONAME is not libsecretmem.so.0")
    shlibs = Path(tree, "DEBIAN/shlibs").read_text(encoding="ascii")
    if not shlibs.startswith("libsecretmem 0 libsecretmem0 "):
        sys.exit("the shlibs file does not name libsecretmem.so.0")
    if Path(tree, "DEBIAN/triggers").read_text(encoding="ascii") != "activate-noawait ldconfig\n":
        sys.exit("installing does not trigger ldconfig")


def check_description(deb):
    """That of the tool has each of its commands."""
    text = field(deb, "Description")
    missing = [name for name in ("run", "doctor", "stat", "scan") if f"({name})" not in text]
    if missing:
        sys.exit(f"the description of secretssl does not name {missing}")


def contents(work, symbols):
    triplet = run("dpkg-architecture", "-qDEB_HOST_MULTIARCH").strip()
    for deb in debs_in(Path(work, "debs")):
        name, version = field(deb, "Package"), field(deb, "Version").rpartition("-")[0]
        with tempfile.TemporaryDirectory() as tree:
            run("dpkg-deb", "--raw-extract", deb, tree)
            wanted = [path.format(triplet=triplet, version=version) for path in EXPECTED[name]]
            wanted += [f"share/doc/{name}/{document}" for document in DOCUMENTS]
            for path in wanted:
                if not os.path.lexists(Path(tree, "usr", path)):
                    sys.exit(f"{name} has no /usr/{path}")
            listed = Path(tree, "DEBIAN/conffiles")
            files = listed.read_text(encoding="ascii").split() if listed.exists() else []
            if files != CONFIGURATION.get(name, []) or any(not Path(tree, file[1:]).exists() for file in files):
                sys.exit(f"{name} has the configuration {files}")
            scripts = set(os.listdir(Path(tree, "DEBIAN"))) & {"preinst", "postinst", "prerm", "postrm"}
            if scripts != ({"prerm"} if name == "libsecretssl0" else set()):
                sys.exit(f"{name} has the scripts {sorted(scripts)}")
            if name == "libsecretmem0":
                check_library(Path(tree), deb, symbols)
            if name == "secretssl":
                check_description(deb)


def sums(directory):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in Path(directory).iterdir() if path.suffix in {".deb", ".ddeb"}}


def reproducible(build, work, source):
    """Built elsewhere, at another time, by a user with other habits: the same files."""
    first = sums(Path(work, "debs"))
    elsewhere = Path(work, "elsewhere")
    shutil.rmtree(elsewhere, ignore_errors=True)
    shutil.copytree(source, elsewhere / "the source", symlinks=True, ignore=shutil.ignore_patterns(
        "build", ".git", ".cache", "kernel-patches", "__pycache__"))
    for path in elsewhere.rglob("*"):
        os.utime(path, follow_symlinks=False)
    other = dict(os.environ, TZ="Pacific/Auckland", LC_ALL="C", HOME="/nonexistent")
    kind = next(line.partition("=")[2] for line in
                Path(build, "CMakeCache.txt").read_text(encoding="utf-8").splitlines()
                if line.startswith("CMAKE_BUILD_TYPE:"))
    umask = os.umask(0o027)
    run("cmake", "-G", "Ninja", "-S", elsewhere / "the source", "-B", elsewhere / "b",
        f"-DCMAKE_BUILD_TYPE={kind}", "-DSECRETSSL_TESTS=OFF", "-DSECRETSSL_BENCH=OFF", env=other)
    run("cmake", "--build", elsewhere / "b", env=other)
    make(elsewhere / "b", elsewhere / "debs", env=other)
    os.umask(umask)
    second = sums(elsewhere / "debs")
    print(first, second, sep="\n")
    if first != second:
        sys.exit("these differ: " + ", ".join(sorted(
            name for name in first | second if first.get(name) != second.get(name))))
    # The comparison can tell: another date gives other files.
    make(elsewhere / "b", elsewhere / "dated", env=dict(other, SOURCE_DATE_EPOCH="1000000000"))
    if set(sums(elsewhere / "dated").values()) & set(first.values()):
        sys.exit("SOURCE_DATE_EPOCH changes nothing")
    shutil.rmtree(elsewhere)


if __name__ == "__main__":
    {"cpack": cpack, "lintian": lintian, "contents": contents,
     "reproducible": reproducible}[sys.argv[1]](*sys.argv[2:])
