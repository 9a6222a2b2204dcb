# SPDX-License-Identifier: Apache-2.0
"""The layers of src/, preload/ and tools/secretssl/: a file includes and calls what is in its own
folder or in one below, no two files call each other in a circle, and no function or variable of a
file has the name of another's. Includes are read from the source, calls from the objects. And of the
whole project: no source is longer than a reader takes in."""

import collections
import os
import re
import subprocess
import sys

import pages
from harness import report

# From below. A folder may use itself and those that stand before it; "" are the files beside them.
LAYERS = {
    "src": [["base"], ["os"], ["log"], ["stacktrace"], ["arena"], ["heap"], ["fork"], ["process"],
            ["api"]],
    "preload": [["loader"], ["hooks"], ["libcrypto"], ["seal"], ["exports"], [""]],
    "tools/secretssl": [["cli"], ["process"], ["secret"], ["scan"], ["run", "stat", "doctor", "enable"], [""]],
}
# What stands below a tree altogether
BELOW = {"src": [], "preload": ["src"], "tools/secretssl": ["src"]}
# Where their objects are, in a build
OBJECTS = {"src": ["src/CMakeFiles/sm_objects.dir", "src/CMakeFiles/secretmem.dir"],
           "preload": ["preload/CMakeFiles/secretssl_preload.dir"],
           "tools/secretssl": ["tools/secretssl/CMakeFiles/secretssl_scan.dir",
                               "tools/secretssl/CMakeFiles/secretssl_enable.dir",
                               "tools/secretssl/CMakeFiles/secretssl.dir"]}
# Files that stand beside a folder, though they are not in it: what everything there needs
BESIDE = {f"preload/{name}": "loader" for name in ("start.h", "start.c", "session_key.h", "session_key.c")}
LONGEST = 400  # lines
# What is longer, each with why it still is; nothing is now
LONGER = {}
SOURCE = re.compile(r"\.(?:c|cc|h|hpp|py|sh|bash)$")
SCRIPT = re.compile(rb"#!.*(?:/bin/(?:ba)?sh|python3)\b")
INCLUDE = re.compile(r'^#include "([^"]+)"', re.M)
STATIC = re.compile(r"^(?:[\w()]+ )?static (?:[\w*]+ )+?\**((?!__)\w+)\([^;{}]*\)\s*\{", re.M)


def tree_of(path):
    return next(tree for tree in LAYERS if path.startswith(tree + "/"))


def rank(path):
    tree = tree_of(path)
    folder = BESIDE.get(path, os.path.dirname(os.path.relpath(path, tree)))
    return next((number for number, layer in enumerate(LAYERS[tree]) if folder in layer), None)


def may_use(path, other):
    """Whether a file may use another."""
    if tree_of(path) != tree_of(other):
        return tree_of(other) in BELOW[tree_of(path)]
    if rank(path) == rank(other):
        folders = [os.path.dirname(one) for one in (path, other)]
        return folders[0] == folders[1] or (path in BESIDE or other in BESIDE)
    return rank(other) < rank(path)


def sources():
    return pages.sources(*(f"{tree}/**/*.[ch]" for tree in LAYERS))


def included(path, name, files):
    for tree in [tree_of(path), *BELOW[tree_of(path)]]:
        if f"{tree}/{name}" in files:
            return f"{tree}/{name}"
    return None


def upward_includes(files):
    found = []
    for path, text in files.items():
        for name in INCLUDE.findall(text):
            other = included(path, name, files)
            if other is None and not os.path.exists(os.path.join(pages.ROOT, "include", name)):
                found.append(f"{path} includes {name}, which is in no layer")
            elif other and not may_use(path, other):
                found.append(f"{path} includes {other}, which stands above it")
    return found


def symbols(env):
    """What each object defines, and what it needs: by the name of its source."""
    defined, needed = {}, collections.defaultdict(set)
    for tree, folders in OBJECTS.items():
        for folder in folders:
            top = os.path.join(env.build, folder)
            for here, _, names in os.walk(top):
                for name in names:
                    if not name.endswith(".c.o"):
                        continue
                    path = os.path.join(tree, os.path.relpath(os.path.join(here, name), top))[:-2]
                    # A build directory keeps the objects of files that were moved.
                    if not os.path.exists(os.path.join(pages.ROOT, path)):
                        continue
                    listed = subprocess.run(["nm", "--format=posix", os.path.join(here, name)],
                                            capture_output=True, text=True, check=True, timeout=60)
                    for line in listed.stdout.splitlines():
                        symbol, kind = line.split()[:2]
                        if kind in "TDBRVWGS" and kind.isupper():
                            defined.setdefault(symbol, path)
                        elif kind == "U":
                            needed[path].add(symbol)
    return defined, needed


def calls(defined, needed):
    """(from, to, symbol)"""
    return [(path, defined[symbol], symbol) for path, names in needed.items()
            for symbol in sorted(names) if symbol in defined and defined[symbol] != path
            and tree_of(defined[symbol]) in (tree_of(path), *BELOW[tree_of(path)])]


def upward_calls(edges):
    return [f"{path} needs {symbol} of {other}, which stands above it"
            for path, other, symbol in edges if not may_use(path, other)]


