# SPDX-License-Identifier: Apache-2.0
"""Nothing short of a promise happens without a counter, a line and a remedy: src/log/lapse.h and
src/arena/shortage.h list all of it, and no other file of the library speaks of a state by itself."""

import re
import sys

import messages
import pages
from harness import report

# Who else writes lines, and of what. A new place is a lapse, unless it can be argued here.
SPEAKS = {
    "src/log/lapse.c": "lapses",
    "src/arena/shortage.c": "shortages of memory, see test_shortage.py",
    "src/log/log.c": "the end of the process, and how lines are written",
    "src/process/leak_report.c": "the report of SECRETSSL_TRACE",
    "src/stacktrace/symbolize.c": "call stacks",
    "src/stacktrace/backtrace.c": "call stacks: what follows a fatal line has none",
    "src/heap/alloc_stacks.c": "what SECRETSSL_TRACE leaves out",
    "src/stacktrace/unwind.c": "what SECRETSSL_TRACE leaves out",
    "src/process/exit_report.c": "the summary, and the report of SECRETSSL_TRACE",
    "src/stacktrace/fatal.c": "the end of the process",
    "src/process/wipe_handler.c": "the end of the process, whose secrets a hibernation wiped",
    "src/fork/fork_shared.c": "a child that is given up, with its counter",
    "src/api/library.c": "a wrong setting, which is ignored",
}
SAYS = re.compile(r"\bsm_v?log(?:_once)?\(")
USE = re.compile(r"\bsm_lapse(?:_each|_count)?\(\s*SM_LAPSE_(\w+)")
ENTRY = re.compile(r'entry\((\w+), (EXPOSED|REFUSED|LESSER), "(.*?)"\)')


def sources():
    return pages.sources("src/**/*.c", "preload/**/*.c")


def speakers(files):
    return {name for name, source in files.items() if SAYS.search(source)}


def entries():
    return ENTRY.findall(pages.page("src/log/lapse.h"))


def scenario_speakers(_env, rep):
    files = sources()
    rep.equal(sorted(speakers(files) ^ set(SPEAKS)), [],
              "each line about a state goes by sm_lapse() or by shortage.c")
    files["src/new.c"] = 'void f(void) { sm_log("this is not protected"); }'
    rep.equal(sorted(speakers(files) - set(SPEAKS)), ["src/new.c"], "control: a new one is seen")


def scenario_used(_env, rep):
    """Each entry happens somewhere, and each that happens is an entry."""
    used = {name for source in sources().values() for name in USE.findall(source)}
    names = [name for name, _, _ in entries()]
    rep.ok(len(names) > 20, f"{len(names)} lapses")
    rep.equal(sorted(used ^ set(names)), [], "those of the list are those of the code")


def scenario_documented(_env, rep):
    """docs/messages.md has a row for each, with what it does to `stat`; what is said has a
    row with its remedy by test_messages.py."""
    states = {"EXPOSED": "degraded", "REFUSED": "refusing", "LESSER": "protected"}
    text = pages.page("docs/messages.md")
    text = text[text.index("\n## Lapses\n"):text.index("\n## When a process ends\n")]
    rows = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", text, re.M))
    for name, harm, _ in entries():
        rep.equal(rows.pop(name.lower(), None), states[harm], f"{name}: its row")
    rep.equal(rows, {}, "and no others")


def scenario_said(_env, rep):
    """Only what has a line of somebody else's is counted without one."""
    silent = {"UNLISTED": "fault.c has named the same function", "SEALED_READ": "fault.c has logged the first ones",
              "CHILD": "fork.c says it, or the child itself",
              "JOB_STACK": "no harm: as the stacks of threads"}
    for name, source in sources().items():
        for lapse in re.findall(r"sm_lapse_count\(SM_LAPSE_(\w+)", source):
            rep.ok(lapse in silent, f"{name}: {lapse} is counted without a line")
    said = messages.literals('sm_lapse(SM_LAPSE_X, "some %d thing", 1);')
    rep.equal(said, ["some %d thing"], "the texts of sm_lapse are seen by test_messages.py")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
