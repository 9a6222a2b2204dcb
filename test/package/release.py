#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Releases a copy of the sources twice, in two places, with a key made for this, and compares.

usage: release.py SOURCE WORK VERSION
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

DATE = "2026-01-02"
FILES = ["SHA256SUMS", "SHA256SUMS.asc", "libsecretssl-{}.spdx", "libsecretssl-{}.tar.xz"]


class Place:
    """A clone with its own key and identity."""

    def __init__(self, source, work):
        shutil.rmtree(work, ignore_errors=True)
        self.tree, keys = work / "tree", work / "keys"
        keys.mkdir(parents=True, mode=0o700)
        self.environ = {**os.environ, "GNUPGHOME": str(keys), "HOME": str(work), "TZ": work.name}
        for who in "AUTHOR", "COMMITTER":
            self.environ |= {f"GIT_{who}_NAME": "Tester", f"GIT_{who}_EMAIL": "tester@example.invalid",
                             f"GIT_{who}_DATE": f"{DATE}T12:00:00 +0000"}
        # What is checked out, with its changes, as one commit
        self.run("sh", "-c", f"cd {source} && git ls-files -z --cached --others --exclude-standard | "
                 f"xargs -0 sh -c 'for f; do [ ! -e \"$f\" ] || echo \"$f\"; done' sh | "
                 f"tar --create --files-from - | (mkdir {self.tree} && tar --extract --directory {self.tree})", at=work)
        self.run("git", "init", "--quiet")
        self.commit()
        self.run("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", "tester@example.invalid")

    def run(self, *command, status=0, at=None):
        done = subprocess.run([str(word) for word in command], env=self.environ, cwd=at or self.tree, text=True,
                              check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        print("#", *command)
        print(done.stdout, end="", flush=True)
        if done.returncode != status:
            sys.exit(f"{command[0]}: exit status {done.returncode}, not {status}")
        return done.stdout

    def end(self):
        """GnuPG has started an agent."""
        self.run("gpgconf", "--kill", "all")

    def commit(self):
        self.run("git", "add", "--all")
        self.run("git", "-c", "commit.gpgsign=false", "commit", "--quiet", "--message", "what is released")

    def edit(self, name, old, new):
        path = self.tree / name
        text = path.read_text(encoding="utf-8")
        if old not in text:
            sys.exit(f"{name} has no '{old}'")
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def refuses(self, wanted, *options):
        said = self.run("./scripts/release", *(options or ("--key", "tester@example.invalid")), status=1)
        if wanted not in said or self.run("git", "tag"):
            sys.exit(f"no line with '{wanted}', or a tag was made")

    def release(self, output):
        self.run("./scripts/release", "--key", "tester@example.invalid", "--output", output)
        return output


def refusals(place, version):
    """Each thing that is not as it must be: one line, and nothing is made."""
    place.refuses("no key is given", "--output", "x")
    place.refuses("GnuPG has no secret key 'nobody'", "--key", "nobody")
    place.refuses(f"a release needs '## {version} (YEAR-MONTH-DAY)'")
    place.edit("CHANGELOG.md", f"## {version} (unreleased)", f"## {version} ({DATE})")
    place.refuses("the checkout has changes")
    place.edit("packaging/debian/changelog", f"({version}-1)", "(9.9.9-1)")
    place.commit()
    place.refuses("packaging/debian/changelog has version 9.9.9-1")
    place.edit("packaging/debian/changelog", "(9.9.9-1)", f"({version}-1)")
    place.run("git", "reset", "--quiet", "--soft", "HEAD^")
    place.run("git", "add", "--all")
    place.run("git", "-c", "commit.gpgsign=false", "commit", "--quiet", "--amend", "--no-edit")


def compare(one, other, work, version):
    refusals(one, version)
    other.edit("CHANGELOG.md", f"## {version} (unreleased)", f"## {version} ({DATE})")
    other.run("git", "-c", "commit.gpgsign=false", "commit", "--quiet", "--all", "--amend", "--no-edit")
    first, second = one.release(work / "first"), other.release(work / "second")
    names = [name.format(version) for name in FILES]
    if sorted(path.name for path in first.iterdir()) != names:
        sys.exit(f"the files are {sorted(path.name for path in first.iterdir())}")
    for name in names:
        same = (first / name).read_bytes() == (second / name).read_bytes()
        if same == name.endswith(".asc"):
            sys.exit(f"{name}: {'the same' if same else 'not the same'} in both places")
    one.run("git", "tag", "--verify", f"v{version}")
    one.run("gpg", "--verify", first / "SHA256SUMS.asc", first / "SHA256SUMS")
    one.run("sha256sum", "--check", "--strict", "SHA256SUMS", at=first)
    again = one.run("./scripts/release", "--key", "tester@example.invalid", status=1)
    if f"the tag v{version} is there already" not in again:
        sys.exit("a second release was not refused for its tag")
    listed = (first / f"libsecretssl-{version}.spdx").read_text(encoding="utf-8")
    for wanted in ("FileName: ./preload/preload.c", "PackageName: jansson", f"PackageVersion: {version}"):
        if wanted not in listed:
            sys.exit(f"the SBOM has no '{wanted}'")
    # The signature is worth something: a changed archive is found.
    with open(first / names[3], "ab") as file:
        file.write(b"x")
    one.run("sha256sum", "--check", "--strict", "SHA256SUMS", status=1, at=first)


def main():
    source, work, version = Path(sys.argv[1]), Path(sys.argv[2]) / "released", sys.argv[3]
    shutil.rmtree(work, ignore_errors=True)
    places = []
    try:
        for name in "Asia-Tokyo", "UTC":
            places.append(Place(source, work / name))
        compare(*places, work, version)
    finally:
        for place in places:
            place.end()


if __name__ == "__main__":
    main()