def circles(edges):
    """Files from which a way leads back to themselves, with one symbol of each step."""
    after = collections.defaultdict(dict)
    for path, other, symbol in edges:
        after[path].setdefault(other, symbol)

    def way(start, goal):
        before, queue = {start: None}, collections.deque([start])
        while queue:
            here = queue.popleft()
            for there in after[here]:
                if there == goal:
                    steps = [(here, there)]
                    while before[here]:
                        steps.insert(0, (before[here], here))
                        here = before[here]
                    return steps
                if there not in before:
                    before[there] = here
                    queue.append(there)
        return None

    found, seen = [], set()
    for path in sorted(after):
        steps = way(path, path)
        members = frozenset(one for step in steps or () for one in step)
        if steps and members not in seen:
            seen.add(members)
            found.append(" -> ".join([steps[0][0], *(f"{to} ({after[one][to]})" for one, to in steps)]))
    return found


def duplicates(files):
    where = collections.defaultdict(set)
    for path, text in files.items():
        for name in STATIC.findall(text):
            where[name].add(path)
    return [f"{name} in {', '.join(sorted(paths))}" for name, paths in sorted(where.items())
            if len(paths) > 1]


def lines_of_sources(directory):
    """How many lines each tracked source in C, Python and shell has: by its ending, or by its first line."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=directory, stdout=subprocess.PIPE, text=True, check=True)
    found = {}
    for name in filter(None, listed.stdout.split("\0")):
        path = os.path.join(directory, name)
        if not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            text = file.read()
        if SOURCE.search(name) or SCRIPT.match(text):
            found[name] = text.count(b"\n")
    return found


def too_long(lines):
    return [f"{name} has {count} lines" for name, count in lines.items() if count > LONGEST]


def nothing(rep, found, title):
    rep.ok(not found, title, "\n".join(found))


def scenario_includes(_env, rep):
    files = sources()
    unplaced = [path for path in files if rank(path) is None]
    nothing(rep, unplaced, f"each of {len(files)} files is in a layer")
    nothing(rep, upward_includes(files), "no include goes up")


def scenario_calls(env, rep):
    edges = calls(*symbols(env))
    rep.ok(len(edges) > 500, f"{len(edges)} calls from file to file")
    nothing(rep, upward_calls(edges), "no call goes up")
    nothing(rep, circles(edges), "no circle")


def scenario_names(_env, rep):
    nothing(rep, duplicates(sources()), "each file-local function has a name of its own")


def scenario_lengths(env, rep):
    lines = lines_of_sources(pages.ROOT)
    known = {name: count for name, count in lines.items() if name in LONGER}
    nothing(rep, too_long({name: count for name, count in lines.items() if name not in LONGER}),
            f"none of {len(lines)} sources has more than {LONGEST} lines")
    rep.equal(len(too_long(known)), len(LONGER), "each one that may be longer is")
    # The control: sources that are found by their endings and first lines, and what is no source
    top = env.path("sources")
    subprocess.run(["git", "init", "--quiet", top], check=True, timeout=60)
    for name, first, count in (("long.c", "", 401), ("short.c", "", 400), ("long.h", "", 401), ("long.py", "", 401),
                               ("script", "#!/usr/bin/python3", 401), ("shell", "#!/bin/bash", 401),
                               ("data.json", "", 401), ("untracked.c", "", 401)):
        with open(os.path.join(top, name), "w", encoding="ascii") as file:
            file.write(first + "\n" * count)
        if name != "untracked.c":
            subprocess.run(["git", "add", name], cwd=top, check=True, timeout=60)
    rep.equal(too_long(lines_of_sources(top)), [f"{name} has 401 lines" for name in
              ("long.c", "long.h", "long.py", "script", "shell")], "longer ones are found")


def scenario_planted(env, rep):
    """The controls: an include upwards, a call upwards, a circle and a name that is there already."""
    files = sources()
    files["src/base/planted.h"] = '#include "heap/malloc.h"\n'
    rep.equal(upward_includes(files), ["src/base/planted.h includes src/heap/malloc.h, which stands "
                                       "above it"], "an include")
    defined, needed = symbols(env)
    needed["src/base/format.c"].add("sm_malloc")
    rep.equal(upward_calls(calls(defined, needed)),
              ["src/base/format.c needs sm_malloc of src/heap/malloc.c, which stands above it"], "a call")
    needed["src/base/format.c"].remove("sm_malloc")
    needed["src/os/vector_registers.c"].add("sm_helper_run")
    needed["src/os/helper_process.c"].add("sm_clear_vector_registers")
    rep.equal(circles(calls(defined, needed)),
              ["src/os/helper_process.c -> src/os/vector_registers.c (sm_clear_vector_registers) -> "
               "src/os/helper_process.c (sm_helper_run)"], "a circle")
    files["src/base/planted.c"] = "static void sort_key_parts(void)\n{\n}\n" \
        "static int sm_failed(long x)\n{\n    return 0;\n}\n"
    found = [one for one in duplicates(files) if "src/base/planted.c" in one]
    rep.ok(found and "sm_failed" in found[0], "a name", found)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
