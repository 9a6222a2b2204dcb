#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Installs the build into a prefix and uses what is there as a stranger would.

usage: check.py install CMAKE BUILD PREFIX
       check.py files PREFIX LIBDIR INCLUDEDIR VERSION
       check.py tool PREFIX LIBDIR
       check.py cmake CMAKE PREFIX SOURCES EXAMPLES WORK
       check.py pkg-config PREFIX LIBDIR EXAMPLES WORK CC CXX
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SAYS = "contains 1\nversion 0.1\n"


def run(*command, **extra):
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, **extra)
    print("$", *command)
    print(done.stdout, end="")
    if done.returncode != 0:
        sys.exit(f"{command[0]}: exit status {done.returncode}")
    return done.stdout


def expect(said):
    if said != SAYS:
        sys.exit(f"the program said {said!r}, not {SAYS!r}")


def install(cmake, build, prefix):
    shutil.rmtree(prefix, ignore_errors=True)
    run(cmake, "--install", build, "--prefix", prefix)


def files(prefix, libdir, includedir, version):
    lib = Path(prefix, libdir)
    so = "libsecretmem.so"
    for path in [lib / "libsecretssl.so", lib / "libsecretmem.a", lib / so, lib / f"{so}.0",
                 lib / f"{so}.{version}", lib / "pkgconfig/secretmem.pc",
                 lib / "cmake/secretmem/secretmemConfig.cmake",
                 lib / "cmake/secretmem/secretmemConfigVersion.cmake",
                 Path(prefix, includedir, "secretmem.h"), Path(prefix, includedir, "secretmem.hpp")]:
        if not path.exists():
            sys.exit(f"{path} was not installed")
    if f"soname: [{so}.0]" not in run("readelf", "-d", lib / so):
        sys.exit(f"the SONAME is not {so}.0")
    # Nothing refers to the place where it was built.
    for path in Path(prefix).rglob("*secretmem*"):
        if path.suffix in {".pc", ".cmake"} and str(Path(prefix).parent.parent) in path.read_text():
            sys.exit(f"{path} names a path of the build")


def use_tool(prefix, libdir):
    """In a prefix that it was not configured for it finds the object that lies beside it."""
    preload = Path(prefix, libdir, "libsecretssl.so")
    tool = Path(prefix, "bin", "secretssl")
    run(tool, "run", "grep", preload, "/proc/self/maps")
    aside = preload.with_suffix(".aside")
    preload.rename(aside)
    try:
        said = subprocess.run([tool, "run", "true"], text=True, capture_output=True, check=False)
    finally:
        aside.rename(preload)
    if said.returncode != 125 or preload.name not in said.stderr:
        sys.exit(f"without the object the tool said {said.stderr!r}, status {said.returncode}")


def use_cmake(cmake, prefix, sources, examples, work):
    shutil.rmtree(work, ignore_errors=True)
    run(cmake, "-G", "Ninja", "-S", sources, "-B", work, f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DEXAMPLES={examples}")
    run(cmake, "--build", work)
    work = Path(work, "examples")
    for program in ["c_secretmem", "cc_secretmem", "c_secretmem_static", "cc_secretmem_static"]:
        expect(run(Path(work, program)))
    for standard in "11", "17":
        said = run(Path(work.parent, f"types_{standard}"))
        if said != "all types work\n":
            sys.exit(f"types_{standard} said {said!r}")
    linked = run("readelf", "-d", Path(work, "c_secretmem"), Path(work, "c_secretmem_static"))
    if linked.count("[libsecretmem.so.0]") != 1:
        sys.exit("one program should need libsecretmem.so.0")


def use_pkg_config(prefix, libdir, examples, work, cc, cxx):
    lib = Path(prefix, libdir)
    env = dict(os.environ, PKG_CONFIG_PATH=str(lib / "pkgconfig"))
    flags = run("pkg-config", "--cflags", "--libs", "secretmem", env=env).split()
    if run("pkg-config", "--modversion", "secretmem", env=env).rsplit(".", 1)[0] != "0.1":
        sys.exit("not version 0.1")
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    for compiler, source in [(cc, "secret.c"), (cxx, "secret_string.cc")]:
        program = Path(work, source.replace(".", "_"))
        run(compiler, "-Wall", "-Wextra", "-Werror", Path(examples, source), "-o", program, *flags)
        expect(run(program, env=dict(env, LD_LIBRARY_PATH=str(lib))))
    # The header alone, as C11 and as C++11, pedantically
    for compiler, language in [(cc, ["-std=c11", "-xc"]), (cxx, ["-std=c++11", "-xc++"])]:
        header = "secretmem.hpp" if language[-1] == "-xc++" else "secretmem.h"
        run(compiler, *language, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
            *[flag for flag in flags if flag.startswith("-I")], "-include", header, "/dev/null")


if __name__ == "__main__":
    {"install": install, "files": files, "tool": use_tool, "cmake": use_cmake,
     "pkg-config": use_pkg_config}[sys.argv[1]](*sys.argv[2:])
