# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the parts are sourced into one shell by run
# The lab's own tests: every tests/*.c, compiled here and run in the guest.

# prepare_tests BASE JOB: compiles them and makes $command run them.
prepare_tests()
{
    local source name
    mkdir "$2/tests"
    for source in "$lab_dir"/tests/*.c; do
        name=$(basename "$source" .c)
        gcc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -pthread \
            -o "$2/tests/$name" "$source" || die "could not compile $source"
    done
    command=("$lab_dir/guest/run-tests" "$1" "$2"/tests/*)
}
