# SPDX-License-Identifier: Apache-2.0
"""The manual pages: no warnings, and nothing of the settings and functions is missing."""

import glob
import gzip
import os
import re
import subprocess
import sys

import pages
from harness import report


def complaints(name):
    """What two formatters say, but for pages of ours that are not installed."""
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "style", name], capture_output=True,
                          text=True, timeout=30, check=False)
    groff = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", name],
                           capture_output=True, text=True, timeout=30, check=False,
                           env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
                                "MANROFFSEQ": ""})
    lines = [line for line in lint.stdout.splitlines() + groff.stderr.splitlines()
             if "referenced manual not found" not in line]
    return lines + ([f"man: status {groff.returncode}"] if groff.returncode else [])


def scenario_lint(env, rep):
    found = sorted(glob.glob(os.path.join(pages.ROOT, "docs", "*.[1-8]")))
    rep.ok({"libsecretssl.7", "secretmem.3"} <= {os.path.basename(name) for name in found},
           f"{len(found)} pages")
    for name in found:
        said = complaints(name)
        rep.ok(not said, f"{os.path.basename(name)}: no warnings", "\n".join(said))
    with open(env.path("broken.7"), "w", encoding="ascii") as file:
        file.write(".Dt BROKEN 7\n.Sh NAME\n.Fo\n")
    rep.ok(complaints(env.path("broken.7")), "a broken page: warnings")


def plain(name):
    """The page as it reads, in one line."""
    done = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=500", os.path.join(pages.ROOT,
                          "docs", name)], capture_output=True, text=True, check=True, timeout=30)
    return re.sub(r"\s+", " ", re.sub(".\b", "", done.stdout))


def scenario_metrics(env, rep):
    """The example of secretssl(1) writes its file."""
    example = re.search(r"^Metrics for node_exporter.*?\n\.Bd.*?\n(.*?)\.Ed$", pages.page("docs/secretssl.1"), re.M | re.S)[1]
    name = re.search(r"--output=(\S+)", example)[1]
    done = subprocess.run(["sh", "-c", example.replace(name, env.path("made.prom"))], timeout=60, check=False,
                          env={**env.plain(), "PATH": f"{os.path.dirname(env.tool)}:/usr/bin:/bin"})
    rep.ok(done.returncode in (0, 1, 2), f"status {done.returncode}")
    with open(env.path("made.prom"), encoding="utf-8") as file:
        rep.ok(file.read().startswith("# HELP secretssl_build_info"), "the file is there")


def scenario_settings(_env, rep):
    """Each setting of src/base/settings.c, with its words, is in libsecretssl(7) and in README."""
    table = pages.page("src/base/settings.c")
    settings = re.findall(r'^    \{"([A-Z_]+)",(.*?)\},$', table, re.M | re.S)
    rep.ok(len(settings) >= 11, f"{len(settings)} settings")
    manual, readme = plain("libsecretssl.7"), pages.page("README.md")
    for name, rest in settings:
        rep.ok(f"SECRETSSL_{name}=" in manual, f"libsecretssl(7) has SECRETSSL_{name}")
        row = re.search(rf"^\| `SECRETSSL_{name}` \|.*$", readme, re.M)
        rep.ok(row, f"README has SECRETSSL_{name}")
        entry = manual[manual.rindex(f"SECRETSSL_{name}="):][:400]
        for words in re.findall(r"\{((?:\"[a-z0-9]+\",? ?)+)\}", rest):
            for word in re.findall(r'"([^"]+)"', words):
                rep.ok(word in entry and row and f"`{word}`" in row[0],
                       f"SECRETSSL_{name}: '{word}' in both")
    pending = "are not recorded by this version" in pages.page("preload/preload.c")
    for where, text in ("libsecretssl(7)", manual), ("README", readme):
        rep.equal("not built yet" in text.lower(), pending, f"{where}: whether there is TRACE")


