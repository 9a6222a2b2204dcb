# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the parts are sourced into one shell by run
# The guest: an initramfs made for each run, and QEMU.

# Console logs kept; they are small.
readonly logs_kept=50

# make_initramfs JOB COMMAND…: writes $JOB/initramfs.
make_initramfs()
{
    local job=$1 root=$1/root
    shift
    mkdir -p "$root/bin" "$root/job"
    cp /bin/busybox "$root/bin/"
    cp "$lab_dir/guest/init" "$root/init"
    gcc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -static -o "$root/bin/guest-run" \
        "$lab_dir/guest/guest-run.c" || die "could not compile guest-run.c"
    printf '%s\n' "$checkout" "$PWD" "$cache" >"$root/job/directories"
    [ -z "$stock" ] || add_modules "$root"
    printf '%s\0' "$PWD" "$@" >"$root/job/command"
    (cd "$root" && find . | cpio -o -H newc --quiet -R 0:0) >"$job/initramfs"
}

new_console_log()
{
    local log
    mkdir -p "$cache/log"
    log=$(mktemp "$cache/log/$1-$(date +%Y%m%d-%H%M%S)-XXXX.log")
    # shellcheck disable=SC2012 # names are ours
    ls -t "$cache/log"/*.log | tail -n +"$((logs_kept + 1))" | xargs -r -d '\n' rm -f
    printf '%s\n' "$log"
}

# An emulated processor may stand still for longer than the kernel waits for ten ticks of its timer,
# and that would be a panic: it is told that the timer works. After a panic the guest ends at once.
readonly kernel_args='console=ttyS0 log_buf_len=4M no_timer_check panic=-1'

# list_nodes MEMORY: adds two NUMA nodes to QEMU's arguments in $more, $cpus_given, $memory_given.
list_nodes()
{
    local node half=${1%[MG]}
    [ "${1: -1}" = M ] || half=$((half * 1024))
    half=$((half / 2))
    for node in 0 1; do
        more+=(-object "memory-backend-ram,id=memory$node,size=${half}M"
            -numa "node,nodeid=$node,cpus=$node,memdev=memory$node")
    done
    # CPUs of one socket would be of one node.
    cpus_given=2,sockets=2
    # What the two do not cover QEMU would refuse.
    memory_given=$((half * 2))M
}

# start_guest JOB LOG BZIMAGE MEMORY TIMEOUT KERNEL-ARGS: $guest is its process id.
# The command's output and its status have ports of their own; the console is for the kernel.
start_guest()
{
    local memory_given=$4 cpus_given=2
    local -a more=()
    [ -z "$monitor" ] ||
        more+=(-chardev "socket,id=monitor,path=$monitor,server=on,wait=off"
            -mon chardev=monitor,mode=control)
    [ -z "$disk" ] || more+=(-drive "file=$disk,format=raw,if=virtio,readonly=$disk_readonly")
    [ "$nodes" = no ] || list_nodes "$4"
    timeout --foreground -k 5 "$5" qemu-system-x86_64 \
        -M q35 -accel tcg,thread=multi -cpu max,-la57 -smp "$cpus_given" -m "$memory_given" \
        -nodefaults -no-user-config -display none -no-reboot \
        -kernel "$3" -initrd "$1/initramfs" -append "$kernel_args $6" \
        -chardev "file,id=console,path=$2" -serial chardev:console \
        -device virtio-serial-pci \
        -chardev "file,id=output,path=$1/output" \
        -device virtserialport,chardev=output,name=output \
        -chardev "file,id=status,path=$1/status" \
        -device virtserialport,chardev=status,name=status \
        -fsdev local,id=host,path=/,security_model=none,readonly=on,multidevs=remap \
        -device virtio-9p-pci,fsdev=host,mount_tag=host \
        -device virtio-rng-pci "${more[@]}" \
        </dev/null >"$1/qemu.log" 2>&1 &
    guest=$!
}

# show_console LOG: the end of the kernel's log, without what would upset a terminal.
show_console()
{
    tail -n 40 "$1" | tr -cd '\11\12\40-\176' | sed 's/^/lab: | /' >&2
}

# run_guest JOB BASE BZIMAGE MEMORY TIMEOUT KERNEL-ARGS: the command's output on stdout; leaves its
# exit status, or the lab's, in $guest_status.
run_guest()
{
    local job=$1 log reader qemu_status=0 first
    log=$(new_console_log "$2")
    mkfifo "$job/output"
    cat "$job/output" &
    reader=$!
    start_guest "$job" "$log" "$3" "$4" "$5" "$6"
    # A reader that goes away (run … | head) ends the guest too.
    wait -n -p first "$guest" "$reader" || qemu_status=$?
    if [ "$first" = "$reader" ] && [ "$qemu_status" -ne 0 ]; then
        kill "$guest" 2>/dev/null || true
        wait "$guest" || true
        guest_status=$status_lab
        [ "$qemu_status" -ne 141 ] || guest_status=141
        return
    fi
    [ "$first" = "$guest" ] || {
        qemu_status=0
        wait "$guest" || qemu_status=$?
    }

    if [ "$qemu_status" -eq "$status_timeout" ]; then
        guest_status=$status_timeout
        say "the guest was still running after $5 s and was ended; its console: $log"
        show_console "$log"
    elif [ ! -s "$job/status" ]; then
        guest_status=$status_lab
        say "the guest ended without an exit status (a panic?); its console: $log"
        sed 's/^/lab: qemu: /' "$job/qemu.log" >&2
        show_console "$log"
    else
        read -r guest_status <"$job/status"
    fi
    # The reader still waits for a writer if QEMU failed before it opened its end.
    : <>"$job/output"
    wait "$reader" || true
}
