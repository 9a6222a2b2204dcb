# SPDX-License-Identifier: Apache-2.0
"""The trees of the suites: Debian's sources, fetched and built once and kept in the project's cache."""

import hashlib
import os
import re
import subprocess
from pathlib import Path

import place
from place import roots

CONFIG = """Dir::Etc::SourceList "{0}/list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "{0}/lists";
Dir::Cache "{0}/cache";
APT::Sandbox::User "root";
{1};
"""
LINE = "deb-src " + roots.LINE.removeprefix("deb ")


def cache():
    return roots.cache().parent / "suites"


def _own_release():
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    return release["VERSION_CODENAME"]


def _apt(release):
    """Environment of an apt that sees the sources of a release and leaves the machine's lists as they are."""
    directory = cache() / f"apt-{release}"
    for part in "lists/partial", "cache/archives/partial":
        (directory / part).mkdir(parents=True, exist_ok=True)
    uris = roots.mirror()
    lines = [LINE.format(uri=uris["archive"], suite=release),
             LINE.format(uri=uris["archive"], suite=f"{release}-updates")]
    if uris["security"]:
        lines.append(LINE.format(uri=uris["security"], suite=f"{release}-security"))
    (directory / "list").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (directory / "apt.conf").write_text(CONFIG.format(directory, roots.OLD), encoding="utf-8")
    environment = {**os.environ, "APT_CONFIG": str(directory / "apt.conf")}
    roots.run("apt-get", "-qq", "update", env=environment)
    return environment


def _versions(package, environment):
    """The versions of a source package, the newest first."""
    said = roots.run("apt-cache", "showsrc", "--only-source", package, env=environment, stdout=subprocess.PIPE)
    found = {line.split()[1] for line in said.splitlines() if line.startswith("Version: ")}
    ordered = roots.run("sort", "-rV", input="\n".join(found), stdout=subprocess.PIPE)
    return ordered.split()


def _fetch(suite, directory):
    """Unpacks the newest version that the mirror has, without Debian's changes: a mirror that lags lists a
    version before it has all of its files."""
    environment = _apt(suite.release or _own_release())
    for version in _versions(suite.source, environment):
        done = subprocess.run(["apt-get", "-q", "--only-source", "--download-only", "--tar-only", "source",
                               f"{suite.source}={version}"], env=environment, cwd=directory, check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        packed = [path for path in directory.glob("*.orig.tar.*") if path.suffix != ".asc"]
        if done.returncode == 0 and packed:
            (directory / "tree").mkdir()
            roots.run("tar", "-C", directory / "tree", "--strip-components=1", "-xf", packed[0])
            return
    raise roots.Failure(f"Debian's mirror has no sources of {suite.source}")


def _build(name, suite, directory):
    roots.run("rm", "-rf", "--one-file-system", directory)
    directory.mkdir(parents=True)
    if suite.source:
        _fetch(suite, directory)
    else:
        (directory / "tree").mkdir()
    if place.enter("build", directory / "tree", directory, [f"/srv/scripts/{suite.script or name}", "build"]) != 0:
        raise roots.Failure(f"{name} does not build: {directory}/output")
    (directory / "built").touch()


def key(name, suite):
    """Of the source package, and of the script's part that builds."""
    script = (place.HERE / "scripts" / (suite.script or name)).read_text(encoding="utf-8")
    part = re.search(r"^build\).*?;;$", script, re.MULTILINE | re.DOTALL)
    return hashlib.sha256(f"{suite.source} {suite.release} {part and part[0]}".encode()).hexdigest()[:12]


def built(name, suite):
    """The directory of a suite. Made anew if what builds it has changed; what an ended run has left is removed."""
    if suite.given:
        return Path(os.environ[suite.given]).resolve()
    directory = cache() / f"{key(name, suite)}-{name}"
    if not (directory / "built").exists():
        for old in cache().glob(f"????????????-{name}"):
            roots.run("rm", "-rf", "--one-file-system", old)
        _build(name, suite, directory)
    return directory / "tree"
