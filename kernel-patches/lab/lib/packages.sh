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

# suite_of BASE: the suite of Debian that has a base which the supported releases do not have.
suite_of()
{
    case $1 in
    7.3) echo trixie-backports ;;
    esac
}

# use_archive BASE: from now on apt finds the packages of that base. What the machine's own lists lack is
# looked up in lists of that suite alone, which lie in the cache: the machine's sources stay as they are.
own_lists=''
use_archive()
{
    local suite mirror
    own_lists=''
    suite=$(suite_of "$1")
    [ -n "$suite" ] && ! apt-cache show "linux-source-$1" >/dev/null 2>&1 || return 0
    # shellcheck disable=SC2016 # for apt
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' \
        'Origin: Debian' 'Label: Debian' | awk '$2 !~ /-/ && !found { print $1; found = 1 }')
    [ -n "$mirror" ] || die "this machine's apt has no source of Debian's packages: apt-get update"
    own_lists=$cache/apt-$suite
    mkdir -p "$own_lists/lists/partial" "$own_lists/cache/archives/partial"
    printf 'deb [signed-by=%s] %s %s main\n' /usr/share/keyrings/debian-archive-keyring.gpg \
        "$mirror" "$suite" >"$own_lists/sources.list"
    cat >"$own_lists/apt.conf" <<END
Dir::Etc::SourceList "$own_lists/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$own_lists/lists";
Dir::Cache "$own_lists/cache";
APT::Sandbox::User "root";
Acquire::Check-Valid-Until "false";
END
}

# in_archive COMMAND…: apt's commands, with the lists that use_archive has chosen.
in_archive()
{
    if [ -n "$own_lists" ]; then
        APT_CONFIG=$own_lists/apt.conf "$@"
    else
        "$@"
    fi
}

# refresh_lists: once for each run
lists_refreshed=no
refresh_lists()
{
    [ $lists_refreshed = no ] || return 1
    lists_refreshed=yes
    [ -n "$own_lists" ] || [ "$(id -u)" -eq 0 ] || return 1
    in_archive apt_get update >/dev/null 2>&1
}

# newest_version PACKAGE: the newest version that the package lists have, or nothing.
newest_version()
{
    in_archive apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: *//p' | grep -vxF '(none)'
}

# download DIRECTORY PACKAGE[=VERSION]: puts the package's file there, without installing it.
download()
{
    (cd "$1" && in_archive apt-get -q -o APT::Sandbox::User=root download "$2") >>"$1/download.log" 2>&1
}
