# SPDX-License-Identifier: Apache-2.0
"""What comes with the tool: completion for bash and the manual page, which know all of it."""

import json
import os
import re
import subprocess
import sys

from harness import environment, process, report

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMPLETION = os.path.join(ROOT, "tools", "secretssl", "secretssl.bash")
COMMANDS = "run", "doctor", "stat", "scan", "enable", "disable", "status"

# What bash does when the tab key is hit behind the words
COMPLETE = """\
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
function=$(complete -p secretssl | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
"$function" secretssl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(env, *words, cwd=None):
    result = process.run(env, ["bash", "-c", COMPLETE, "bash", COMPLETION, "secretssl", *words],
                         env.plain(), cwd=cwd)
    if result.status != 0 or result.err:
        raise RuntimeError(f"completing {words}: {result}")
    return set(result.out.split("\n")) - {""}


def options(env, command):
    """Those that --help describes, but for argp's own --usage."""
    text = process.run(env, [env.tool, command, "--help"], env.plain()).out
    return set(re.findall(r"^ +(?:-\S, )? *(--[a-z][a-z-]*)", text, re.M)) - {"--usage"}


def scenario_completion(env, rep):
    rep.equal(complete(env, ""), {*COMMANDS, "--help", "--version"}, "commands")
    rep.equal(complete(env, "s"), {"stat", "scan", "status"}, "commands that begin with s")
    for command in COMMANDS:
        rep.equal(complete(env, command, "-") - {"--"}, options(env, command), f"options of {command}")
    rep.equal(complete(env, "stat", "--p"), {"--prometheus"}, "what is begun")
    rep.equal(complete(env, "run", "--uncached", ""), {"off", "prefer", "require"}, "a word to choose")
    rep.equal(complete(env, "run", "--uncached", "=", "p"), {"prefer"}, "behind =")
    rep.equal(complete(env, "run", "--uncached", "="), {"off", "prefer", "require"}, "right behind =")
    rep.equal(complete(env, "run", "--route", "k"), {"keys"}, "another")
    for command in "doctor", "stat", "scan":
        rep.ok(str(os.getpid()) in complete(env, command, str(os.getpid())[:2]), f"{command}: processes")
    os.mkdir(env.path("files"))
    for name in "some.key", "other":
        with open(os.path.join(env.path("files"), name), "w", encoding="ascii"):
            pass
    rep.equal(complete(env, "scan", "--key", "so", cwd=env.path("files")), {"some.key"}, "files")
    rep.ok("openssl" in complete(env, "run", "--require", "openss"), "commands to run")
    rep.ok("openssl" in complete(env, "run", "--route", "keys", "--", "openss"), "behind --")
    rep.equal(complete(env, "run", "cat", "so", cwd=env.path("files")), {"some.key"}, "their arguments")
    rep.equal(complete(env, "run", "cat", "--route", "", cwd=env.path("files")), {"some.key", "other"},
              "theirs, even if they look like ours")
    rep.equal(complete(env, "nonsense", ""), set(), "nothing where there is nothing")


def scenario_installed(env, rep):
    """Both are installed where bash and man look for them."""
    prefix = env.path("prefix")
    subprocess.run(["cmake", "--install", env.build, "--prefix", prefix], check=True,
                   capture_output=True, timeout=120)
    for name, source in (("bash-completion/completions/secretssl", COMPLETION),
                         ("man/man1/secretssl.1", os.path.join(ROOT, "docs", "secretssl.1"))):
        with open(os.path.join(prefix, "share", name), "rb") as file, open(source, "rb") as original:
            rep.ok(file.read() == original.read(), f"share/{name}")


def scenario_manual(env, rep):
    """The page is well formed and has every option, and none that is not there."""
    page = os.path.join(ROOT, "docs", "secretssl.1")
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "style", page], capture_output=True,
                          text=True, timeout=30, check=False)
    said = [line for line in lint.stdout.splitlines() if "referenced manual not found" not in line]
    rep.equal(said, [], "no warnings")
    plain = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=400", page], capture_output=True,
                           text=True, timeout=30, check=True).stdout
    plain = re.sub(".\b", "", plain)
    described = plain[plain.index("DESCRIPTION"):plain.index("EXIT STATUS")]
    for command, text in zip(COMMANDS, re.split(r"^ {3}(?:%s)$" % "|".join(COMMANDS), described,
                                                flags=re.M)[1:]):
        listed = set(re.findall(r"^ +(--[a-z-]+)", text, re.M))
        rep.equal(listed, options(env, command) - {"--help", "--version"}, f"options of {command}")
    checks = re.findall(r'"check": "([a-z-]+)"',
                        process.run(env, [env.tool, "doctor", "--json"], env.plain()).out)
    rep.ok(len(checks) > 10 and all(re.search(rf"^ +.*\b{name}\b", described, re.M) for name in checks),
           "each check of doctor")
    figures = process.run(env, [env.tool, "stat", "--prometheus", str(os.getpid())], env.plain()).out
    states = set(re.findall(r'^secretssl_processes\{state="([a-z-]+)"\}', figures, re.M))
    rep.ok(len(states) == 9 and all(re.search(rf"^ +{name}\b", described, re.M) for name in states),
           "each state of stat", states)
    with open(os.path.join(ROOT, "tools", "secretssl", "stat", "metrics.h"), encoding="ascii") as file:
        names = re.findall(r'^ +entry\([A-Z_]+, "(\w+)"', file.read(), re.M)
    rep.ok(len(names) > 20 and not [name for name in names if name not in described],
           "each figure of stat", [name for name in names if name not in described])


def scenario_schema(env, rep):
    """Every JSON object says of what form it is."""
    key = env.path("key.pem")
    subprocess.run(["openssl", "genpkey", "-algorithm", "ED25519", "-out", key], check=True,
                   capture_output=True, timeout=60)
    for arguments in ["doctor", "--json"], ["stat", "--json", str(os.getpid())], \
            ["scan", "--json", "--key", key, str(os.getpid())]:
        result = process.run(env, [env.tool, *arguments], env.plain())
        rep.equal(json.loads(result.out)["schema"], 1, arguments[0])


def scenario_privileges(env, rep):
    """Who is root already is not told to become root."""
    result = process.run(env, ["setpriv", "--bounding-set=-all", "--inh-caps=-all", env.tool, "stat",
                               "1"], env.plain())
    rep.ok(result.status == 2 and "run as root" not in result.err and "CAP_SYS_PTRACE" in result.err,
           "root without capabilities", result)
    plain = process.run(env, [env.reachable(env.tool), "stat", "1"], env.plain(), user=environment.PLAIN_USER)
    rep.ok(plain.status == 2 and "run as root" in plain.err, "another user", plain)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
