# SPDX-License-Identifier: Apache-2.0
"""Where messages go: stderr while it is stderr, a file, syslog, nowhere."""

import os
import re
import sys

from harness import environment, process, report

# A process with so small an arena has something to say.
SMALL = {"SECRETSSL_ARENA_SIZE": "64K"}

SYSLOG = """\
import os, socket, subprocess, sys
# /dev of our own, for a /dev/log of our own.
for name in "null", "zero", "random", "urandom":
    open(f"dev/{name}", "w").close()
    subprocess.run(["mount", "--bind", f"/dev/{name}", f"dev/{name}"], check=True)
subprocess.run(["mount", "--bind", "dev", "/dev"], check=True)
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/dev/log")
child = subprocess.run(sys.argv[2:], env={"LD_PRELOAD": sys.argv[1], "SECRETSSL_LOG": "syslog",
                                          "SECRETSSL_ARENA_SIZE": "64K"})
log.setblocking(False)
print("status", child.returncode)
try:
    while True:
        print("datagram", log.recv(4096).decode())
except BlockingIOError:
    pass
"""


def overfill(env, case="stderr_kept", **settings):
    return process.run(env, [env.helper("descriptors"), "secret", case],
                       env.preloaded(**SMALL, **settings))


def scenario_stderr(env, rep):
    result = overfill(env)
    rep.ok(result.status == 0 and len(result.messages) == 1 == len(result.err.splitlines())
           and f"[{result.pid}]" in result.err, "one line on stderr", result)


def scenario_replaced_stderr(env, rep):
    """The number 2 belongs to a data file by now: not a byte of ours gets into it."""
    result = overfill(env, "stderr_replaced")
    process.take_over(rep, result, "stderr replaced")
    rep.equal(result.err, "", "nor on what was stderr")


def scenario_file(env, rep):
    name = env.path("log file")
    for run in 1, 2:
        result = overfill(env, SECRETSSL_LOG=name)
        rep.equal((result.status, result.err), (0, ""), f"run {run}: nothing on stderr")
        with open(name, encoding="utf-8") as file:
            lines = file.read().splitlines()
        rep.ok(len(lines) == run and process.MESSAGE.fullmatch(lines[-1])
               and f"[{result.pid}]" in lines[-1], f"run {run}: one line more in the file", lines)
    rep.equal(os.stat(name).st_mode & 0o022, 0, "nobody else may write to it")


def scenario_linked_file(env, rep):
    """A symbolic link may be another user's: nothing is written to what it points to."""
    for target in "precious", "none":
        os.symlink(env.path(target), env.path(f"to {target}"))
    with open(env.path("precious"), "w", encoding="ascii"):
        pass
    for target in "precious", "none":
        result = overfill(env, SECRETSSL_LOG=env.path(f"to {target}"))
        rep.ok(result.status == 0 and len(result.messages) == 1, f"to {target}: on stderr", result)
    rep.equal(os.path.getsize(env.path("precious")), 0, "the file is as it was")
    rep.ok(not os.path.exists(env.path("none")), "none is made")


# What the whole machine would have in /etc, for one program, as another user
SET_ID = 'mount --bind "$1" /etc && shift && exec setpriv --reuid %d --clear-groups "$@"'


def scenario_set_id(env, rep):
    """Settings of whoever starts a set-id program reach neither it nor what it starts."""
    os.mkdir(env.path("etc"))
    program = env.reachable("/usr/bin/env")
    with open(env.path("etc/ld.so.preload"), "w", encoding="ascii") as file:
        file.write(env.reachable(env.preload) + "\n")
    command = ["unshare", "-m", "sh", "-c", SET_ID % environment.PLAIN_USER, "sh", env.path("etc")]
    settings = {"SECRETSSL_LOG": env.path("log"), "SECRETSSL_STATS": "1", "SECRETSS": "x", "XSECRETSSL_LOG": "y"}
    for mode in 0o755, 0o4755:
        os.chmod(program, mode)
        for arguments in ([], ["/usr/bin/env"]):
            result = process.run(env, [*command, program, *arguments], env.plain(**settings))
            found = {name for name in settings if re.search(f"^{name}=", result.out, re.M)}
            wanted = settings.keys() if mode == 0o755 else {"SECRETSS", "XSECRETSSL_LOG"}
            rep.equal((result.status, result.err, found), (0, "", set(wanted)),
                      f"{mode:o}: what {'its child' if arguments else 'it'} has of the settings")
            rep.ok("PATH=" in result.out, "the rest is there", result)


def scenario_unused_file(env, rep):
    """Nothing to say: the file is not made."""
    result = process.run(env, ["openssl", "version"],
                         env.preloaded(SECRETSSL_LOG=env.path("unused")))
    rep.equal((result.status, result.err), (0, ""), "openssl version")
    rep.ok(not os.path.exists(env.path("unused")), "no file")


def scenario_none(env, rep):
    result = overfill(env, SECRETSSL_LOG="none")
    rep.equal((result.status, result.err), (0, ""), "nothing is said")
    result = process.run(env, ["openssl", "version"],
                         env.preloaded(SECRETSSL_LOG="none", SECRETSSL_STATS="1"))
    rep.equal((result.status, result.err), (0, ""), "not even a summary")


def scenario_syslog(env, rep):
    """A /dev/log of our own in a mount namespace receives the message."""
    os.mkdir(env.path("dev"))
    with open(env.path("log.py"), "w", encoding="ascii") as file:
        file.write(SYSLOG)
    result = process.run(
        env, ["unshare", "--mount", "--propagation", "private", sys.executable, "-B",
              env.path("log.py"), env.preload, env.helper("descriptors"), "secret",
              "stderr_kept"], env.plain())
    rep.ok("status 0" in result.out and result.err == "", "nothing on stderr", result)
    datagrams = re.findall(r"^datagram (.*)$", result.out, re.M)
    rep.ok(len(datagrams) == 1 and re.match(r"<\d+>", datagrams[0])
           and "libsecretssl" in datagrams[0] and "SECRETSSL_ARENA_SIZE" in datagrams[0],
           "one datagram with a priority", result)


def scenario_syslog_absent(env, rep):
    """No /dev/log, or nobody behind it: the message is not lost, and nothing breaks."""
    result = process.run(env, ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                               'mount -t tmpfs none /run && "$@"', "sh",
                               env.helper("descriptors"), "secret", "stderr_kept"],
                         env.preloaded(SECRETSSL_LOG="syslog", **SMALL))
    rep.ok(result.status == 0 and len(result.messages) == 1 == len(result.err.splitlines()),
           "one line on stderr instead", result)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
