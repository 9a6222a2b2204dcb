# SPDX-License-Identifier: Apache-2.0
"""The Python package of the examples, each part as it is meant to be used and as it is not.

usage: python_api.py DIRECTORY-OF-THE-PACKAGE FILE
"""

import errno
import os
import socket
import sys

sys.path.insert(0, sys.argv[1])
import secretmem  # noqa: E402 pylint: disable=wrong-import-position


def ok(good, what):
    print(f"{'ok' if good else 'not ok'} - {what}")


def error_of(action):
    try:
        action()
    except OSError as error:
        return error.errno
    except (MemoryError, ValueError) as error:
        return type(error)
    return None


def outside(address):
    """Whether /proc/self/mem shows the byte."""
    with open("/proc/self/mem", "rb", buffering=0) as file:
        return error_of(lambda: os.pread(file.fileno(), 1, address)) is None


def blocks():
    ok(error_of(lambda: secretmem.configure("NO_SUCH", "1")) is ValueError, "a setting that there is not")
    secretmem.configure("REQUIRE", "1")
    with secretmem.Block(100) as block:
        view = block.view()
        ok(len(view) == 100 and bytes(view) == bytes(100), "a block is zeroed")
        view[0] = 7
        ok(secretmem.contains(block.address) and not outside(block.address), "and secret")
        ok(error_of(lambda: secretmem.configure("REQUIRE", "0")) is ValueError, "too late for settings")
    ok(error_of(block.view) is ValueError, "closed")
    block.close()
    ok(error_of(lambda: secretmem.Block(1 << 50)) is MemoryError, "too large")


def arenas():
    reader, writer = os.pipe()
    with secretmem.Arena(8192, secretmem.SEALED | secretmem.REQUIRE) as arena:
        block = arena.malloc(5000)
        ok(error_of(lambda: os.write(writer, block.view())) == errno.EFAULT, "sealed")
        with arena.access(), arena.access():
            block.view()[:3] = b"abc"
            ok(os.write(writer, block.view()[:3]) == 3 and os.read(reader, 3) == b"abc", "open")
        ok(error_of(lambda: os.write(writer, block.view())) == errno.EFAULT, "sealed again")
        stats = arena.stats()
        ok(stats["blocks"] == 1 and stats["secret"] == 1 and stats["seal"] in (1, 2) and stats["opened"] == 0, f"{stats}")
        ok(error_of(lambda: arena.malloc(5000)) is MemoryError, "no room")
        del block
        ok(arena.stats()["blocks"] == 0, "freed with its object")
        left = arena.malloc(1)
    left.close()
    ok(error_of(arena.stats) == errno.EINVAL, "gone")
    ok(error_of(lambda: secretmem.Arena(0)) == errno.EINVAL, "of no size")


def descriptors():
    here, there = socket.socketpair()
    fd = secretmem.create_fd(10)
    with secretmem.Mapping(fd) as mapping:
        mapping.view()[:5] = b"hello"
        secretmem.send_fd(here, fd)
        os.close(fd)
        received = secretmem.receive_fd(there)
        with secretmem.Mapping(received) as other:
            ok(other.address != mapping.address and bytes(other.view()[:5]) == b"hello", "the same memory")
        os.close(received)
    ok(error_of(lambda: secretmem.send_fd(here, 0)) == errno.EINVAL, "a descriptor of something else")
    here.close()
    ok(error_of(lambda: secretmem.receive_fd(there)) == errno.ECONNRESET, "closed by the peer")


def files(name):
    with open(name, "rb") as file:
        content = file.read()
    block, result = secretmem.read_file(name)
    ok(bytes(block.view()) == content and secretmem.contains(block.address), "a file")
    ok(result in (secretmem.DROPPED, secretmem.CACHED), f"and its kernel's copy: {result}")
    ok(error_of(lambda: secretmem.read_file(name, 1)) == errno.EFBIG, "too long")
    ok(error_of(lambda: secretmem.read_file("/no/such/file")) == errno.ENOENT, "no file")


blocks()
arenas()
descriptors()
files(sys.argv[2])
print("done")
