# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What passed need not be done again while nothing that it depends on has changed. Only for guests, which
# take most of the time of a full run, and whose every input is known: files, packages, a kernel.

# Of steps in full; scripts/test kernel does everything anew.
remembering=no

# inputs_of BASE: what a guest of a base shows depends on these files. Documents cannot fail a guest.
inputs_of()
{
    find CMakeLists.txt CMakePresets.json src preload include tools test scripts/lib/kernel.sh kernel-patches/lab \
        "kernel-patches/$1" -type f ! -name '*.md' ! -name '*.pyc' ! -name verified.json -print0 |
        sort -z | xargs -0 sha256sum
}

# key_of BASE WORD…: the files, every package of this machine, the kernels, and what is done.
key_of()
{
    local base=$1 kernels
    kernels=$(./scripts/cache)/kernel
    {
        inputs_of "$base"
        dpkg-query -W -f '${Package} ${Version}\n'
        $lab/verified newest "$base"
        basename -a "$kernels/stock-$base"-*/
        echo "$@"
    } 2>&1 | sha256sum | cut -d ' ' -f 1
}

# unless_it_passed BASE COMMAND…
unless_it_passed()
{
    local directory key kept
    directory=$(./scripts/cache)/passed
    key=$(key_of "$@")
    kept=$directory/$key
    if [ $remembering = yes ] && [ -e "$kept" ]; then
        echo "$remembered $(cat "$kept")"
        return 0
    fi
    "${@:2}" || return
    # The kernel may have been fetched meanwhile.
    mkdir -p "$directory" && date '+%Y-%m-%d %H:%M' >"$directory/$(key_of "$@")"
    find "$directory" -type f -mtime +30 -delete
}
