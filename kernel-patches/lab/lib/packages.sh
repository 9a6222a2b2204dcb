# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the parts are sourced into one shell by run
# What the lab needs from Debian.

is_installed()
{
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

apt_get()
{
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 "$@" >&2
}

# install_packages BASE PACKAGE…: installs what is missing of what a build needs, and of these.
install_packages()
{
    local package
    local -a missing=()
    for package in "linux-source-$1" qemu-system-x86 build-essential bc bison flex libelf-dev \
        libssl-dev xz-utils patch cpio busybox-static ccache libcap-dev "${@:2}"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0

    say "installing ${missing[*]}"
    [ "$(id -u)" -eq 0 ] || die "only root can install packages; as root: apt-get install ${missing[*]}"
    # The package lists may be missing or older than what the mirror still has.
    apt_get install --no-install-recommends "${missing[@]}" && return 0
    apt_get update || say "could not refresh the package lists"
    apt_get install --no-install-recommends "${missing[@]}" ||
        die "could not install ${missing[*]} (linux-source-6.12 is in bookworm-security)"
}
