# SPDX-License-Identifier: Apache-2.0
"""What zsh and fish propose when the tab key is hit behind some words."""

import os
import pty
import re
import select
import subprocess
import time

from . import process


class Fish:
    name = "fish"

    def __init__(self, env, directory):
        self.env, self.directory = env, directory

    def complete(self, *words):
        """The last of the words is the one that was begun."""
        line = " ".join(("secretssl", *words))
        code = f"set fish_complete_path {self.directory}; complete --do-complete '{line}'"
        # fish completes only commands that it finds.
        environ = self.env.plain(TERM="dumb")
        environ["PATH"] = f"{os.path.dirname(self.env.tool)}:{environ['PATH']}"
        result = process.run(self.env, ["fish", "--no-config", "-c", code], environ)
        return {line.partition("\t")[0] for line in result.out.splitlines()} - {"--usage"}

    @staticmethod
    def value(option, value):
        return option + value


# Each match goes to a file. Calls that only compute (-A, -D, -O) are not of matches.
ZSH = r"""
PS1='ready> '
fpath=(%(directory)s $fpath)
autoload -Uz compinit && compinit -u -D
zstyle ':completion:*' verbose no
LISTMAX=10000
unsetopt auto_list
compadd() {
    local word
    local -a hits
    for word in "$@"; do
        [[ $word == (-|--) ]] && break
        [[ $word == -[a-zA-Z]#[ADO]* ]] && { builtin compadd "$@"; return }
    done
    builtin compadd -A hits "$@"
    print -rl -- $hits >>%(output)s
    builtin compadd "$@"
}
finish() { zle complete-word; print done >>%(output)s; zle kill-whole-line }
zle -N finish
bindkey '^I' finish
"""


class Zsh:
    """Completion works in a line editor only, and that only on a terminal."""

    name = "zsh"

    def __init__(self, env, directory):
        self.output = env.path("completed")
        script = env.path("setup.zsh")
        with open(script, "w", encoding="utf-8") as file:
            file.write("setopt extended_glob\n" + ZSH % {"directory": directory, "output": self.output})
        self.ours, its = pty.openpty()
        self.shell = subprocess.Popen(["zsh", "-f", "-i"], stdin=its, stdout=its, stderr=its, start_new_session=True,
                                      env=env.plain(TERM="xterm"), cwd=env.directory)
        os.close(its)
        self.type(f"source {script}\n")
        self.read_until(rb"ready> ")

    def type(self, text):
        os.write(self.ours, text.encode())

    def read_until(self, pattern, seconds=20):
        output, end = b"", time.monotonic() + seconds * process.SLOWNESS
        while not re.search(pattern, output):
            if not select.select([self.ours], [], [], max(0, end - time.monotonic()))[0]:
                raise RuntimeError(f"zsh: no {pattern!r} in {output!r}")
            output += os.read(self.ours, 65536)

    def drain(self):
        while select.select([self.ours], [], [], 0)[0]:
            os.read(self.ours, 65536)

    def complete(self, *words):
        if os.path.exists(self.output):
            os.unlink(self.output)
        self.type(" ".join(("secretssl", *words)) + "\t")

        def lines():
            self.drain()
            return process.text_of(self.output).split("\n")

        if not process.wait_until(lambda: "done" in lines(), 20):
            raise RuntimeError(f"zsh completes nothing behind {words}")
        return set(lines()) - {"", "done"}

    @staticmethod
    def value(_option, value):
        return value
