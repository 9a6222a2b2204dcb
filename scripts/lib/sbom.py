#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Prints what a release consists of and what it needs, as SPDX: the files by the tool reuse, in an order and
with a date that are the same each time, and the packages that the objects load or are linked with.

usage: sbom.py DIRECTORY VERSION SECONDS
"""

import re
import subprocess
import sys
import time

NAMESPACE = "https://libsecretssl.invalid/spdx/libsecretssl-{}"
OURS = "SPDXRef-Package-libsecretssl"
# name, licence, how it is related, and which object needs it
NEEDS = (
    ("glibc", "LGPL-2.1-or-later", "DYNAMIC_LINK", "libsecretssl.so, libsecretmem.so.0, secretssl"),
    ("openssl", "Apache-2.0", "DYNAMIC_LINK", "secretssl; libsecretssl.so serves it and does not link it"),
    ("jansson", "MIT", "DYNAMIC_LINK", "secretssl"),
    ("libunwind", "MIT", "OPTIONAL_COMPONENT_OF", "libsecretssl.so and libsecretmem.so.0 load it for call stacks"),
)


def by_reuse(directory):
    """The records of the files and the texts of licences, as reuse prints them."""
    said = subprocess.run(["reuse", "--root", directory, "spdx"], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True).stdout
    records = re.split(r"\n\n+", said.strip())
    files = sorted(record for record in records if record.startswith("FileName: "))
    return files, sorted(record for record in records[1:] if not record.startswith("FileName: "))


def package(name, version, licence, identifier):
    return "\n".join((f"PackageName: {name}", f"SPDXID: {identifier}", f"PackageVersion: {version}",
                      "PackageDownloadLocation: NOASSERTION", "FilesAnalyzed: false",
                      f"PackageLicenseConcluded: {licence}", f"PackageLicenseDeclared: {licence}",
                      "PackageCopyrightText: NOASSERTION"))


def main():
    directory, version, seconds = sys.argv[1:]
    files, licences = by_reuse(directory)
    if not files:
        sys.exit(f"sbom: {directory} has no files")
    head = [
        "SPDXVersion: SPDX-2.1", "DataLicense: CC0-1.0", "SPDXID: SPDXRef-DOCUMENT",
        f"DocumentName: libsecretssl-{version}", f"DocumentNamespace: {NAMESPACE.format(version)}",
        "Creator: Organization: libsecretssl ()", "Creator: Tool: reuse",
        time.strftime("Created: %Y-%m-%dT%H:%M:%SZ", time.gmtime(int(seconds))),
        f"Relationship: SPDXRef-DOCUMENT DESCRIBES {OURS}"]
    head += [f"Relationship: {OURS} CONTAINS {re.search('^SPDXID: (.*)$', one, re.M)[1]}" for one in files]
    for name, _, how, who in NEEDS:
        other = f"SPDXRef-Package-{name}"
        head += [f"Relationship: {other} {how} {OURS}" if how.endswith("_OF") else f"Relationship: {OURS} {how} {other}",
                 f"RelationshipComment: <text>{who}</text>"]
    needed = [package(name, "NOASSERTION", licence, f"SPDXRef-Package-{name}") for name, licence, *_ in NEEDS]
    ours = package("libsecretssl", version, "Apache-2.0", OURS)
    print("\n\n".join(["\n".join(head), ours, *needed, *files, *licences]))


if __name__ == "__main__":
    main()
