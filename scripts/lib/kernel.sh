# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The kernels: functions for the steps of scripts/test. kernel-patches/lab/README.md says what a base, a
# series and the lab are.

lab=./kernel-patches/lab
bases="6.12 7.3"
# Debian's own kernels, on which the project runs too.
stock_bases="6.12 6.1 7.3"

# stock_today: the one of Debian's releases whose kernel full has today: each takes as long as everything else there.
stock_today()
{
    [ $(($(date +%s) / 86400 % 2)) -eq 0 ] && echo 6.12 || echo 6.1
}

# The checks of a series that are short: its tests in a guest that has a small reservation on two nodes,
# and those of the patches' own code; and the tests on Debian's own kernel, as the control.
kernel_patched()
{
    emulated $lab/run --memory 1G --nodes --append secretmem=8M "$1" && $lab/check --quick "$1" kunit
}
# kernel_stock BASE…
kernel_stock()
{
    local base status=0
    for base; do
        emulated $lab/run --unpatched --memory 1G "$base" || status=1
    done
    return $status
}

# emulated COMMAND…: runs something in a guest, and once more if QEMU has broken the guest's kernel, which says so:
# - the kernel was single-stepped, which nobody asked for. It warns of that in exc_debug_kernel (arch/x86/kernel/traps.c
#   names QEMU as a known cause), and each test that reads the log then fails;
# - Debian's own kernel panicked (status 125): one processor ran code that the other one was patching.
# Both are rare. Any other finding stands.
emulated()
{
    local output status=0
    output=$(mktemp)
    "$@" >"$output" || status=$?
    cat "$output"
    if [ $status -ne 0 ] && only_stepped "$output"; then
        echo "# note: the emulator single-stepped the kernel (exc_debug_kernel): the guest was started once more"
    elif [ $status -eq 125 ] && [[ " $* " == *" --unpatched "* ]]; then
        echo "# note: Debian's own kernel panicked in the emulator: the guest was started once more"
    else
        rm -f "$output"
        return $status
    fi
    rm -f "$output"
    "$@"
}

# only_stepped FILE: the tests that failed are those of the kernel's log, and the log has this warning only.
only_stepped()
{
    grep -qE 'WARNING: .* exc_debug_kernel\+' "$1" &&
        ! grep -E 'WARNING|BUG|INFO: |KASAN|UBSAN|Oops' "$1" | grep -qvE ' exc_debug_kernel\+' &&
        ! grep -E '^ {4,}not ok' "$1" | grep -qvE 'the kernel has found nothing wrong|# exit status|the kernel.s own checks'
}

# kernel_boots BASE: what is left to ask of a base that is newer than what the series was verified with.
kernel_boots()
{
    $lab/run "$1" -- true
}

# The project where this machine's kernel cannot show it: with memory that is charged by the user and
# the page, where a touch beyond the limit is SIGBUS, and with uncached memory.
short_tests='^unit\.(own_arena(_fork|_refused)?|sealed_arena(_fork)?|backing|huge_blocks|uncached|sandbox|fork_limits|fallback)$|^system\.(degrade\.memlock|s_server\.tls13_ecdsa|fork\.deny)|^system\.(nginx\.load_reload_kill|doctor\.(works|memlock|uncached)|stat\.(figures|degraded|uncached_bytes|blocks))$|^system\.lab\.'
long_tests='^unit\.|^system\.(degrade\.memlock|scan|s_server|nginx\.load_reload_kill$|fork\.(deny|torn|free|storm))|^system\.(doctor\.(works|memlock|uncached)|stat\.(figures|forked|degraded|uncached_bytes|uncached_gone|blocks|nginx))$|^system\.lab\.'
# kernel_project BASE TESTS stock|patched: one test after the other, as they share what a user may lock.
# system.lab is of the configuration lab: it needs modules, which Debian's kernels have.
kernel_project()
{
    local base=$1 tests=$2
    local -a options=(--unpatched) environment=() configuration=(-C lab)
    [ "$3" = stock ] || {
        options=(--append secretmem.uncached_all=1)
        environment=(env LIBSECRETSSL_TEST_UNCACHED=require) configuration=()
    }
    emulated $lab/run --timeout 1500 "${options[@]}" "$base" -- "${environment[@]}" \
        ctest --test-dir "$PWD/build/release" "${configuration[@]}" --no-tests=error --timeout 300 \
        --output-on-failure -R "$tests"
}

# kernel_forks BASE: forks whose copies the kernel makes, which it does without a limit only. Everywhere else the
# library makes them. One test is left out: it takes half a minute on a machine, and more than its time here.
fork_tests='^unit\.(fork(_kernel|_later|_limits|_refused|_threads)?|external_pages|(own|sealed)_arena_fork)$|^system\.fork\.'
kernel_forks()
{
    # shellcheck disable=SC2016 # expanded in the guest
    emulated $lab/run --timeout 1500 "$1" -- env LIBSECRETSSL_TEST_FORK_COPY=kernel LIBSECRETSSL_TEST_SLOWNESS=5 \
        sh -c 'ulimit -l unlimited && exec "$@"' sh ctest --test-dir "$PWD/build/release" --no-tests=error \
        --timeout 900 --output-on-failure -j2 -R "$fork_tests" -E '^system\.fork\.own_secrets$'
}

# with_keys BASE OPTION… -- COMMAND…: where the processor has protection keys: here, or in a guest, as QEMU's has.
with_keys()
{
    local -a options=()
    if grep -qw ospke /proc/cpuinfo; then
        while [ "$1" != -- ]; do shift; done
        "${@:2}"
        return
    fi
    while [ "$2" != -- ]; do options+=("$2") && set -- "$1" "${@:3}"; done
    emulated $lab/run "${options[@]}" --unpatched "$1" -- "${@:3}"
}

