# SPDX-License-Identifier: Apache-2.0
"""A 9p file system of one directory, whose files are in the memory of this program."""

import ctypes
import errno
import os
import signal
import socket
import struct
import subprocess

ERROR, OPEN, CREATE, GETATTR, SETATTR, FSYNC, VERSION, ATTACH, FLUSH, WALK, READ, WRITE, CLUNK = (
    7, 12, 14, 24, 26, 50, 100, 104, 108, 110, 116, 118, 120)
DIRECTORY = ""  # the name of the directory itself
SIZE_IS_SET = 8


def text_at(body, position):
    """A string, and where the next field begins."""
    length, = struct.unpack_from("<H", body, position)
    return body[position + 2:position + 2 + length].decode(), position + 2 + length


class Served:
    """DIRECTORY has files by name, and new ones can be made. `cache` is the mount option: with none the
    kernel reads into the reader's own pages, with loose by its page cache."""

    def __init__(self, directory, files, cache):
        self.directory = directory
        self.files = {name: bytearray(contents) for name, contents in files.items()}
        self.names = {}  # of the client's numbers (fid)
        os.mkdir(directory)
        ours, kernels = socket.socketpair()
        self.server = os.fork()
        if self.server == 0:
            try:
                kernels.close()
                self.serve(ours)
            finally:
                os._exit(0)
        ours.close()
        number = kernels.fileno()
        options = (f"trans=fd,rfdno={number},wfdno={number},version=9p2000.L,msize=65536,access=any,"
                   f"cache={cache}").encode()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"test", os.fsencode(directory), b"9p", 0, options) != 0:
            raise OSError(ctypes.get_errno(), "mount 9p")
        kernels.close()

    def path(self, name):
        return os.path.join(self.directory, name)

    def end(self):
        subprocess.run(["umount", self.directory], check=True, timeout=20)
        os.kill(self.server, signal.SIGKILL)
        os.waitpid(self.server, 0)

    def identity(self, name):
        """The server's name of a file (qid). Linux caches nothing of a file of version 0."""
        number = sorted(self.files).index(name) + 2 if name else 1
        return struct.pack("<BIQ", 0x80 if name == DIRECTORY else 0, 1, number)

    def attributes(self, name):
        mode, size = (0o40755, 0) if name == DIRECTORY else (0o100600, len(self.files[name]))
        return struct.pack("<Q", 0x7FF) + self.identity(name) + struct.pack(
            "<3I15Q", mode, 0, 0, 1, 0, size, 4096, (size + 511) // 512, *[0] * 10)

    def walk(self, fid, body):
        """The answer to a walk of no step, which copies a number, or of one."""
        new, steps = struct.unpack_from("<IH", body, 4)
        name = text_at(body, 10)[0] if steps else self.names[fid]
        if steps and name not in self.files:
            return errno.ENOENT
        self.names[new] = name
        return struct.pack("<H", steps) + (self.identity(name) if steps else b"")

    def answer(self, kind, body):
        """The body of the answer, or a number: an error."""
        if kind == VERSION:
            return body
        fid, = struct.unpack_from("<I", body)
        if kind == ATTACH:
            self.names[fid] = DIRECTORY
            return self.identity(DIRECTORY)
        if kind == WALK:
            return self.walk(fid, body)
        name = self.names.get(fid)
        if kind == CREATE:
            name = self.names[fid] = text_at(body, 4)[0]
            self.files[name] = bytearray()
        if kind in (CREATE, OPEN):
            return self.identity(name) + struct.pack("<I", 0)
        if kind == GETATTR:
            return self.attributes(name)
        if kind == SETATTR:
            valid, size = struct.unpack_from("<I12xQ", body, 4)
            if valid & SIZE_IS_SET:
                self.files[name] = self.files[name][:size].ljust(size, b"\0")
            return b""
        if kind in (READ, WRITE):
            offset, count = struct.unpack_from("<QI", body, 4)
            if kind == READ:
                part = bytes(self.files[name][offset:offset + count])
                return struct.pack("<I", len(part)) + part
            self.files[name][offset:offset + count] = body[16:16 + count]
            return struct.pack("<I", count)
        return b"" if kind in (CLUNK, FLUSH, FSYNC) else errno.EOPNOTSUPP

    def serve(self, ours):
        stream = ours.makefile("rb")
        while head := stream.read(7):
            size, kind, tag = struct.unpack("<IBH", head)
            answer = self.answer(kind, stream.read(size - 7))
            if isinstance(answer, int):
                kind, answer = ERROR - 1, struct.pack("<I", answer)
            ours.sendall(struct.pack("<IBH", 7 + len(answer), kind + 1, tag) + answer)
