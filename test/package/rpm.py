#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the RPM packages and runs a program under what is in them.

usage: rpm.py SOURCE WORK VERSION

Debian's rpm knows none of Debian's packages, so that what is needed for the build is not asked for."""

import shutil
import subprocess
import sys
from pathlib import Path

from packages import run

EXPECTED = {"libsecretssl", "libsecretmem", "libsecretmem-devel", "secretssl"}


def build(source, work, version):
    """Fails also if something was installed that no package has."""
    shutil.rmtree(work, ignore_errors=True)
    (work / "SOURCES").mkdir(parents=True)
    run("tar", "--create", "--xz", "--file", work / f"SOURCES/libsecretssl-{version}.tar.xz",
        "--exclude=./build", "--exclude=./.git", f"--transform=s,^[.],libsecretssl-{version},",
        "--directory", source, ".")
    run("rpmbuild", "-bb", "--nodeps", "--define", f"_topdir {work}", "--define", f"project_version {version}",
        "--define", "debug_package %{nil}", source / "packaging/rpm/libsecretssl.spec")
    return sorted((work / "RPMS").rglob("*.rpm"))


def named(packages, begin):
    return next(package for package in packages if package.name.startswith(begin))


def main():
    source, work, version = Path(sys.argv[1]), Path(sys.argv[2]) / "rpm", sys.argv[3]
    packages = build(source, work, version)
    names = {run("rpm", "--query", "--package", "--queryformat", "%{name}", package) for package in packages}
    if names != EXPECTED:
        sys.exit(f"the packages are {sorted(names)}")
    root = work / "root"
    root.mkdir()
    for package in packages:
        cpio = subprocess.run(["rpm2cpio", package], stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(["cpio", "--extract", "--make-directories", "--quiet"], input=cpio, cwd=root, check=True)
    # The tool finds the object of the same packages.
    said = run(root / "usr/bin/secretssl", "run", "--require", "--stats", "openssl", "version")
    if "OpenSSL" not in said or "libsecretssl: " not in said:
        sys.exit("openssl did not run under the object")
    scripts = run("rpm", "--query", "--package", "--scripts", named(packages, "libsecretssl-"))
    if "preuninstall scriptlet" not in scripts or "object=/usr/lib" not in scripts:
        sys.exit("the removal does not name who uses the object")
    listed = run("rpm", "--query", "--package", "--configfiles",
                 named(packages, "secretssl-"))
    if listed.split() != ["/etc/logrotate.d/secretssl"]:
        sys.exit(f"the configuration of secretssl is {listed.split()}")


if __name__ == "__main__":
    main()
