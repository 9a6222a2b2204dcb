# SPDX-License-Identifier: Apache-2.0
"""A file system whose one file is served by this program, as long as it likes."""

import ctypes
import errno
import os
import signal
import struct
import subprocess
import time

FORGET, LOOKUP, GETATTR, SETATTR, OPEN, READ, WRITE, RELEASE, FLUSH, INIT, OPENDIR, RELEASEDIR = (
    2, 1, 3, 4, 14, 15, 16, 18, 25, 26, 27, 29)
SIZE_IS_SET = 8
FILE = 2  # its node; the directory is 1


class Served:
    """DIRECTORY/file has the contents of a file, and can be written; silence() leaves all that is asked
    unanswered."""

    def __init__(self, directory, contents, direct=False):
        """direct: the kernel goes past its page cache, to the caller's own pages."""
        self.directory, self.contents, self.direct = directory, contents, direct
        os.mkdir(directory)
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"test", os.fsencode(directory), b"fuse", 0, options) != 0:
            raise OSError(ctypes.get_errno(), "mount fuse")
        self.server = os.fork()
        if self.server == 0:
            try:
                self.serve()
            finally:
                os._exit(0)
        os.close(self.device)

    @property
    def file(self):
        return os.path.join(self.directory, "file")

    def silence(self):
        os.kill(self.server, signal.SIGUSR1)
        time.sleep(0.2)

    def end(self):
        """Without its server every question is answered by an error."""
        os.kill(self.server, signal.SIGKILL)
        os.waitpid(self.server, 0)
        subprocess.run(["umount", "--lazy", self.directory], check=True, timeout=20)

    def attributes(self, node):
        mode, size = (0o100755, len(self.contents)) if node == FILE else (0o40755, 0)
        return struct.pack("<6Q3I7I", node, size, (size + 511) // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0,
                           0, 4096, 0)

    def answer(self, opcode, node, body):
        """The body of the answer, or a number: an error."""
        if opcode == INIT:
            return struct.pack("<4I2H3I28x", 7, 31, 0, 0, 12, 9, 65536, 1, 0)
        if opcode == LOOKUP:
            if body.rstrip(b"\0") != b"file":
                return errno.ENOENT
            return struct.pack("<4Q2I", FILE, 0, 0, 0, 0, 0) + self.attributes(FILE)
        if opcode == GETATTR:
            return struct.pack("<Q2I", 0, 0, 0) + self.attributes(node)
        if opcode == SETATTR:
            valid, size = struct.unpack_from("<I12xQ", body)
            if valid & SIZE_IS_SET:
                self.contents = self.contents[:size].ljust(size, b"\0")
            return struct.pack("<Q2I", 0, 0, 0) + self.attributes(node)
        if opcode in (OPEN, OPENDIR):
            return struct.pack("<QIi", 0, int(self.direct and opcode == OPEN), 0)
        if opcode == READ:
            offset, size = struct.unpack_from("<QI", body, 8)
            return self.contents[offset:offset + size]
        if opcode == WRITE:
            offset, size = struct.unpack_from("<QI", body, 8)
            self.contents = self.contents[:offset] + body[40:40 + size] + self.contents[offset + size:]
            return struct.pack("<2I", size, 0)
        return b"" if opcode in (RELEASE, RELEASEDIR, FLUSH) else errno.ENOSYS

    def serve(self):
        signal.signal(signal.SIGUSR1, lambda *_: time.sleep(1000))
        while True:
            request = os.read(self.device, 1 << 18)
            _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
            if opcode == FORGET:
                continue
            answer = self.answer(opcode, node, request[40:])
            error, body = (-answer, b"") if isinstance(answer, int) else (0, answer)
            os.write(self.device, struct.pack("<IiQ", 16 + len(body), error, unique) + body)
