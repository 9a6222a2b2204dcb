# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the parts are sourced into one shell by run
# Patches of kernel-patches/next on top of a base's series: --next. verified.json vouches for what
# build.sh builds, so that this is a tree of its own, which begins as a copy of the one with the series.

# Trees kept of all bases and patches.
readonly next_trees_kept=6

# check_next BASE NAME…: each has a patch for the base.
check_next()
{
    local base=$1 name
    shift
    for name; do
        [ -r "$patches_dir/next/$name-$base.patch" ] ||
            usage_error "--next '$name': there is no kernel-patches/next/$name-$base.patch"
    done
}

# build_next BASE DEBUG(yes|no) NAME…: after build_kernel; leaves the tree's directory in $tree, with a
# shared lock as build_kernel's. NAME.config, if there is one, is added to the configuration.
build_next()
{
    local base=$1 from=$tree patches='' fragments='' suffix='' name start=$SECONDS old next_lock
    [ "$2" = no ] || suffix=-debug
    shift 2
    suffix=-lab-next$(printf -- '-%s' "$@")$suffix
    for name; do
        patches=$patches${patches:+$'\n'}$patches_dir/next/$name-$base.patch
        [ ! -e "$patches_dir/next/$name.config" ] || fragments="$fragments $patches_dir/next/$name.config"
    done
    # As for the series, a changelog makes no other kernel; the names are in the kernel's version.
    # shellcheck disable=SC2086 # a list of paths without spaces
    tree=$cache/next-${from##*/}-$({
        echo "$suffix" && xargs -d '\n' sed -s '1,/^---$/d' -- <<<"$patches"
        [ -z "$fragments" ] || cat $fragments
    } | sha256sum | cut -c 1-16)
    exec {next_lock}>"$tree.lock"
    flock "$next_lock"
    [ -e "$tree/done" ] || {
        say "building $base with $*; log: $tree/build.log"
        rm -rf "$tree"
        mkdir -p "$tree"
        cp -a "$from/linux" "$tree/linux"
        apply_patches "$base" "$tree" "$patches"
        # shellcheck disable=SC2086 # a list of paths without spaces
        [ -z "$fragments" ] || cat $fragments >>"$tree/linux/.config"
        run_make "$tree" olddefconfig
        # shellcheck disable=SC2086 # a list of paths without spaces
        [ -z "$fragments" ] || check_config "$base" "$tree/linux/.config" "$(printf '%s\n' $fragments)"
        run_make "$tree" -j"$(nproc)" LOCALVERSION="$suffix" bzImage
        touch "$tree/done"
        say "built $base with $* in $((SECONDS - start)) s"
    }
    flock -s "$next_lock"
    touch "$tree"
    # shellcheck disable=SC2012 # names are ours
    ls -dt "$cache"/next-*/ | tail -n +"$((next_trees_kept + 1))" | while read -r old; do
        flock -n "${old%/}.lock" rm -rf "${old%/}" || true
    done
}

# add_next_tests JOB NAME…: after prepare_tests; makes $command run each next/NAME.c that there is before the
# lab's own tests.
add_next_tests()
{
    local job=$1 name
    local -a added=()
    shift
    for name; do
        [ -e "$patches_dir/next/$name.c" ] || continue
        compile_test "$patches_dir/next/$name.c" "$job/next-$name" -D_GNU_SOURCE -Wall -Wextra -Werror
        added+=("$job/next-$name")
    done
    command=("${command[@]:0:3}" "${added[@]}" "${command[@]:3}")
}
