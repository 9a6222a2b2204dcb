# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the parts are sourced into one shell by run
# A patch of kernel-patches/next on top of a base's series: --next. verified.json vouches for what
# build.sh builds, so that this is a tree of its own, which begins as a copy of the one with the series.

# Trees kept of all bases and patches.
readonly next_trees_kept=3

# build_next BASE NAME DEBUG(yes|no): after build_kernel; leaves the tree's directory in $tree, with a
# shared lock as build_kernel's.
build_next()
{
    local from=$tree patch_file=$patches_dir/next/$2-$1.patch suffix=-lab-next-$2 start=$SECONDS old next_lock
    [ "$3" = no ] || suffix=$suffix-debug
    # As for the series, a changelog makes no other kernel; the name is in the kernel's version.
    tree=$cache/next-${from##*/}-$({ echo "$2" && sed '1,/^---$/d' "$patch_file"; } | sha256sum | cut -c 1-16)
    exec {next_lock}>"$tree.lock"
    flock "$next_lock"
    [ -e "$tree/done" ] || {
        say "building $1 with $2; log: $tree/build.log"
        rm -rf "$tree"
        mkdir -p "$tree"
        cp -a "$from/linux" "$tree/linux"
        apply_patches "$1" "$tree" "$patch_file"
        run_make "$tree" olddefconfig
        run_make "$tree" -j"$(nproc)" LOCALVERSION="$suffix" bzImage
        touch "$tree/done"
        say "built $1 with $2 in $((SECONDS - start)) s"
    }
    flock -s "$next_lock"
    touch "$tree"
    # shellcheck disable=SC2012 # names are ours
    ls -dt "$cache"/next-*/ | tail -n +"$((next_trees_kept + 1))" | while read -r old; do
        flock -n "${old%/}.lock" rm -rf "${old%/}" || true
    done
}

# add_next_test JOB NAME: after prepare_tests; makes $command run next/NAME.c, if there is one, before the
# lab's own tests.
add_next_test()
{
    local source=$patches_dir/next/$2.c
    [ -e "$source" ] || return 0
    compile_test "$source" "$1/next-$2" -D_GNU_SOURCE -Wall -Wextra -Werror
    command=("${command[@]:0:3}" "$1/next-$2" "${command[@]:3}")
}
