# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Format, lint and builds: functions for the steps of scripts/test.

format()
{
    git ls-files '*.c' '*.h' | grep -vE '^kernel-patches/([0-9]|upstream/)' | xargs clang-format-19 --dry-run -Werror
}

lint_sh()
{
    git ls-files | while read -r file; do
        [ -f "$file" ] && head -c 40 "$file" | head -n 1 | grep -qE '^#!/bin/(ba)?sh' && echo "$file"
    done | xargs shellcheck -x
}

# The processor of the machine, because the system calls are written for each.
lint_cppcheck()
{
    cppcheck --quiet --error-exitcode=1 --std=c11 --platform=unix64 --library=posix,gnu \
        --enable=warning,portability,performance --suppress=missingIncludeSystem \
        --suppressions-list=scripts/lib/cppcheck-suppressions \
        -D__x86_64__=1 -D__linux__=1 -D__GNUC__=12 -D__GLIBC__=2 -D__SIZEOF_POINTER__=8 -D_GNU_SOURCE -D__ELF__=1 \
        '-DElfW(type)=Elf64_##type' -I src -I include -I preload -I tools/secretssl src preload tools
}

# with_cache COMMAND…: objects that were compiled before, in another clone too, come from a cache. Their debug
# information names files in another way: not for what is shipped, whose every byte is compared. Each file is
# preprocessed (no direct mode), because __has_include also depends on headers that were missing before.
with_cache()
{
    if command -v ccache >/dev/null; then
        env CMAKE_C_COMPILER_LAUNCHER=ccache CCACHE_DIR="$(./scripts/cache)/ccache" CCACHE_BASEDIR="$PWD" \
            CCACHE_NOHASHDIR=1 CCACHE_NODIRECT=1 CCACHE_MAXSIZE=2G CCACHE_SLOPPINESS=time_macros "$@"
    else
        "$@"
    fi
}

# build PRESET [TARGET…]
build()
{
    local preset=$1 cached=with_cache
    shift
    [ "$preset" != release ] || cached=env
    $cached cmake --preset "$preset" && $cached cmake --build --preset "$preset" ${1:+--target "$@"}
}

# For its warnings, which do not depend on optimisation.
build_with_clang()
{
    with_cache env CC=clang cmake -S . -B build/clang -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG=-g0 \
        -DSECRETSSL_TESTS=ON -DSECRETSSL_BENCH=ON &&
        with_cache cmake --build build/clang
}

# build_for PROCESSOR: libraries only. On riscv64 no instruction marks targets of indirect calls yet.
build_for()
{
    with_cache cmake -S . -B "build/$1" -G Ninja -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="$1" \
        -DCMAKE_C_COMPILER="$1-linux-gnu-gcc" -DSECRETSSL_TOOLS=OFF &&
        with_cache cmake --build "build/$1" || return
    [ "$1" != aarch64 ] || python3 -B test/system/test_binary.py branch_targets --build "build/$1"
}

# The compiler's own analyzer. Not the tool: gcc 12 takes strings that a list keeps for lost.
build_with_analyzer()
{
    with_cache env CC=gcc cmake -S . -B build/analyzer -G Ninja -DCMAKE_BUILD_TYPE=Debug \
        -DCMAKE_C_FLAGS=-fanalyzer -DCMAKE_C_FLAGS_DEBUG='-O1 -g0' -DSECRETSSL_TOOLS=OFF &&
        with_cache cmake --build build/analyzer
}

# What distributions build packages with. The assembly must still find what it calls.
build_with_lto()
{
    with_cache cmake -S . -B build/lto -G Ninja -DCMAKE_C_FLAGS=-flto=auto -DSECRETSSL_TOOLS=OFF &&
        with_cache cmake --build build/lto --target secretssl_preload &&
        python3 -B test/install/symbols.py dynamic build/lto/lib/libsecretssl.so \
            test/install/symbols/libsecretssl.txt &&
        LD_PRELOAD=$PWD/build/lto/lib/libsecretssl.so SECRETSSL_REQUIRE=1 openssl rand -hex 8
}

# hardened OBJECT: what distributions' checkers look for in an object that is installed.
hardened()
{
    local headers
    headers=$(readelf --wide --program-headers --dynamic "$1") &&
        grep -q GNU_RELRO <<<"$headers" && grep -qE 'BIND_NOW|\(FLAGS.*NOW' <<<"$headers" &&
        ! grep -qE 'GNU_STACK.* RWE|GNU_STACK.*E *0x' <<<"$headers" &&
        readelf --wide --symbols "$1" | grep -q '__stack_chk_fail'
}

# cmake -B build, without a preset or a setting: what a packager or a newcomer types.
build_plain()
{
    rm -rf build/plain
    cmake -S . -B build/plain && cmake --build build/plain -j "$jobs" || return
    grep -q '^CMAKE_BUILD_TYPE:STRING=RelWithDebInfo$' build/plain/CMakeCache.txt || return
    for object in lib/libsecretssl.so lib/libsecretmem.so bin/secretssl; do
        hardened "build/plain/$object" || {
            echo "build/plain/$object is not hardened"
            return 1
        }
    done
}
