# SPDX-License-Identifier: Apache-2.0
"""README: its commands and what the demo prints; of all pages the links, and the names of files and
functions."""

import glob
import os
import re
import sys

import blocks
import machine
import pages
import scenario
from harness import process, report

# What CI itself runs: scripts/test, install.* and package.*
CI = "./scripts/demo", "./scripts/setup", "./scripts/test", "cmake ", "cpack ", "apt install "
KEY = """
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout example.key \
    -out example.pem 2>/dev/null
"""


def commands():
    return [line.split("  #")[0].rstrip() for block in blocks.fenced(pages.page("README.md"))
            if block.language == "sh" for line in block.lines]


def scenario_commands(env, rep):
    found = [line for line in commands() if not line.startswith(CI)]
    rep.equal([line.split()[0].split("=")[0] for line in found],
              ["LD_PRELOAD", *["secretssl"] * 6], "its commands")
    nginx, version, doctor, enable, serve, stat, scan = found
    with machine.Machine(env, scenario.staged(env)) as scratch:
        rep.equal(scratch.run(KEY).status, 0, "a key")
        done = scratch.run(f"{nginx}; sleep 1; {scan.replace('openssl', 'nginx')}; nginx -s stop")
        rep.ok(re.search(r": 0 copies outside", done.out) and "/secretmem" in done.out,
               f"{nginx}: protected", done)
        done = scratch.run(version)
        rep.ok(done.status == 0 and done.out.startswith("OpenSSL "), version, done)
        done = scratch.run(enable)
        rep.ok(done.status == 0 and ": protected: " in done.out, enable, done)
        scratch.run("systemctl stop nginx")
        scratch.run(f"({serve} </dev/null >/dev/null 2>&1 &) ; sleep 1")
        done = scratch.run(doctor)
        rep.ok(done.status == 0 and "secret memory works" in done.out, doctor, done)
        done = scratch.run(stat)
        rep.ok("1 protected, 0 degraded" in done.out, stat, done)
        done = scratch.run(scan)
        rep.ok(done.status == 0 and "0 copies outside" in done.out, f"{serve}; {scan}", done)


def masked(text):
    """Process numbers and sizes differ from run to run, and widths with them; so does, without the
    preload, how much of its parent's memory a worker has written over. None is none."""
    text = re.sub(r"\d+ KiB", "N KiB", text)
    text = re.sub(r"(without +\d+ +)[1-9]\d*", r"\1some", text)
    return [re.sub(r" +", " ", re.sub(r"(without|with) +\d+ ", r"\1 PID ", line)).strip()
            for line in text.splitlines() if line.strip()]


def scenario_demo(env, rep):
    """What README shows is what scripts/demo prints."""
    text = pages.page("README.md")
    shown = re.search(r"<!-- demo: .*?-->\n```\n(.*?)```\n<!-- end of demo -->", text, re.S)[1]
    done = process.run(env, [os.path.join(pages.ROOT, "scripts", "demo")],
                       {**os.environ, **env.plain()}, seconds=140)
    rep.equal(done.status, 0, "scripts/demo")
    printed = masked(done.out)
    rep.equal(printed[-len(masked(shown)):], masked(shown), "prints what README shows")


def documents():
    listed = [page for pattern in ("docs/**/*.md", "*/README.md", "test/**/README.md", "tools/*/README.md")
              for page in glob.glob(pattern, root_dir=pages.ROOT, recursive=True)]
    return sorted({"README.md", "CONTRIBUTING.md", "SECURITY.md", *listed})


def sources():
    """The project's files, without those of the kernel and of builds; and every word in them."""
    found = {path for tree in ("src", "preload", "tools", "include", "test", "bench", "examples")
             for path in glob.glob(f"{tree}/**/*.*", root_dir=pages.ROOT, recursive=True)}
    return found, {word for path in found if path.endswith((".c", ".h"))
                   for word in re.findall(r"\w+", pages.page(path))}


def unknown(text, files, words):
    """What a page names in backquotes, or as a function of ours, and the source does not have. Names
    of OpenSSL's files, and of those yet to be written (in capitals), are others' business."""
    named = [name for name in re.findall(r"`([\w./-]+\.[chp]y?)`", text)
             if not re.search(r"[A-Z]{3}|^(?:crypto|ssl|asm)/", name)]
    return [name for name in named if not any(f"/{path}".endswith(f"/{name}") for path in files)] \
        + [name for name in re.findall(r"\bsm_\w+", text) if name not in words]


def scenario_names(_env, rep):
    """Files and functions that the pages name are there."""
    files, words = sources()
    rep.ok(len(files) > 400, f"{len(files)} files")
    for page in documents():
        if not page.startswith("kernel-patches/"):
            rep.equal(unknown(pages.page(page), files, words), [], f"{page}: what it names is there")
    rep.equal(unknown("`heap/malloc.c` `malloc.c` `src/route.c` sm_gone() sm_malloc", files, words),
              ["src/route.c", "sm_gone"], "control: what is gone is seen")


def scenario_links(_env, rep):
    """Links to files, and to places in them."""
    rep.ok(len(documents()) > 25, f"{len(documents())} pages")
    for page in documents():
        for link in re.findall(r"\]\(((?!https?:)[^)]+)\)", pages.page(page)):
            file, _, anchor = link.partition("#")
            path = os.path.normpath(os.path.join(os.path.dirname(page), file)) if file else page
            there = os.path.exists(os.path.join(pages.ROOT, path))
            if there and anchor:
                there = anchor in pages.anchors(path)
            rep.ok(there, f"{page}: {link}")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
