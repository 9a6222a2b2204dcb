# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the parts are sourced into one shell by run
# What runs in the guest without a COMMAND: every tests/*.c, and the kernel tree's own tests of
# memfd_secret, as they are, built by its own makefiles.

# compile_test SOURCE PROGRAM [OPTION…]
compile_test()
{
    gcc -std=gnu11 -O2 -pthread -o "$2" "$1" "${@:3}" || die "could not compile $1"
}

# build_selftests NAME OUTPUT PROGRAM…: builds programs of tools/testing/selftests/NAME with the kernel
# tree's own makefiles, in a copy: these write beside the sources, and the tree is shared.
build_selftests()
{
    local name=$1 output=$2 log=$2/make.log copy=$2/tree program part targets=''
    local -a parts=(tools/include tools/arch/x86/include tools/scripts scripts/subarch.include
        mm/gup_test.h)
    for part in Makefile lib.mk kselftest.h kselftest_harness.h kselftest x86 "$name"; do
        parts+=("tools/testing/selftests/$part")
    done
    mkdir -p "$copy"
    (cd "$tree/linux" && cp -a --parents "${parts[@]}" "$copy/") || die "could not copy the selftests"
    for program in "${@:3}"; do
        targets="$targets $output/kselftest/$name/$program"
    done
    # None but these: the others need libraries and headers that have nothing to do with them.
    make -C "$copy/tools/testing/selftests" TARGETS="$name" O="$output" TEST_GEN_PROGS= \
        TEST_GEN_FILES="$targets" >"$log" 2>&1 || die_with_log "$log" "make of the selftests failed"
    for program in "${@:3}"; do
        [ -x "$output/kselftest/$name/$program" ] ||
            die_with_log "$log" "make has not built the selftest $program"
        # The output is known by where it is from.
        mv "$output/kselftest/$name/$program" "$output/selftest-$program"
    done
}

# prepare_tests BASE JOB KIND(patched|plain|stock): compiles them and makes $command run them.
prepare_tests()
{
    local source kind=unpatched
    local -a selftests=(memfd_secret)
    mkdir "$2/tests" "$2/selftests" "$2/last"
    for source in "$lab_dir"/tests/*.c; do
        compile_test "$source" "$2/tests/$(basename "$source" .c)" -D_GNU_SOURCE -Wall -Wextra -Werror
    done
    if [ "$3" = stock ]; then
        # Debian's kernels do not show their page tables: the lab's own without the patches does.
        rm "$2/tests/image"
    else
        [ "$3" = plain ] || { kind=patched && selftests+=(memfd_secret_blocks); }
        build_selftests mm "$2/selftests" "${selftests[@]}"
        mv "$2"/selftests/selftest-* "$2/tests/"
    fi
    mv "$2/tests/inject" "$2/tests/poison" "$2/last"
    command=("$lab_dir/guest/run-tests" "$1" "$kind" "$2"/tests/* -- "$2"/last/*)
}
