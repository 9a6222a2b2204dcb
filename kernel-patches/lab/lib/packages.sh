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

# install_packages PACKAGE…: installs what is missing of what a build needs, and of these.
install_packages()
{
    local package
    local -a missing=()
    for package in qemu-system-x86 build-essential bc bison flex libelf-dev libssl-dev xz-utils \
        patch cpio busybox-static ccache libcap-dev kmod e2fsprogs "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0

    say "installing ${missing[*]}"
    [ "$(id -u)" -eq 0 ] || die "only root can install packages; as root: apt-get install ${missing[*]}"
    # The package lists may be missing or older than what the mirror still has.
    apt_get install --no-install-recommends "${missing[@]}" && return 0
    apt_get update || say "could not refresh the package lists"
    apt_get install --no-install-recommends "${missing[@]}" || die "could not install ${missing[*]}"
}

# newest_version PACKAGE: the newest version that the package lists have, or nothing.
newest_version()
{
    apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: *//p' | grep -vxF '(none)'
}

# download DIRECTORY PACKAGE[=VERSION]: puts the package's file there, without installing it.
download()
{
    (cd "$1" && apt-get -q -o APT::Sandbox::User=root download "$2") >"$1/download.log" 2>&1
}
