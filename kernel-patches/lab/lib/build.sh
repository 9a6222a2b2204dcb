# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the parts are sourced into one shell by run
# A kernel for each base, series of patches and configuration, built once and kept.

# Part of the key: raise it when the recipe below builds something else from the same input.
readonly recipe=1
# Trees kept for each base; one takes about 2 GiB.
readonly trees_kept=5

# list_series BASE: the patches of a base, in order, one path a line.
list_series()
{
    local series=$patches_dir/$1/series name
    while read -r name _; do
        case $name in '' | '#'*) continue ;; esac
        [ -f "$patches_dir/$1/$name" ] || die "$series names $name, which does not exist"
        printf '%s\n' "$patches_dir/$1/$name"
    done <"$series"
}

# list_fragments BASE KIND(patched|plain) DEBUG(yes|no): the pieces of configuration.
list_fragments()
{
    printf '%s\n' "$lab_dir/config/common.config" "$lab_dir/config/userland.config"
    [ ! -f "$lab_dir/config/$1.config" ] || printf '%s\n' "$lab_dir/config/$1.config"
    [ "$2" = plain ] || printf '%s\n' "$lab_dir/config/patched.config"
    if [ "$3" = yes ]; then
        printf '%s\n' "$lab_dir/config/debug.config"
    else
        printf '%s\n' "$lab_dir/config/network.config"
    fi
}

# tree_key BASE PATCHES FRAGMENTS: a name for everything that goes into the build.
tree_key()
{
    {
        printf '%s\n' "$recipe" "$1" "$source_version"
        dpkg-query -W -f '${Package} ${Version}\n' gcc binutils
        # The contents only, so that another checkout's path makes no difference; and of the
        # patches what changes a file: a changelog does not change a kernel.
        printf 'series\n'
        [ -z "$2" ] || xargs -d '\n' sed -s '1,/^---$/d' -- <<<"$2"
        printf 'config\n'
        xargs -d '\n' cat -- <<<"$3"
    } | sha256sum | cut -c 1-16
}

# unpack_source TREE: what fetch_source has left.
unpack_source()
{
    mkdir -p "$1/linux"
    tar -C "$1/linux" --strip-components=1 -xf "$source_archive" ||
        die "could not unpack $source_archive"
}

# copy_plain BASE TREE: the base as it was built without patches, if it was: make then builds
# what the patches change.
copy_plain()
{
    local from status=1 lock
    from=$cache/$1-$(tree_key "$1" '' "$(list_fragments "$1" plain no)")
    exec {lock}>"$from.lock"
    if flock -s -n "$lock" && [ -e "$from/done" ]; then
        mkdir -p "$2"
        cp -a "$from/linux" "$2/linux" && status=0
    fi
    exec {lock}>&-
    return $status
}

# apply_patches BASE TREE PATCHES
apply_patches()
{
    local tree=$2 patch_file
    [ -n "$3" ] || return 0
    while read -r patch_file; do
        patch -d "$tree/linux" -p1 --fuzz=0 --forward --batch <"$patch_file" \
            >"$tree/patch.log" 2>&1 ||
            die_with_log "$tree/patch.log" "$patch_file does not apply to linux-source-$1"
    done <<<"$3"
}

# Settings that a base does not have (any more); nothing else may be dropped.
readonly not_in_base='
7.3-CONFIG_PROC_SYSCTL
'

# check_config BASE CONFIG FRAGMENTS: the configuration tools drop what they cannot satisfy without a word.
check_config()
{
    local wanted dropped=
    while read -r wanted; do
        grep -qxF -- "$wanted" "$2" || grep -qxF -e "$1-${wanted%%=*}" <<<"$not_in_base" ||
            dropped="$dropped ${wanted%%=*}"
    done < <(xargs -d '\n' grep -h '^CONFIG_.*=' -- <<<"$3")
    [ -z "$dropped" ] || die "$1 does not take the configuration's$dropped"
}

# run_make TREE ARG…: make in the tree, with what would make two builds differ held still.
run_make()
{
    local tree=$1
    shift
    CCACHE_DIR=$cache/ccache CCACHE_BASEDIR=$tree CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=2G \
        KBUILD_BUILD_TIMESTAMP='1970-01-01' KBUILD_BUILD_USER=lab KBUILD_BUILD_HOST=lab \
        nice -n 10 make -C "$tree/linux" ARCH=x86_64 CC='ccache gcc' "$@" >>"$tree/build.log" 2>&1 ||
        die_with_log "$tree/build.log" "make $* failed"
}

# configure BASE TREE FRAGMENTS
configure()
{
    # One fragment, beside the tree: merge_config.sh does not quote what it is given.
    xargs -d '\n' cat -- <<<"$3" >"$2/lab.config"
    run_make "$2" tinyconfig
    (cd "$2/linux" && scripts/kconfig/merge_config.sh -m .config ../lab.config) \
        >>"$2/build.log" 2>&1 || die_with_log "$2/build.log" "could not merge the configuration"
    run_make "$2" olddefconfig
    check_config "$1" "$2/linux/.config" "$3"
}

# Removes the trees of a base that nobody used lately and nobody uses now.
prune_trees()
{
    local tree
    # shellcheck disable=SC2012 # names are ours: the base, a dash and hexadecimal digits
    ls -dt "$cache/$1"-*/ 2>/dev/null | tail -n +"$((trees_kept + 1))" | while read -r tree; do
        tree=${tree%/}
        flock -n "$tree.lock" rm -rf "$tree" || true
    done
}

# lock_tree SHARED-OR-EXCLUSIVE
lock_tree()
{
    flock -n "$1" "$tree_lock" && return
    say "waiting for another run that builds this kernel"
    flock "$1" "$tree_lock"
}

# build_kernel BASE KIND(patched|plain) DEBUG(yes|no): leaves the tree's directory in $tree and a shared
# lock on it, held until this shell ends.
build_kernel()
{
    local base=$1 patches='' fragments suffix=-lab start=$SECONDS
    fetch_source "$base"
    if [ "$2" = patched ]; then
        patches=$(list_series "$base")
        suffix=-lab-patched
    fi
    [ "$3" = no ] || suffix=$suffix-debug
    fragments=$(list_fragments "$base" "$2" "$3")
    tree=$cache/$base-$(tree_key "$base" "$patches" "$fragments")

    [[ $cache != *[:,[:space:]]* ]] ||
        die "$cache: the kernel's makefiles and QEMU need a path without spaces, colons and commas"
    mkdir -p "$cache"
    exec {tree_lock}>"$tree.lock"
    lock_tree -s
    until [ -e "$tree/done" ]; do
        lock_tree -x
        [ -e "$tree/done" ] || {
            say "building $base (several minutes the first time); log: $tree/build.log"
            rm -rf "$tree"
            if [ "$2-$3" != patched-no ] || ! copy_plain "$base" "$tree"; then
                rm -rf "$tree"
                unpack_source "$tree"
            fi
            apply_patches "$base" "$tree" "$patches"
            configure "$base" "$tree" "$fragments"
            run_make "$tree" -j"$(nproc)" LOCALVERSION="$suffix" bzImage
            touch "$tree/done"
            say "built $base in $((SECONDS - start)) s"
        }
        # Not atomic: another may remove the tree in between, hence the loop.
        lock_tree -s
    done
    touch "$tree"
    prune_trees "$base"
}
