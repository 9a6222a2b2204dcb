# SPDX-License-Identifier: Apache-2.0
"""The removal of the package names who uses the object."""

import shutil
import sys
import time

from scratch import maps, stop


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
    # The names of programs are their own, and not the terminal's.
    shutil.copy(place.path("/bin/sleep"), place.path("/root/\x1b[2Jname"))
    users.append(place.start(*preload, "/root/\x1b[2Jname", "1000"))
    (units / "nginx.service.d").mkdir(parents=True, exist_ok=True)
    (units / "nginx.service.d/secretssl.conf").write_text("[Service]\nEnvironment=LD_PRELOAD=/x/libsecretssl.so\n")
    (units / "other.service").write_text("[Service]\nExecStart=/bin/true\n")
    until = time.monotonic() + 30
    while any("libsecretssl.so" not in maps(user) for user in users) and time.monotonic() < until:
        time.sleep(0.05)
    said = lines_of(place.apt("remove", "libsecretssl0"))
    numbers = {int(line.split()[1]) for line in said if line.startswith("libsecretssl:   ") and "and" not in line}
    if len(numbers) != 20 or not numbers < {user.pid for user in users}:
        sys.exit(f"the removal names {sorted(numbers)} of {[user.pid for user in users]}")
    if "libsecretssl:   and 3 more" not in said:
        sys.exit("the removal does not say how many it does not name")
    drop_in = "/etc/systemd/system/nginx.service.d/secretssl.conf still names it: nginx.service does not start"
    if [line for line in said if "still names it" in line and drop_in not in line] or drop_in not in said[-1]:
        sys.exit("the removal does not name the drop-in, or names another file")

    for user in users[:-1]:
        stop(user)
    place.install(object_deb)
    place.path("/etc/ld.so.preload").write_text("/usr/$LIB/libsecretssl.so\n")
    said = lines_of(place.run("dpkg", "--purge", "libsecretssl0"))
    if not any("/etc/ld.so.preload still names it" in line for line in said):
        sys.exit("the removal does not name ld.so.preload")
    if not any(line == "libsecretssl:   %d [2Jname" % users[-1].pid for line in said):
        sys.exit(f"the name is not cleaned: {said}")
