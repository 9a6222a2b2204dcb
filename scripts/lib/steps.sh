# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Steps of scripts/test: one line each with the seconds it took, and a closing count.

passed=0 failed=0 skipped=0
failures=() # their names, which close repeats at the end of a long output
jobs=$(nproc)
logs=build/log
mkdir -p "$logs"

log_of()
{
    printf '%s/%s\n' "$logs" "${1//[^a-zA-Z0-9.]/-}"
}

# A step says so at the start of its output, behind "# " (remember.sh). Another note stands behind "# note: ".
remembered='nothing has changed since it passed,'

# report NAME STATUS SECONDS LOG: the line of a step; its output only if it failed.
report()
{
    local since=''
    if [ "$2" = 0 ]; then
        since=$(sed -n -e "1s/^# \\($remembered\\)/: \\1/p" -e 's/^# note: /: /p' "$4" | head -n 1)
        echo "ok - $1 ($3 s)$since"
        passed=$((passed + 1))
    else
        echo "not ok - $1 ($3 s)"
        tail -n 60 "$4" | sed 's/^/    /'
        failed=$((failed + 1)) failures+=("$1")
    fi
    return "$2"
}

# check NAME COMMAND…
check()
{
    local name=$1 log start=$SECONDS status=0
    log=$(log_of "$1")
    shift
    "$@" >"$log" 2>&1 || status=$?
    report "$name" $status $((SECONDS - start)) "$log"
}

# begin NAME COMMAND…: the same in the background; finish waits for all that was begun, and reports.
begun=()
begin()
{
    local name=$1 log
    log=$(log_of "$1")
    shift
    (
        start=$SECONDS status=0
        "$@" >"$log" 2>&1 || status=$?
        echo "$status $((SECONDS - start))" >"$log.status"
    ) &
    begun+=("$! $name")
}
finish()
{
    local pid name status seconds log
    while [ ${#begun[@]} -gt 0 ]; do
        read -r pid name <<<"${begun[0]}"
        begun=("${begun[@]:1}")
        wait "$pid"
        log=$(log_of "$name")
        read -r status seconds <"$log.status"
        report "$name" "$status" "$seconds" "$log"
    done
}

# ctest_run PRESET ARG…: each test's own line, and its part of the count.
ctest_run()
{
    local preset=$1 name log good bad none
    log=$(log_of "ctest-$1")
    shift
    ctest --preset "$preset" -j "$test_jobs" --timeout 300 --no-tests=error "$@" 2>&1 | tee "$log" |
        sed -un -e "s/^ *[0-9]*\/[0-9]* Test *#[0-9]*: \([^ ]*\) \.* *Passed *\([0-9]*\).*/ok - $preset \1 (\2 s)/p" \
            -e "s/^ *[0-9]*\/[0-9]* Test *#[0-9]*: \([^ ]*\) \.*\**Skipped.*/skipped - $preset \1/p" \
            -e "s/^ *[0-9]*\/[0-9]* Test *#[0-9]*: \([^ ]*\) \.*\**\(.*\)  *[0-9.]* sec.*/not ok - $preset \1 (\2)/p"
    good=$(grep -cE '^ *[0-9]+/[0-9]+ Test .* Passed ' "$log")
    none=$(grep -cE '^ *[0-9]+/[0-9]+ Test .*\*\*\*Skipped' "$log")
    bad=$(($(grep -cE '^ *[0-9]+/[0-9]+ Test .*\*\*\*' "$log") - none))
    if [ "$bad" -gt 0 ]; then
        grep -vE '^ *[0-9]+/[0-9]+ Test .* Passed |^ *Start ' "$log" | tail -n 150 | sed 's/^/    /'
        while read -r name; do
            failures+=("$preset $name")
        done < <(sed -n '/\*\*\*Skipped/!s/^ *[0-9]*\/[0-9]* Test *#[0-9]*: \([^ ]*\) \.*[^*]*\*\*\*.*/\1/p' "$log")
    fi
    if [ $((good + bad + none)) = 0 ]; then
        echo "not ok - $preset: ctest ran nothing"
        tail -n 20 "$log" | sed 's/^/    /'
        bad=1 failures+=("$preset: ctest ran nothing")
    fi
    passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + none))
}

# On the reference machine everything can be tested: what is skipped there was not shown.
is_reference()
{
    # shellcheck source=/dev/null
    [ "$(id -u)" = 0 ] && (. /etc/os-release && [ "$ID-$VERSION_ID" = debian-12 ])
}

# close: the closing count; its status is that of the whole run.
close()
{
    [ ${#failures[@]} = 0 ] || printf 'failed: %s\n' "${failures[@]}"
    echo "$((SECONDS / 60)) minutes $((SECONDS % 60)) seconds"
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ] || return 1
    if [ "$skipped" != 0 ] && is_reference; then
        echo "test: nothing may be skipped on Debian 12 as root" >&2
        return 1
    fi
}
