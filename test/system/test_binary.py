# SPDX-License-Identifier: Apache-2.0
"""What the built objects are: their needs, their symbols, their start-up order."""

import os
import re
import subprocess
import sys

from harness import report


def readelf(*arguments):
    return subprocess.run(["readelf", "-W", *arguments], check=True, capture_output=True,
                          text=True, timeout=60).stdout


def needed(path):
    return re.findall(r"\(NEEDED\).*\[(.*)\]", readelf("-d", path))


def exported(path):
    """The defined dynamic symbols, as `name` or `name@@VERSION`."""
    found = set()
    for line in readelf("--dyn-syms", path).splitlines():
        fields = line.split()
        if len(fields) >= 8 and fields[4] in ("GLOBAL", "WEAK") and fields[6] != "UND":
            # The version's own entry has an absolute value.
            if fields[6] != "ABS":
                found.add(fields[7])
    return found


def scenario_needed(env, rep):
    """Only the C library, so that a shell does not drag libcrypto in."""
    for path in env.preload, env.library:
        rep.equal(needed(path), ["libc.so.6"], f"what {os.path.basename(path)} needs")


def scenario_thread_storage(env, rep):
    """Initial-exec storage is taken from every thread's stack: 64 bytes at most."""
    sizes = [int(line.split()[5], 16) for line in readelf("-l", env.preload).splitlines()
             if line.split()[:1] == ["TLS"]]
    rep.ok(sum(sizes) <= 64, f"bytes of thread-local storage: {sum(sizes)}")


def scenario_first(env, rep):
    """Its constructor runs before those of linked libraries."""
    flags = re.findall(r"FLAGS_1\).*", readelf("-d", env.preload))
    rep.ok(any("INITFIRST" in line for line in flags), "INITFIRST is set", flags)


PROBES = {"grow", "fall_back", "misuse", "lapse", "fork_copy"}


def scenario_probes(env, rep):
    """Both objects have the probes of docs/operations/monitoring.md, each with one argument, and no counters for them."""
    for path in env.preload, env.library:
        notes = re.findall(r"Provider: (\S+)\s+Name: (\S+)\s+.*Semaphore: 0x0+\s+Arguments: (\S+)",
                           readelf("--notes", path))
        rep.equal({name for provider, name, arguments in notes if provider == "libsecretssl" and "@" in arguments
                   and " " not in arguments}, PROBES, f"{os.path.basename(path)}: probes")
    page = os.path.join(os.path.dirname(env.tool), "..", "..", "..", "docs", "operations", "monitoring.md")
    with open(page, encoding="utf-8") as file:
        rep.equal(set(re.findall(r"^\| `(\w+)` \| (?:bytes|address|number|pages)", file.read(), re.M)), PROBES,
                  "and the page has them")


# The first instruction of a function that may be called by its address: endbr64; bti c
TARGETS = {"X86-64": bytes.fromhex("f30f1efa"), "AArch64": bytes.fromhex("5f2403d5")}


def functions(path):
    """(name, first bytes) of each exported function."""
    segments = [[int(word, 16) for word in line.split()[1:5]] for line in readelf("-l", path).splitlines()
                if line.split()[:1] == ["LOAD"]]
    with open(path, "rb") as file:
        content = file.read()
    for line in readelf("--dyn-syms", path).splitlines():
        fields = line.split()
        if len(fields) >= 8 and fields[3] in ("FUNC", "IFUNC") and fields[6] != "UND":
            value = int(fields[1], 16)
            offset, at = next((offset, at) for offset, at, _, size in segments if at <= value < at + size)
            yield fields[7], content[value - at + offset:][:4]


def scenario_branch_targets(env, rep):
    """Exported functions, those in assembly too, begin with what a processor that checks indirect calls wants:
    a compiler's note may say so of the whole object."""
    for path in env.preload, env.library:
        machine = next(name for name in TARGETS if name in readelf("-h", path))
        wanted, found = TARGETS[machine], list(functions(path))
        rep.equal([name for name, begin in found if begin != wanted], [],
                  f"{os.path.basename(path)}: all {len(found)} functions")
        rep.ok(len(found) > 5, "there are some")


def scenario_hardened(env, rep):
    for path in env.preload, env.library:
        name = os.path.basename(path)
        headers, dynamic = readelf("-l", path), readelf("-d", path)
        rep.ok("GNU_RELRO" in headers, f"{name}: relocations become read-only")
        rep.ok(re.search(r"BIND_NOW|\bNOW\b", dynamic), f"{name}: all symbols bound at start")
        stack = re.search(r"GNU_STACK.*", headers)
        rep.ok(stack and "RWE" not in stack[0], f"{name}: no executable stack")
        rep.ok("TEXTREL" not in dynamic, f"{name}: no relocations in code")


def scenario_soname(env, rep):
    name = re.findall(r"\(SONAME\).*\[(.*)\]", readelf("-d", env.library))
    rep.equal(name, ["libsecretmem.so.0"], "the library's SONAME")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
