# SPDX-License-Identifier: Apache-2.0
"""What comes with the tool: completion for bash and the manual page, which know all of it."""

import json
import os
import re
import subprocess
import sys

from harness import environment, figures, process, report, shells

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMPLETIONS = os.path.join(ROOT, "tools", "secretssl", "completion")
COMPLETION = os.path.join(COMPLETIONS, "secretssl.bash")
SCHEMAS = os.path.join(ROOT, "docs", "schema")
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
    return set(re.findall(r"^ +(?:-\S, )? *(--[a-z][a-z-]*)[=[\n ]", text.partition("\n\n")[2], re.M)) - {"--usage"}


def scenario_completion(env, rep):
    rep.equal(complete(env, ""), {*COMMANDS, "--help", "--version"}, "commands")
    rep.equal(complete(env, "s"), {"stat", "scan", "status"}, "commands that begin with s")
    for command in COMMANDS:
        rep.equal(complete(env, command, "-") - {"--"}, options(env, command), f"options of {command}")
    rep.equal(complete(env, "stat", "--pr"), {"--prometheus"}, "what is begun")
    rep.equal(complete(env, "run", "--uncached", ""), {"off", "prefer", "require"}, "a word to choose")
    rep.equal(complete(env, "run", "--uncached", "=", "p"), {"prefer"}, "behind =")
    rep.equal(complete(env, "run", "--uncached", "="), {"off", "prefer", "require"}, "right behind =")
    rep.equal(complete(env, "run", "--route", "k"), {"keys"}, "another")
    rep.equal(complete(env, "stat", "--color", "a"), {"auto", "always"}, "colours")
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


def scenario_completion_hostile(env, rep):
    """What a process calls itself is not executed by the shell that completes its name."""
    trap = env.path("trap")
    for name in f"$(>{trap})", f"`>{trap}`", "a b;c", "it's":
        child = process.Child(env, [env.helper("seclude"), "plain", name, "1"], env.plain(), cwd=env.directory)
        process.wait_until(lambda child=child, name=name: process.program(child.pid) == name[:15])
    figures.seclude(env, env.plain(), "plain", name="harmless")
    found = complete(env, "stat", "")
    rep.ok("harmless" in found and "it's" not in found, "only plain names are proposed", found)
    rep.ok(not os.path.exists(trap), "and nothing was executed")


def scenario_completion_others(env, rep):
    """zsh and fish know the same commands and options."""
    for shell in shells.Zsh(env, COMPLETIONS), shells.Fish(env, COMPLETIONS):
        rep.equal(shell.complete("s"), {"stat", "scan", "status"}, f"{shell.name}: commands that begin with s")
        rep.equal(shell.complete("") & set(COMMANDS), set(COMMANDS), f"{shell.name}: all commands")
        for command in COMMANDS:
            rep.equal(shell.complete(command, "--"), options(env, command), f"{shell.name}: options of {command}")
        rep.equal(shell.complete("run", "--uncached=p") , {shell.value("--uncached=", "prefer")}, f"{shell.name}: a value")
        for command in "doctor", "stat", "scan":
            rep.ok(str(os.getpid()) in shell.complete(command, str(os.getpid())), f"{shell.name}: {command}, processes")
        figures.seclude(env, env.plain(), "plain", name="by-its-name")
        # zsh proposes the number of the process, too.
        rep.ok("by-its-name" in shell.complete("stat", "by-its"), f"{shell.name}: programs")


def scenario_installed(env, rep):
    """All are installed where shells and man look for them."""
    prefix = env.path("prefix")
    subprocess.run(["cmake", "--install", env.build, "--prefix", prefix], check=True,
                   capture_output=True, timeout=120)
    for name, source in (("bash-completion/completions/secretssl", COMPLETION),
                         ("zsh/vendor-completions/_secretssl", os.path.join(COMPLETIONS, "_secretssl")),
                         ("fish/vendor_completions.d/secretssl.fish", os.path.join(COMPLETIONS, "secretssl.fish")),
                         ("secretssl/schema/stat.schema.json", os.path.join(SCHEMAS, "stat.schema.json")),
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


def strictly(schema):
    """The same schema, without room for what it does not describe."""
    if isinstance(schema, list):
        return [strictly(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: strictly(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict):
        closed["additionalProperties"] = False
    return closed


def schema_of(name):
    with open(os.path.join(SCHEMAS, f"{name}.schema.json"), encoding="utf-8") as file:
        return json.load(file)


def scenario_schema(env, rep):
    """Every JSON object is as its schema says, in each state, and has nothing besides."""
    import jsonschema
    key = env.path("key.pem")
    subprocess.run(["openssl", "genpkey", "-algorithm", "ED25519", "-out", key], check=True,
                   capture_output=True, timeout=60)
    holder = process.Child(env, ["sh", "-c", 'secret=$(cat "$1"); while :; do sleep 1; done', "sh", key], env.plain())
    secluded = [figures.seclude(env, environ, case).pid for environ, case in (
        (env.preloaded(), "plain"), (env.plain(), "plain"), (env.preloaded(SECRETSSL_ARENA_SIZE="64K"), "plain"),
        (env.preloaded(SECRETSSL_FORK="deny"), "fork"))]
    numbers = [str(pid) for pid in (*secluded, holder.pid, os.getpid(), 2 ** 22 + 1)]
    seen = set()
    for name, *arguments in ("doctor", *numbers), ("doctor", "--against-root"), ("stat", *numbers), ("stat", "--all"), \
            ("scan", "--key", key, *numbers):
        result = process.run(env, [env.tool, name, "--json", *arguments], env.plain())
        found = json.loads(result.out)
        errors = [f"{list(error.absolute_path)}: {error.message[:200]}" for error in
                  jsonschema.Draft202012Validator(strictly(schema_of(name))).iter_errors(found)]
        rep.equal(errors, [], f"{name} {' '.join(arguments[:1])}")
        seen |= {one.get("state") for one in found["processes"]}
    rep.ok({"protected", "unprotected", "degraded", "no-tls", "gone"} <= seen, "several states were seen", seen)
    rep.ok(found["copies"] > 0, "and copies of a key", found["copies"])
    for broken in {**found, "schema": 2}, {**found, "copies": "1"}, {**found, "more": 1}, \
            {name: value for name, value in found.items() if name != "processes"}:
        rep.ok(not jsonschema.Draft202012Validator(strictly(schema_of("scan"))).is_valid(broken), "the control: refused")
    properties = schema_of("stat")["properties"]["processes"]["items"]["properties"]
    for what, header, pattern, listed in (
            ("figure", "tools/secretssl/stat/metrics.h", r'^ +entry\([A-Z_]+, "(\w+)"', properties),
            ("lapse", "src/log/lapse.h", r"^ +entry\(([A-Z_]+), ", properties["lapses"]["properties"])):
        with open(os.path.join(ROOT, header), encoding="ascii") as file:
            names = {name.lower() for name in re.findall(pattern, file.read(), re.M)}
        rep.ok(len(names) > 20 and names <= set(listed), f"each {what} is described", names - set(listed))


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