def scenario_functions(_env, rep):
    """Each function and error of secretmem.h is in a page of section 3, and no other."""
    found = sorted(glob.glob(os.path.join(pages.ROOT, "docs", "*.3")))
    header, manual = pages.page("include/secretmem.h"), "".join(map(pages.page, found))
    pattern = r"^[a-z].*?\b(secretmem_\w+)\(([^)]*)\);"
    functions = dict(re.findall(pattern, header, re.M))
    rep.ok(len(functions) >= 10, f"{len(functions)} functions")
    for name, arguments in functions.items():
        quoted = " ".join(f'"{one.strip()}"' for one in arguments.split(","))
        rep.ok(f".Fn {name} {quoted}\n" in manual, f"section 3 has {name} as it is declared")
    named = set(re.findall(r"^\.(?:Fn|Nm) (secretmem_\w+)", manual, re.M))
    rep.equal(named - set(functions), set(), "and no function that there is not")
    for error in set(re.findall(r"SECRETMEM_(?:OK|E_\w+|FILE_\w+|ARENA_\w+)", header)):
        rep.ok(error in manual, f"section 3 has {error}")


MEMFD_SECRET = "/usr/share/man/man2/memfd_secret.2.gz"


def patched_page(directory, source):
    """memfd_secret(2) in a directory of its own, with the patch: what patch(1) did, and the page."""
    os.makedirs(os.path.join(directory, "man2"))
    page = os.path.join(directory, "man2", "memfd_secret.2")
    with open(page, "w", encoding="utf-8") as file:
        file.write(source)
    with open(os.path.join(pages.ROOT, "kernel-patches/man/memfd_secret.2.patch"),
              encoding="utf-8") as file:
        done = subprocess.run(["patch", "-p1", "--fuzz=0", "--batch", "--forward"], stdin=file,
                              cwd=directory, capture_output=True, text=True, timeout=30,
                              check=False)
    return done, page


def scenario_memfd_secret(env, rep):
    """The patch of memfd_secret(2) applies to Debian's page, which then reads well and is complete."""
    with gzip.open(MEMFD_SECRET, "rt", encoding="utf-8") as file:
        source = file.read()
    rep.ok('"Linux man-pages 6.03"' in source, "manpages-dev has the page, of man-pages 6.03")
    done, page = patched_page(env.path("good"), source)
    rep.ok(done.returncode == 0 and not re.search("offset|fuzz", done.stdout),
           "the patch applies without fuzz and offset", done.stdout + done.stderr)

    with open(env.path("memfd_secret.2"), "w", encoding="utf-8") as file:
        file.write(source)
    said = [[re.sub(r"^mandoc: .*?: |^.*?memfd_secret\.2:\d+: ", "", line)
             for line in complaints(name)] for name in (env.path("memfd_secret.2"), page)]
    rep.equal(said[1], said[0], "the formatters say of it what they say of Debian's page")

    text = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=500", page], capture_output=True,
                          text=True, check=True, timeout=30).stdout
    errors = re.search(r"^ERRORS$(.*?)^VERSIONS$", re.sub(".\b", "", text), re.M | re.S)[1]
    for base in ("6.12", "7.3"):
        series = "".join(pages.page(name) for name in sorted(
            glob.glob(os.path.join(pages.ROOT, "kernel-patches", base, "*.patch"))))
        hunks = re.findall(r"^@@[^\n]*SYSCALL_DEFINE1\(memfd_secret.*?(?=^@@|^diff|^-- $|^From )",
                           series, re.M | re.S)
        wanted = set(re.findall(r"^\+.*return -(E[A-Z]+);", "".join(hunks), re.M))
        rep.ok(len(wanted) >= 2 and wanted <= set(re.findall(r"E[A-Z]+", errors)),
               f"ERRORS has what {base} returns: {' '.join(sorted(wanted))}", errors)
    rep.ok("secretmem.uncached_all" in errors, "and what lifts EPERM")

    other = source.replace("included unknown bits.", "included bits that are unknown.")
    done, _ = patched_page(env.path("other"), other)
    rep.ok(other != source and done.returncode == 1, "another page: the patch does not apply")
    with open(page, "a", encoding="utf-8") as file:
        file.write(".BX\n.nosuchmacro\n")
    rep.ok(len(complaints(page)) > len(said[0]), "a mistake in the page: a warning")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
