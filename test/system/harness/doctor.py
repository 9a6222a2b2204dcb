# SPDX-License-Identifier: Apache-2.0
"""What `secretssl doctor` says, and machines that are not as this one is."""

import json
import os
import shlex

from . import environment, process

USER = {"user": environment.PLAIN_USER}
VERDICTS = ("ok", "note", "warning", "failed", "unknown")


class Diagnosis:
    """The answer as JSON: its checks by name, its processes by number, its exit status."""

    def __init__(self, result):
        if not result.out.startswith("{"):
            raise RuntimeError(f"no diagnosis: {result}")
        answer = json.loads(result.out)
        self.result, self.works, self.status = result, answer["works"], result.status
        self.checks = {one["check"]: one for one in answer["checks"]}
        self.processes = {one["pid"]: one for one in answer["processes"]}

    def verdict(self, name):
        return self.checks[name]["verdict"]

    def found(self, name):
        return self.checks[name]["found"]

    def lines(self, name):
        """The lines that are to be put somewhere."""
        return [one["line"] for one in self.checks[name]["remedies"]]

    def __str__(self):
        said = [f"{one['verdict']} {name}: {one['found']}" for name, one in self.checks.items()]
        return "\n".join([f"status {self.status} after {self.result.seconds:.2f} s", *said,
                          *map(str, self.processes.values()), self.result.err])


def expect(rep, found, check, verdict, *lines):
    """The verdict, and for each text a line to put somewhere that begins with it."""
    rep.equal(found.verdict(check), verdict, f"{check}: {verdict}")
    missing = [line for line in lines if not any(one.startswith(line) for one in found.lines(check))]
    rep.ok(not missing, f"{check}: says what to do", f"no {missing} in {found.lines(check)}")


def doctor(env, *arguments, wrapper=(), tool=None, environ=None, **options):
    command = [*wrapper, tool or env.tool, "doctor", "--json", *map(str, arguments)]
    return Diagnosis(process.run(env, command, environ or env.plain(), **options))


def elsewhere(files=None, system=None):
    """A wrapper for a machine where some files hold something else (a dictionary), and where
    /sys is nothing but the second dictionary."""
    script = ["set -e"]
    if system is not None:
        script.append("mount -t tmpfs none /sys")
        for name, text in system.items():
            script.append(f"mkdir -p /sys/{os.path.dirname(name)}")
            script.append(f"printf '%s\\n' {shlex.quote(text)} >/sys/{name}")
    for number, (name, text) in enumerate((files or {}).items()):
        script.append(f"printf '%s\\n' {shlex.quote(text)} >fake{number}")
        script.append(f"mount --bind fake{number} {name}")
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c",
            "\n".join([*script, 'exec "$@"']), "sh"]


def installed(env, preload=True):
    """The tool and the object where every user may reach them: the tool's path."""
    for name in "bin", "lib":
        os.makedirs(env.path(name), exist_ok=True)
    for source, name in ((env.tool, "bin"), (env.preload, "lib"))[:1 + preload]:
        target = env.path(os.path.join(name, os.path.basename(source)))
        with open(source, "rb") as file:
            content = file.read()
        with open(target, "wb") as file:
            file.write(content)
        os.chmod(target, 0o755)
    return env.path("bin/secretssl")
