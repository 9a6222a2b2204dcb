# SPDX-License-Identifier: Apache-2.0
"""secretssl run looks at what it is to start: is it a program that can be protected?"""

import os
import struct
import sys

from harness import environment, process, report
from harness.doctor import installed

SHELL = os.path.realpath("/bin/sh")


def read(name):
    with open(name, "rb") as file:
        return file.read()


def program(env, name, change=None):
    """A copy of the shell in which something is changed."""
    path = env.path(name)
    data = bytearray(read(SHELL))
    if change:
        change(data)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, 0o755)
    return path


def interpreter(data):
    """Where the program header of the dynamic linker's name lies, and where the name."""
    at, size, count = struct.unpack_from("<Q14xHH", data, 32)
    for entry in range(at, at + size * count, size):
        kind, _, offset = struct.unpack_from("<IIQ", data, entry)
        if kind == 3:
            return entry, offset
    raise RuntimeError(f"{SHELL} has no dynamic linker")


def static(data):
    struct.pack_into("<I", data, interpreter(data)[0], 0)


def musl(data):
    name = b"/lib/ld-musl-x86.so.1\0"
    offset = interpreter(data)[1]
    data[offset:offset + len(name)] = name


def narrow(data):
    data[4] = 1


def other_machine(data):
    struct.pack_into("<H", data, 18, 8)  # MIPS


def hidden(data):
    data += b"crypto/mem" + b"_sec.c\0"


def run(env, command, *options, **more):
    return process.run(env, [env.tool, "run", *options, *command, "-c", "echo started"],
                       more.pop("environ", env.plain()), **more)


def check_refused(env, rep, command, said, title):
    for options, environ in ((["--require"], env.plain()), ([], env.plain(SECRETSSL_REQUIRE="1"))):
        result = run(env, command, *options, environ=environ)
        rep.ok(result.status == 125 and result.out == "" and result.err.count("\n") == 1
               and said in result.err and result.err.startswith("secretssl: run: "),
               f"{title}: not started", result)
    result = run(env, command)
    rep.ok("cannot be protected: " in result.err and said in result.err and result.status != 125,
           f"{title}: without --require it is only said", result)


def check_started(env, rep, command, title, **options):
    for more in [], ["--require"]:
        result = run(env, command, *more, **options)
        rep.ok(result.status == 0 and result.out == "started\n" and result.err == "",
               f"{title}: started", result)


def scenario_kinds(env, rep):
    """Programs that the dynamic linker preloads nothing into; the control is the same one unchanged."""
    check_started(env, rep, [program(env, "intact")], "the control")
    for change, said in ((static, "linked statically"), (musl, "musl"), (narrow, "32-bit"),
                         (other_machine, "another kind of machine"), (hidden, "exports no symbols")):
        check_refused(env, rep, [program(env, change.__name__, change)], said, change.__name__)


def scenario_scripts(env, rep):
    """Of a script its interpreter counts, through env(1) and interpreters that are scripts."""
    static_shell = program(env, "static", static)
    intact = program(env, "intact")
    for name, shell, state in ("bad", static_shell, "refused"), ("good", intact, "started"):
        first = env.path(name)
        second = env.path(name + "-second")
        third = env.path(name + "-third")
        for path, line in (first, f"#!{shell}"), (second, f"#! {first}"), \
                (third, f"#!/usr/bin/env {os.path.basename(shell)}"):
            with open(path, "w", encoding="ascii") as file:
                file.write(f"{line}\necho started\n")
            os.chmod(path, 0o755)
        path = f"{os.path.dirname(shell)}:{os.environ['PATH']}"
        for script in first, third:
            if state == "refused":
                result = run(env, [script], "--require", environ=env.plain(PATH=path))
                rep.ok(result.status == 125 and shell in result.err, f"{script}: refused", result)
            else:
                check_started(env, rep, [script], script, environ=env.plain(PATH=path))
        result = run(env, [second], "--require")
        rep.equal(result.status == 125, state == "refused", f"{second}: by the interpreter's interpreter")
    plain = env.path("no-first-line")
    with open(plain, "w", encoding="ascii") as file:
        file.write("echo started\n")
    os.chmod(plain, 0o755)
    check_started(env, rep, [plain], "text, which the shell runs")


def scenario_privileges(env, rep):
    """Set-id and file capabilities: for whom they are a gain, ld.so ignores the preload."""
    env.tool = installed(env)
    # cap_net_bind_service+ep, in the form that the kernel keeps
    capability = struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0)
    for title, prepare, said in (
            ("set-user-id", lambda path: os.chmod(path, 0o4755), "it is set-id"),
            ("set-group-id", lambda path: os.chmod(path, 0o2755), "it is set-id"),
            ("file capabilities", lambda path: os.setxattr(path, "security.capability", capability),
             "file capabilities")):
        path = program(env, title.replace(" ", "-"))
        prepare(path)
        result = run(env, [path], "--require", user=environment.PLAIN_USER)
        rep.ok(result.status == 125 and said in result.err and result.out == "", f"{title}: not started", result)
        result = run(env, [path], user=environment.PLAIN_USER)
        rep.ok(result.status == 0 and said in result.err and result.out == "started\n",
               f"{title}: without --require it is said", result)
        check_started(env, rep, [path], f"{title}, by whom gains nothing")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
