# SPDX-License-Identifier: GPL-2.0-only
"""What has passed, in the lab's cache: a file for each part, with what it depended on."""
import glob
import hashlib
import json
import os
import subprocess

PACKAGES = ("qemu-system-x86", "gcc", "libc6", "nginx", "openssl", "python3")


def add_file(digest, name, path):
    with open(path, "rb") as file:
        data = file.read()
    if path.endswith(".patch"):
        # A changelog does not change a kernel.
        data = data.split(b"\n---\n", 1)[-1]
    digest.update(f"{name} {len(data)} ".encode() + data)


class Memory:
    def __init__(self, lab, base, debug, quick):
        patches = os.path.dirname(lab)
        self.directory = os.path.join(subprocess.run(
            [os.path.join(os.path.dirname(patches), "scripts/cache")], check=True,
            stdout=subprocess.PIPE, text=True).stdout.strip(), "kernel")
        self.base, self.debug, self.quick = base, debug, quick
        self.everything, self.more = hashlib.sha256(), {}
        self.everything.update(subprocess.run(
            ["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *PACKAGES],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout)
        self.everything.update(subprocess.run([f"{lab}/verified", "newest", base], check=True,
                                              stdout=subprocess.PIPE).stdout)
        for directory in (lab, os.path.join(patches, base)):
            for path in sorted(filter(os.path.isfile, glob.glob(f"{directory}/**", recursive=True))):
                if not path.endswith((".md", ".pyc", "verified.json")):
                    add_file(self.everything, os.path.relpath(path, patches), path)

    def depends(self, part, *paths):
        """A part depends on these files too."""
        self.more[part] = paths

    def key(self, part):
        digest = self.everything.copy()
        for path in self.more.get(part, ()):
            add_file(digest, part, path)
        return digest.hexdigest()

    def path(self, part, quick):
        words = ["checked", self.base, part]
        words += [mode for mode, is_on in (("debug", self.debug), ("quick", quick)) if is_on]
        return os.path.join(self.directory, "-".join(words))

    def recall(self, part):
        """The texts of the results of a part that passed, or None. What passed in full will do
        where it need only be quick."""
        for quick in (False, True) if self.quick else (False,):
            try:
                with open(self.path(part, quick), encoding="utf-8") as file:
                    kept = json.load(file)
            except (OSError, ValueError):
                continue
            if kept["key"] == self.key(part):
                return kept["results"]
        return None

    def keep(self, part, results):
        path = self.path(part, self.quick)
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump({"key": self.key(part), "results": results}, file)
        os.rename(path + ".new", path)
