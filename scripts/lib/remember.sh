# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What passed need not be done again while nothing that it depends on has changed. Only for guests, for another system
# and for analysers, which take most of the time of a full run: what they show depends on the sources, the machine's
# packages, and the kernels. CONTRIBUTING.md says what is not seen (programs that are no package, another compiler by hand).

# The hash of the sources from which build/release was made. Empty if the build failed, and for scripts/test kernel,
# which does everything anew.
built_from=''

# What a guest shows depends on these files. Documents cannot fail a guest.
hash_of_sources()
{
    find CMakeLists.txt CMakePresets.json src preload include tools test scripts/lib scripts/lint scripts/setup \
        kernel-patches .clang-tidy .clang-format \
        -type f ! -name '*.md' ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum | sha256sum
}

# key_of BASES WORD…: the sources, every package of this machine, its kernel, whether it has protection keys, the
# kernels of guests that there are and could be (none if BASES is empty), and what is done.
key_of()
{
    local base
    {
        echo "$built_from"
        dpkg-query -W -f '${Package} ${Version}\n'
        uname -r
        grep -cw ospke /proc/cpuinfo
        for base in $1; do
            $lab/verified newest "$base"
            apt-cache pkgnames "linux-image-$base." | sort
            basename -a "$(./scripts/cache)/kernel/stock-$base"-*/
        done
        echo "$@"
    } 2>&1 | sha256sum | cut -d ' ' -f 1
}

# unless_it_passed BASES COMMAND…
unless_it_passed()
{
    local directory kept
    if [ -z "$built_from" ]; then
        "${@:2}"
        return
    fi
    directory=$(./scripts/cache)/passed
    kept=$directory/$(key_of "$@")
    if [ -n "$(find "$kept" -mtime -30 2>/dev/null)" ]; then
        echo "# $remembered $(cat "$kept")"
        return 0
    fi
    "${@:2}" || return
    # Not what was edited meanwhile. The guest's kernel may have been fetched meanwhile, so the key is a new one.
    if [ "$built_from" = "$(hash_of_sources)" ] && mkdir -p "$directory"; then
        date '+%Y-%m-%d %H:%M' >"$directory/$(key_of "$@")"
        find "$directory" -type f -mtime +30 -delete 2>/dev/null
    fi
    return 0
}

# excusing COMMAND…: status 75 is no failure, and nothing that passed either. The command says why, behind "# note: ".
excusing()
{
    local status=0
    "$@" || status=$?
    [ "$status" != 75 ] || status=0
    return "$status"
}
