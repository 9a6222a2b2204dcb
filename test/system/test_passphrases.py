# SPDX-License-Identifier: Apache-2.0
"""Passphrases of key files: what an observer finds of them in a server that has read its key, without
the preload and with it. The numbers are those of docs/passphrases.md."""

import os
import pty
import re
import secrets
import subprocess
import sys

from harness import keys, memory, process, report, table, tls
from harness.nginx import Nginx

PAGE = os.path.join(table.TOP, "docs", "passphrases.md")
ROW = re.compile(r"^\| ([^|]+) \| (\d+) \| (\d+) \|", re.M)


def rows():
    with open(PAGE, encoding="utf-8") as file:
        return {name: (int(without), int(left)) for name, without, left in ROW.findall(file.read())}


class Locked(keys.Identity):
    """An RSA key in a file with a passphrase."""

    def __init__(self, env):
        super().__init__(env, "rsa")
        self.passphrase = secrets.token_hex(16)
        self.locked = env.path("locked.key")
        subprocess.run(["openssl", "pkey", "-in", self.key, "-aes256", "-passout", "stdin", "-out", self.locked],
                       input=self.passphrase.encode(), check=True, timeout=60, env=env.plain())

    def file(self, env):
        name = env.path("passphrase")
        with open(name, "w", encoding="ascii") as file:
            file.write(self.passphrase + "\n")
        return name


def pipe_with(text):
    reader, writer = os.pipe()
    os.write(writer, text.encode() + b"\n")
    os.close(writer)
    return reader


def s_server(env, identity, environ, *options, **more):
    port = tls.free_port()
    child = process.Child(env, ["openssl", "s_server", "-quiet", "-port", str(port), "-cert", identity.certificate,
                                "-key", identity.locked, *options], environ, **more)
    client = tls.context(identity)

    def answers():
        try:
            tls.connect(port, client).close()
            return True
        except OSError:
            return not process.alive(child.pid)
    process.wait_until(answers, 20)
    return child


def by_argument(env, identity, environ):
    return s_server(env, identity, environ, "-pass", "pass:" + identity.passphrase)


def by_variable(env, identity, environ):
    return s_server(env, identity, {**environ, "KEY_PASSPHRASE": identity.passphrase}, "-pass", "env:KEY_PASSPHRASE")


def by_file(env, identity, environ):
    return s_server(env, identity, environ, "-pass", "file:" + identity.file(env))


def by_descriptor(env, identity, environ):
    reader = pipe_with(identity.passphrase)
    return s_server(env, identity, environ, "-pass", f"fd:{reader}", pass_fds=(reader,))


def by_stdin(env, identity, environ):
    return s_server(env, identity, environ, "-pass", "stdin", stdin=pipe_with(identity.passphrase))


def by_prompt(env, identity, environ):
    """OpenSSL asks on the terminal, /dev/tty."""
    ours, theirs = pty.openpty()

    def own_terminal():
        os.setsid()
        os.close(os.open(os.ttyname(theirs), os.O_RDWR))
    os.write(ours, identity.passphrase.encode() + b"\n")
    child = s_server(env, identity, environ, setup=own_terminal, pass_fds=(theirs,))
    child.terminal = ours, theirs
    return child


def by_prompt_without_terminal(env, identity, environ):
    """There is no terminal, so OpenSSL asks on stdin."""
    return s_server(env, identity, environ, setup=os.setsid, stdin=pipe_with(identity.passphrase))


def count(child_pids, passphrase):
    return [where for pid in child_pids for _, where in memory.find(pid, [passphrase.encode()])]


def agree(rep, name, protected, found, title):
    """Another OpenSSL may leave one copy more or less without the preload."""
    said = rows()[name]
    if protected:
        rep.equal(found, said[1], f"{title}: copies, as docs/passphrases.md says")
    else:
        rep.equal(found > 0, said[0] > 0, f"{title}: copies or none, as docs/passphrases.md says")


def check(env, rep, name, begin):
    identity = Locked(env)
    for protected in False, True:
        title = f"{name} " + ("with the preload" if protected else "without")
        child = begin(env, identity, env.chosen(protected))
        rep.equal(memory.is_protected(child.pid), protected, f"{title}: runs, with secret memory or none")
        found = count([child.pid], identity.passphrase)
        rep.note(f"{title}: {len(found)}: {sorted(set(found))}")
        agree(rep, name, protected, len(found), title)
        rep.equal(child.stop().messages, [], f"{title}: no message")


def scenario_nginx(env, rep):
    """ssl_password_file: nginx reads the file itself, for each key."""
    identity = Locked(env)
    identity.key = identity.locked
    for protected in False, True:
        title = "nginx " + ("with the preload" if protected else "without")
        server = Nginx(env, [identity], env.chosen(protected), server=f"ssl_password_file {identity.file(env)};")
        rep.ok(b"hello" in tls.fetch(server.port, tls.context(identity)), f"{title}: answers")
        found = count([server.master, *server.workers()], identity.passphrase)
        rep.note(f"{title}: {len(found)}: {sorted(set(found))}")
        agree(rep, "nginx, `ssl_password_file`", protected, len(found), title)
        server.stop()


def scenario_argument(env, rep):
    check(env, rep, "`-pass pass:`", by_argument)


def scenario_variable(env, rep):
    check(env, rep, "`-pass env:`", by_variable)


def scenario_file(env, rep):
    check(env, rep, "`-pass file:`", by_file)


def scenario_descriptor(env, rep):
    check(env, rep, "`-pass fd:`", by_descriptor)


def scenario_stdin(env, rep):
    check(env, rep, "`-pass stdin`", by_stdin)


def scenario_prompt(env, rep):
    check(env, rep, "prompt on a terminal", by_prompt)


def scenario_prompt_without_terminal(env, rep):
    check(env, rep, "prompt without a terminal", by_prompt_without_terminal)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
