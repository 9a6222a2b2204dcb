# SPDX-License-Identifier: Apache-2.0
"""The table in docs/operations/limits.md of what does not work: that it is so."""

import os
import subprocess
import sys

import pages
from harness import process, report

# A uprobe that prints what the first argument of a function points to.
TRACE = """\
set -e
mkdir "$3" && mount -t tracefs none "$3" && cd "$3"
trap 'echo 0 >"events/$4/enable" || true; echo "-:$4/it" >>uprobe_events' EXIT
echo "p:$4/it $1:0x$2 text=+0(%$6):ustring" >>uprobe_events
echo 1 >"events/$4/enable"
"$1" "$5"
cat trace
"""

NOTHING = "int main(void) { return 0; }\n"


def build(env, name, *command):
    """The least program there is, built in some way; its path."""
    source = env.path("nothing.c")
    with open(source, "w", encoding="ascii") as file:
        file.write(NOTHING)
    subprocess.run([*command, "-o", env.path(name), source], check=True, timeout=60)
    return env.path(name)


def row(start):
    """The row of the table whose first cell begins so."""
    found = [line for line in pages.page(pages.OPERATIONS).splitlines()
             if line.startswith(f"| {start}")]
    if len(found) != 1:
        raise ValueError(f"{len(found)} rows begin with {start!r}")
    return found[0]


def scenario_uprobe(env, rep):
    """What docs/threat-model.md says: whoever traces in the kernel reads secret memory."""
    program = os.path.join(env.helpers, "traced")
    symbols = process.run(env, ["readelf", "--wide", "--symbols", program], env.plain()).out
    address = next(line.split()[1] for line in symbols.splitlines() if line.endswith(" traced"))
    group, text = f"secretssl{os.getpid()}", f"a secret of {os.getpid()}"
    register = {"x86_64": "di", "aarch64": "x0"}[os.uname().machine]
    done = process.run(env, ["unshare", "--mount", "--propagation", "private", "sh", "-c", TRACE,
                             "sh", program, address.lstrip("0"), env.path("tracing"), group, text,
                             register], env.plain())
    rep.ok(done.status == 0 and f'text="{text}"' in done.out, "a uprobe reads it", done)
    rep.ok("eBPF" in pages.page("docs/threat-model.md"), "the threat model says so")


def scenario_asan(env, rep):
    program = build(env, "with-asan", "gcc", "-fsanitize=address")
    done = process.run(env, [program], env.preloaded())
    said = "ASan runtime does not come first in initial library list"
    rep.ok(done.status != 0 and said in done.err and said in row("programs built with"),
           "the preload alone: refused, as the table says", done)
    runtime = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True,
                             text=True, check=True, timeout=20).stdout.strip()
    done = process.run(env, [program], env.plain(LD_PRELOAD=f"{runtime} {env.preload}"))
    rep.equal(done.status, 0, "behind the run-time: works")


def scenario_loader(env, rep):
    """musl's loader and programs without one."""
    done = process.run(env, [build(env, "with-musl", "musl-gcc")], env.preloaded())
    rep.ok(done.status == 127 and "symbol not found" in done.err, "musl: ends with errors", done)
    done = process.run(env, [build(env, "static", "gcc", "-static")],
                       env.preloaded(SECRETSSL_REQUIRE="2"))
    rep.ok((done.status, done.err) == (0, ""), "static: nothing of ours, no message", done)


def scenario_valgrind(env, rep):
    done = process.run(env, ["valgrind", "-q", "openssl", "version"], env.preloaded(), seconds=120)
    said = "no secret memory (memfd_secret: ENOSYS)"
    rep.ok(done.status == 0 and said in done.err and said in row("Valgrind"),
           "Valgrind: locked memory", done)


def scenario_address_space(env, rep):
    limits = {"AS": 64 << 20}
    done = process.run(env, ["openssl", "genrsa", "2048"], env.preloaded(SECRETSSL_STATS="1"),
                       limits=limits)
    rep.ok(done.status == 0 and " 0 to the C library" in done.err, "a smaller arena does", done)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
