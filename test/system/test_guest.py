# SPDX-License-Identifier: Apache-2.0
"""Guests of QEMU whose memory is secret: they run, and root finds nothing of it (docs/guest-memory.md)."""

import base64
import ctypes
import os
import secrets
import sys

from harness import guest, memory, process, report



def secret_of(env, name):
    """A key of an elliptic curve, and its private number as a BIGNUM has it, masked. No file has that form, nor has
    a process that is over: openssl(1), which would make the key, leaves a copy in memory that is free."""
    number = bytes([secrets.randbelow(100) + 1]) + secrets.token_bytes(31)
    der = bytes.fromhex("303102010104" "20") + number + bytes.fromhex("a00a06082a8648ce3d030107")
    text = base64.encodebytes(der).decode()
    with open(env.path(name), "w", encoding="ascii") as file:
        file.write(f"-----BEGIN EC PRIVATE KEY-----\n{text}-----END EC PRIVATE KEY-----\n")
    return env.path(name), bytes(byte ^ guest.MASK for byte in reversed(number))


def check_guest(env, rep, secret_memory, arguments, key, masked, title, megabytes=guest.MEGABYTES):
    running = guest.Guest(env, secret_memory, arguments, megabytes=megabytes)
    found = memory.find(running.pid, [guest.unmasked(masked)], guest.COPIES + 10)
    rep.equal(len(found), 0 if secret_memory else guest.COPIES, f"{title}: copies that root reads in /proc/PID/mem")
    scan = memory.scan(env, [key], running.pid)
    rep.equal(scan.status, 0 if secret_memory else 1, f"{title}: secretssl scan")
    if not scan.status == (0 if secret_memory else 1):
        rep.note(str(scan))
    rep.equal(memory.secret_bytes(running.pid), megabytes << 20 if secret_memory else 0,
              f"{title}: bytes of secret memory")
    # Root could take a descriptor of the memory (pidfd_getfd) and map it.
    open_ones = [os.readlink(f"/proc/{running.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{running.pid}/fd")]
    rep.ok(len(open_ones) > 3 and not any("secretmem" in one for one in open_ones), f"{title}: none is open", open_ones)
    running.stop()


def scenario_firmware(env, rep):
    """A guest of nothing but firmware. The control: QEMU as everybody starts it."""
    key, masked = secret_of(env, "key.pem")
    with open(env.path("firmware"), "wb") as file:
        file.write(guest.firmware(masked))
    for secret_memory in False, True:
        check_guest(env, rep, secret_memory, [*guest.TCG, "-bios", env.path("firmware")], key, masked,
                    "secret memory" if secret_memory else "ordinary memory")


def scenario_linux(env, rep):
    """Debian's kernel boots there."""
    key, masked = secret_of(env, "key.pem")
    with open(env.path("initramfs"), "wb") as file:
        file.write(guest.initramfs(env.helper("guest_init"), masked))
    arguments = [*guest.TCG, "-cpu", "max,-la57", "-kernel", guest.linux(), "-initrd", env.path("initramfs"), "-append",
                 "console=ttyS0 quiet panic=-1 no_timer_check"]
    for secret_memory in False, True:
        check_guest(env, rep, secret_memory, arguments, key, masked,
                    "Linux in " + ("secret memory" if secret_memory else "ordinary memory"), 160)


def scenario_refused(env, rep):
    """What would leave the guest's memory readable is refused, in one line each."""
    script = guest.example(env)
    for arguments, words in ((["--", "-m", "1G"], "'-m': the guest's memory is given by --memory"),
                             (["--", "-object", "memory-backend-ram,id=x,size=1M"], "the guest's memory is given by --memory"),
                             (["--", "-machine", "q35,memory-backend=x"], "the guest's memory is given by --memory"),
                             (["--", "-accel", "kvm"], "KVM cannot map secret memory"),
                             (["--", "-machine", "q35,accel=kvm"], "KVM cannot map secret memory"),
                             (["--", "-s"], "a debugger reads the guest's memory"),
                             (["--memory", "12", "--", "-nodefaults"], "accepted are a number and M or G"),
                             (["--memory"], "--memory needs a value"),
                             (["--qemu", "no-such-qemu", "--", "-nodefaults"], "there is no such program"),
                             (["-nodefaults"], "QEMU's arguments go after --"),
                             ([], "no arguments for QEMU")):
        done = process.run(env, [script, *arguments], env.plain())
        lines = done.err.splitlines()
        rep.ok(done.status == 2 and len(lines) == 1 and words in lines[0], " ".join(arguments) or "no arguments", done)


