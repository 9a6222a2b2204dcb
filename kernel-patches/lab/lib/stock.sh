# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the parts are sourced into one shell by run
# Debian's own kernel of a base, as users run it: the control without the patches.

# What the first process needs to mount the machine's files, in this order; and what the tests ask for.
readonly stock_modules='virtio_pci virtio_console 9pnet_virtio 9p overlay virtio-rng virtio_blk brd hwpoison-inject'
# What the lab's own configuration has built in. KASLR stays on, as users have it.
readonly stock_args='transparent_hugepage=madvise'

# stock_package BASE: the name of the newest image, not that for clouds, which has no 9p.
stock_package()
{
    in_archive apt-cache pkgnames "linux-image-$1." |
        grep -xE "linux-image-${1/./\\.}\.[0-9]+(\+deb[0-9]+)?(-[0-9]+)?-amd64" | sort -V | tail -n 1
}

# fetch_stock DIRECTORY PACKAGE: the image as its packages have it, with lists of its modules. From 7.0 on the
# image only depends on the packages with the kernel, its modules and their lists.
fetch_stock()
{
    local work=$1/new package archive
    rm -rf "$1"
    mkdir -p "$work"
    download "$work" "$2" || return 1
    for package in $(dpkg-deb -f "$work"/*.deb Depends | grep -oE 'linux-(base|binary|modules)-[^ ]*' || true); do
        download "$work" "$package" || return 1
    done
    for archive in "$work"/*.deb; do
        dpkg-deb -x "$archive" "$work/files" || die "could not unpack $archive"
    done
    rm -f "$work"/*.deb
    # Debian 13 has modules below usr/lib.
    [ -d "$work/files/lib/modules" ] || mv "$work/files/usr/lib" "$work/files/lib"
    depmod -b "$work/files" "$(basename "$work"/files/lib/modules/*)" || die "depmod failed"
    mv "$work/files" "$1/files"
    rm -rf "$work"
    touch "$1/done"
}

# stock_kernel BASE: leaves in $kernel_image, $release and $stock (the directory) what was found.
stock_kernel()
{
    local package lock
    use_archive "$1"
    mkdir -p "$cache"
    exec {lock}>"$cache/stock-$1.lock"
    flock "$lock"
    for _ in 1 2; do
        package=$(stock_package "$1") || true
        stock=$cache/stock-$1-${package:-none}
        [ ! -e "$stock/done" ] || break
        [ -z "$package" ] || ! fetch_stock "$stock" "$package" || break
        # The lists may be missing, or older than what the mirror still has.
        refresh_lists || true
    done
    exec {lock}>&-
    [ -e "$stock/done" ] ||
        die "could not download Debian's kernel, ${package:-linux-image-$1.*-amd64}"
    release=$(basename "$stock"/files/lib/modules/*)
    kernel_image=$stock/files/boot/vmlinuz-$release
    [ -e "$kernel_image" ] || kernel_image=$stock/files/lib/modules/$release/vmlinuz
    [ -r "$kernel_image" ] || die "$package has no vmlinuz-$release"
}

# add_modules ROOT: what the guest's first process loads, in order, and where all the others are.
add_modules()
{
    local module path name
    mkdir -p "$1/modules"
    for module in $stock_modules; do
        modprobe -d "$stock/files" -S "$release" -C /dev/null --show-depends "$module" ||
            die "Debian's $release has no module $module"
    done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' >"$1/modules/paths"
    while read -r path; do
        name=$(basename "$path")
        case $name in
        *.xz) xz -dc "$path" >"$1/modules/${name%.xz}" ;;
        *) cp "$path" "$1/modules/$name" ;;
        esac
        case $name in
        brd.*) name="${name%.xz} rd_nr=1 rd_size=16384" ;;
        *) name=${name%.xz} ;;
        esac
        printf '%s\n' "$name" >>"$1/modules/list"
    done <"$1/modules/paths"
    printf '%s\n' "$stock/files/lib/modules/$release" "$release" >"$1/modules/directory"
}
