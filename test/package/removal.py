# SPDX-License-Identifier: Apache-2.0
"""The removal of the package names who uses the object."""

import os
import shutil
import sys
import time

from scratch import maps, stop

MARK = "# Written by 'secretssl enable'; 'secretssl disable nginx.service' removes it.\n[Unit]\n"


def lines_of(said):
    return [line for line in said.splitlines() if line.startswith("libsecretssl: ")]


def scenario_removal(place, debs):
    """The removal names the processes that use the object and the files that ask for it, and nothing else."""
    object_deb = [deb for deb in debs if deb.name.startswith("libsecretssl0")]
    preload = ["env", "LD_PRELOAD=libsecretssl.so"]
    units = place.path("/etc/systemd/system")
    place.install(object_deb)
    if lines_of(place.apt("purge", "libsecretssl0")):
        sys.exit("the removal speaks though nothing uses the object")

    place.install(object_deb)
    users = [place.start(*preload, "sleep", "1000") for _ in range(22)]
    place.start("sleep", "1001")
    # The names of programs are their own, and neither the terminal's nor lines of the script.
    shutil.copy(place.path("/bin/sleep"), place.path("/root/\x1b[2Ja\n1 b"))
    users.append(place.start(*preload, "/root/\x1b[2Ja\n1 b", "1000"))
    line = "[Service]\nEnvironment=LD_PRELOAD=/x/libsecretssl.so\n"
    for name, text in (("nginx.service.d/secretssl.conf", MARK + "AssertPathExists=/x/libsecretssl.so\n" + line),
                       ("web.service.d/secretssl.conf", line), ("other.service", "[Service]\nExecStart=/bin/true\n"),
                       ("comment.service", "# libsecretssl.so\n")):
        (units / name).parent.mkdir(parents=True, exist_ok=True)
        (units / name).write_text(text)
    # Units may be links to what users have.
    os.mkfifo(place.path("/root/fifo"))
    (units / "fifo.service").symlink_to("/root/fifo")
    until = time.monotonic() + 30
    while any("libsecretssl.so" not in maps(user) for user in users) and time.monotonic() < until:
        time.sleep(0.05)
    said = lines_of(place.apt("remove", "libsecretssl0"))
    numbers = {int(line.split()[1]) for line in said if line.startswith("libsecretssl:   ") and "and" not in line}
    if len(numbers) != 20 or not numbers < {user.pid for user in users}:
        sys.exit(f"the removal names {sorted(numbers)} of {[user.pid for user in users]}")
    if "libsecretssl:   and 3 more" not in said:
        sys.exit("the removal does not say how many it does not name")
    named = [line.removeprefix("libsecretssl: /etc/systemd/system/") for line in said if "still names it" in line]
    if [line.partition(",")[0] for line in named] != [
            "nginx.service.d/secretssl.conf still names it: nginx.service does not start without it",
            "web.service.d/secretssl.conf still names it: what it starts has no protection without it; take it out"]:
        sys.exit(f"the removal names these files: {named}")

    for user in users[:-1]:
        stop(user)
    place.install(object_deb)
    place.path("/etc/ld.so.preload").write_text("/usr/$LIB/libsecretssl.so\n")
    said = lines_of(place.run("dpkg", "--purge", "libsecretssl0"))
    if not any("/etc/ld.so.preload still names it" in line for line in said):
        sys.exit("the removal does not name ld.so.preload")
    if not any(line == "libsecretssl:   %d [2Ja1 b" % users[-1].pid for line in said):
        sys.exit(f"the name is not cleaned: {said}")