def scenario_no_secret_memory(env, rep):
    """Without memfd_secret, and with a program that takes no notice of the preload, no guest runs."""
    script = guest.example(env)
    with open(env.path("firmware"), "wb") as file:
        file.write(guest.firmware(bytes(32)))
    arguments = ["--memory", "64M", "--", *guest.TCG, "-bios", env.path("firmware")]
    done = process.run(env, [env.helper("with_filter"), "EPERM", script, *arguments], env.plain())
    rep.ok(done.status == 1 and "Operation not permitted" in done.err and guest.PLANTED not in done.out,
           "memfd_secret is refused: QEMU says so and ends", done)
    wrapper = env.path("qemu-without")
    with open(wrapper, "w", encoding="ascii") as file:
        file.write(f'#!/bin/sh\nunset LD_PRELOAD\nexec {guest.QEMU} "$@"\n')
    os.chmod(wrapper, 0o755)
    done = process.run(env, [script, "--qemu", wrapper, *arguments], env.plain(), seconds=60)
    rep.ok(done.status == 78 and "the guest's memory is not secret" in done.err, "a QEMU without the preload is ended", done)


def scenario_by_path(env, rep):
    """Secret memory cannot be opened again by its descriptor, so QEMU's memory-backend-file has no use for it. The
    control: other memory can be."""
    libc = ctypes.CDLL(None, use_errno=True)
    secret, shared = libc.syscall(memory.MEMFD_SECRET, 0), os.memfd_create("shared")
    for fd in secret, shared:
        os.ftruncate(fd, guest.MEGABYTES << 20)
    with open(env.path("firmware"), "wb") as file:
        file.write(guest.firmware(bytes(32)))
    said = []
    for fd in shared, secret:
        child = process.Child(env, [guest.QEMU, "-m", f"{guest.MEGABYTES}M", "-monitor", "none", *guest.TCG, "-bios",
                                    env.path("firmware"), "-machine", "memory-backend=ram", "-object",
                                    f"memory-backend-file,id=ram,share=on,size={guest.MEGABYTES}M,mem-path=/proc/{os.getpid()}/fd/{fd}"],
                              env.plain())
        process.wait_until(lambda one=child: guest.PLANTED in one.out or one.popen.poll() is not None, 60)
        said.append(guest.PLANTED in child.out or child.err)
        child.stop()
        os.close(fd)
    rep.equal(said[0], True, "the control runs")
    rep.ok("No such device or address" in str(said[1]), "secret memory: ENXIO", said[1])


def scenario_core(env, rep):
    """A core dump of QEMU has nothing of the guest's memory. The control has all copies."""
    _, masked = secret_of(env, "key.pem")
    with open(env.path("firmware"), "wb") as file:
        file.write(guest.firmware(masked))
    for secret_memory in False, True:
        running = guest.Guest(env, secret_memory, [*guest.TCG, "-bios", env.path("firmware")])
        made = process.run(env, ["gcore", "-o", env.path(f"core-{secret_memory}"), str(running.pid)], env.plain(),
                           seconds=120)
        name = env.path(f"core-{secret_memory}.{running.pid}")
        if rep.ok(made.status == 0 and os.path.exists(name), "gcore wrote a core", made):
            with open(name, "rb") as file:
                copies = file.read().count(guest.unmasked(masked))
            rep.equal(copies, 0 if secret_memory else guest.COPIES, f"copies in the core, secret: {secret_memory}")
            os.unlink(name)
        running.stop()


if __name__ == "__main__":
    report.main(sys.modules[__name__])
