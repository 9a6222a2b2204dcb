# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the parts are sourced into one shell by run
# Messages, exit statuses and places that every part of the lab uses.

# As timeout(1) and env(1) have them: COMMAND's own statuses are below.
readonly status_timeout=124 status_lab=125

lab_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
patches_dir=$(dirname "$lab_dir")
checkout=$(dirname "$patches_dir")
cache=$("$checkout/scripts/cache")/kernel
readonly lab_dir patches_dir checkout cache

say()
{
    printf 'lab: %s\n' "$*" >&2
}

die()
{
    say "$*"
    exit "$status_lab"
}

usage_error()
{
    printf 'lab: %s\n' "$*" >&2
    exit 2
}

# die_with_log LOG MESSAGE: shows the end of the log that explains the failure.
die_with_log()
{
    local log=$1
    shift
    tail -n 25 "$log" | sed 's/^/lab: | /' >&2
    die "$* (all of it: $log)"
}
