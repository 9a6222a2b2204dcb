# SPDX-License-Identifier: Apache-2.0
"""The inputs that are kept of a harness: an archive, because they are many, small and alike.

usage: kept.py pack ARCHIVE DIRECTORY | unpack ARCHIVE DIRECTORY | run HARNESS ARCHIVE FOUND

run gives the harness each input of the archive, each of seeds.py, and each of the directory FOUND, which
may be missing. Its status is the harness's; it is 1 if the archive has no input.
"""
import glob
import io
import lzma
import os
import subprocess
import sys
import tarfile
import tempfile

import seeds


def pack(archive, directory):
    """The same inputs give the same file."""
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(os.listdir(directory)):
            with open(os.path.join(directory, name), "rb") as file:
                content = file.read()
            info = tarfile.TarInfo(name[:16])
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    with open(archive, "wb") as file:
        file.write(lzma.compress(text.getvalue(), preset=9 | lzma.PRESET_EXTREME))


def unpack(archive, directory):
    os.makedirs(directory, exist_ok=True)
    with tarfile.open(archive, "r:xz") as tar:
        for info in tar:
            with open(os.path.join(directory, os.path.basename(info.name)), "wb") as file:
                file.write(tar.extractfile(info).read())


def run(harness, archive, found):
    with tempfile.TemporaryDirectory() as directory:
        unpack(archive, directory)
        if not os.listdir(directory):
            sys.exit(f"kept: no inputs in {archive}")
        seeds.write(os.path.basename(archive).partition(".")[0], directory)
        inputs = sorted(glob.glob(f"{directory}/*") + glob.glob(f"{found}/*"))
        status = subprocess.run([harness, f"-artifact_prefix={directory}/", *inputs], check=False).returncode
    sys.exit(status)


if __name__ == "__main__":
    {"pack": pack, "unpack": unpack, "run": run}[sys.argv[1]](*sys.argv[2:])
