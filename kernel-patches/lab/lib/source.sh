# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the parts are sourced into one shell by run
# Debian's kernel source of a base, in the version that the series was verified with.

# verified_source BASE: the version in verified.json, or nothing.
verified_source()
{
    "$lab_dir/verified" source "$1" 2>/dev/null || true
}

# fetch_source BASE: leaves the archive in $source_archive and its version in $source_version. A mirror
# drops old versions: the newest one is taken where the verified one is gone, and both are named.
fetch_source()
{
    local package=linux-source-$1 wanted newest work
    use_archive "$1"
    wanted=$(verified_source "$1")
    for source_version in "$wanted" newest; do
        [ "$source_version" != newest ] || source_version=$(newest_source "$package")
        [ -n "$source_version" ] || continue
        source_archive=$cache/source/$package-$source_version.tar.xz
        [ ! -e "$source_archive" ] || break
        mkdir -p "$cache/source"
        work=$(mktemp -d "$cache/source/new.XXXXXX")
        if download "$work" "$package=$source_version" ||
            { refresh_lists && download "$work" "$package=$source_version"; }; then
            dpkg-deb --fsys-tarfile "$work"/*.deb |
                tar -x -C "$work" --strip-components=3 "./usr/src/$package.tar.xz" ||
                die "$package $source_version has no usr/src/$package.tar.xz"
            mv "$work/$package.tar.xz" "$source_archive"
        fi
        rm -rf "$work"
        [ ! -e "$source_archive" ] || break
    done
    [ -e "$source_archive" ] ||
        die "could not download $package (bookworm-security and trixie have 6.12, trixie-backports 7.3)"
    [ -z "$wanted" ] || [ "$wanted" = "$source_version" ] ||
        say "$package $wanted, which the series was verified with, cannot be had any more:" \
            "$source_version is built instead"
}

# newest_source PACKAGE: the newest version on offer; reads the package lists anew if they have none.
newest_source()
{
    local version
    version=$(newest_version "$1") || { refresh_lists && version=$(newest_version "$1"); } || true
    printf '%s\n' "$version"
}