# kernel_sealed BASE: sealed keys.
kernel_sealed()
{
    with_keys "$1" -- ctest --test-dir "$PWD/build/release" -C seal --no-tests=error \
        --timeout 300 --output-on-failure -j2 -R '^system\.seal\.|^unit\.sealed$'
}

# kernel_seals BASE TESTS: other tests, in which every program has its keys sealed. The emulator is slow.
kernel_seals()
{
    with_keys "$1" --timeout 5000 --memory 4G -- env LIBSECRETSSL_TEST_SEAL=require \
        LIBSECRETSSL_TEST_SLOWNESS=5 ctest --test-dir "$PWD/build/release" --no-tests=error --timeout 1200 \
        --output-on-failure -R "$2"
}

kernel_switched_off()
{
    emulated $lab/run --unpatched --append secretmem.enable=0 "$1" -- \
        ctest --test-dir "$PWD/build/release" --no-tests=error --output-on-failure \
        -R '^system\.doctor\.boot_switch$'
}

# The profile of docs/hardening.md. What it switches off stays off until the machine ends.
kernel_hardened()
{
    emulated $lab/run --unpatched --append lockdown=confidentiality "$1" -- \
        ctest --test-dir "$PWD/build/release" --no-tests=error --output-on-failure \
        -R '^system\.against_root\.hardened$'
}

# kernel_verified BASE: what takes too long was done for this very series.
kernel_verified()
{
    $lab/verified check "$1"
}

# finish_pair: waits after each second guest: a third at a time would take so much from them that tests run out of time.
guests=0
finish_pair()
{
    guests=$((guests + 1))
    [ $((guests % 2)) -ne 0 ] || finish
}

# kernel_steps TESTS STOCK-BASES BASE…: what is checked before each change lands. The patched kernels of the named
# bases are built and tested, with Debian's own as their control, and the project also runs on them, in uncached
# memory. It runs on Debian's own kernels of STOCK-BASES.
kernel_steps()
{
    local base tests=$1 stock=$2
    shift 2
    for base in $bases; do
        check "kernel $base: the series is the one that was verified" kernel_verified "$base"
    done
    for base; do
        # A newer base, of which the mirror has no older version any more, fails no change of something else.
        if $lab/verified is-newer "$base"; then
            check "kernel $base: builds with the patches, and boots" kernel_boots "$base"
        else
            check "kernel $base: the patches' own tests" unless_it_passed "$base" kernel_patched "$base"
        fi
    done
    for base in $stock; do
        begin "kernel $base: the project, memory charged by the page" \
            unless_it_passed "$base" kernel_project "$base" "$tests" stock
        finish_pair
    done
    finish
    # The controls, one after the other, beside what takes longer than all of them.
    # shellcheck disable=SC2086
    begin "kernel ${stock// /, }: Debian's own, the control" unless_it_passed "$stock" kernel_stock $stock
    for base; do
        begin "kernel $base: the project in uncached memory" \
            unless_it_passed "$base" kernel_project "$base" "$tests" patched
        finish
        # Alone: thousands of forks take their time in the emulator.
        check "kernel $base: forks, copied by the kernel" unless_it_passed "$base" kernel_forks "$base"
    done
    for base in $stock; do
        begin "kernel $base: the doctor, memfd_secret switched off at boot" \
            unless_it_passed "$base" kernel_switched_off "$base"
        finish_pair
    done
    finish
    for base in $stock; do
        begin "kernel $base: hardened against root" unless_it_passed "$base" kernel_hardened "$base"
        finish_pair
    done
    finish
    check "sealed keys" unless_it_passed 6.12 kernel_sealed 6.12
}

# verify BASE: what depends on the series alone and takes long; leaves its results for verified.json.
verify()
{
    local base=$1 part
    check "kernel $base: each patch by itself, other architectures" \
        thorough "$base" compile $lab/compile "$base"
    [ "$base" != 6.12 ] || check "kernel $base: a kernel that checks itself" \
        thorough "$base" debug $lab/check --debug "$base"
    check "kernel $base: every part of the lab" thorough "$base" parts $lab/check --quick "$base"
    check "kernel $base: hibernation that wipes secret memory" \
        thorough "$base" hibernation $lab/check-hibernation "$base"
}
thorough_parts="compile debug parts hibernation"

# thorough BASE PART COMMAND…: keeps its output, with the time it took.
thorough()
{
    local base=$1 part=$2 start=$SECONDS
    shift 2
    "$@" >"$logs/verified-$base-$part.new" || {
        grep -v '^ok ' "$logs/verified-$base-$part.new"
        return 1
    }
    echo "# seconds $((SECONDS - start))" >>"$logs/verified-$base-$part.new"
    mv "$logs/verified-$base-$part.new" "$logs/verified-$base-$part"
}

# record BASE: into verified.json, if every part passed.
record()
{
    local base=$1 part
    local -a results=()
    for part in $thorough_parts; do
        [ ! -e "$logs/verified-$base-$part" ] || results+=("$part=$logs/verified-$base-$part")
    done
    $lab/verified write "$base" "$($lab/verified newest "$base")" "${results[@]}"
}

kernel_thorough()
{
    local base before
    rm -f "$logs"/verified-*
    for base in $bases; do
        before=$failed
        verify "$base"
        [ "$failed" != "$before" ] || check "kernel $base: kernel-patches/lab/verified.json" record "$base"
    done
}
