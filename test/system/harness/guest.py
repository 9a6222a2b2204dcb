# SPDX-License-Identifier: Apache-2.0
"""Guests of QEMU that hold a secret in their memory, which reaches QEMU only in a masked form."""

import os
import shutil
import subprocess

from . import process

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
EXAMPLE = os.path.join(ROOT, "examples", "guest-memory")
MASK = 0x5A
COPIES = 500
PLANTED = "planted"
MEGABYTES = 64
QEMU = "qemu-system-x86_64"
TCG = ["-M", "pc", "-accel", "tcg", "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio"]


def unmasked(masked):
    return bytes(byte ^ MASK for byte in masked)


def firmware(masked):
    """A machine's firmware of 64 KiB that is all of the guest: it writes COPIES of the secret to the
    memory at 128 KiB, a byte at a time, says so on the serial port, and waits. (So a guest has its
    secret within a moment, in an emulated machine in an emulated machine too.)"""
    assert len(masked) == 32
    data, said = 0x100, 0x180
    code = bytes([
        0xFA,                                  # cli
        0x8C, 0xC8, 0x8E, 0xD8,                # ds = cs, where the data is
        0xB8, 0x00, 0x20, 0x8E, 0xC0,          # es = 2000h
        0x31, 0xFF, 0xFC,                      # di = 0, upwards
        0xBB, COPIES & 255, COPIES >> 8,       # bx = COPIES
        0xBE, data & 255, data >> 8,           # copy: si = data
        0xB9, len(masked), 0,                  # cx = 32
        0xAC, 0x34, MASK, 0xAA, 0xE2, 0xFA,    # byte: lodsb, xor al, stosb, loop byte
        0x4B, 0x75, 0xF1,                      # dec bx, jnz copy
        0xBE, said & 255, said >> 8,           # si = said
        0xBA, 0xF8, 0x03,                      # dx = the serial port
        0xAC, 0x84, 0xC0, 0x74, 3, 0xEE, 0xEB, 0xF8,  # next: lodsb, jz end, outb, jmp next
        0xF4, 0xEB, 0xFD])                     # end: hlt, jmp end
    image = bytearray(1 << 16)
    image[:len(code)] = code
    image[data:data + len(masked)] = masked
    image[said:said + len(PLANTED) + 1] = PLANTED.encode() + b"\n"
    image[said + len(PLANTED) + 1] = 0
    image[0xFFF0:0xFFF5] = bytes([0xEA, 0, 0, 0, 0xF0])  # where the processor begins: jmp F000:0000
    return bytes(image)


def entry(name, mode, content=b"", device=(0, 0)):
    """A file of an initramfs (cpio, newc)."""
    fields = [0, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)


def initramfs(init, masked):
    """What Linux starts with: a program that does the same as the firmware above."""
    with open(init, "rb") as file:
        program = file.read()
    return (entry("dev", 0o040755) + entry("dev/console", 0o020600, device=(5, 1)) + entry("masked", 0o100600, masked)
            + entry("init", 0o100755, program) + entry("TRAILER!!!", 0))


def linux():
    """Debian's kernel that the lab boots."""
    done = subprocess.run([os.path.join(ROOT, "kernel-patches", "lab", "stock"), "6.12"], capture_output=True,
                          text=True, check=True, timeout=280)
    return done.stdout.strip()


def example(env):
    """The example as a user has it: built where it lies."""
    place = env.path("guest-memory")
    if not os.path.exists(place):
        shutil.copytree(EXAMPLE, place, ignore=shutil.ignore_patterns("*.so"))
        subprocess.run(["make", "-s", "-C", place], check=True, timeout=60)
    return os.path.join(place, "secret-guest")


class Guest:
    """A running guest. secret: its memory is, by the example; otherwise QEMU as everybody starts it."""

    def __init__(self, env, secret, arguments, *, seconds=60, megabytes=MEGABYTES, planted=PLANTED):
        if secret:
            command = [example(env), "--memory", f"{megabytes}M", "--", *arguments]
        else:
            command = [QEMU, "-m", f"{megabytes}M", "-monitor", "none", *arguments]
        self.child = process.Child(env, command, env.plain())
        self.child.wait_for(planted, seconds)
        self.pid = self.child.pid
        if secret:
            # The script may also have a child that sleeps.
            self.pid = next(pid for pid in process.children(self.child.pid)
                            if os.readlink(f"/proc/{pid}/exe").endswith(QEMU))

    def stop(self):
        self.child.stop()
