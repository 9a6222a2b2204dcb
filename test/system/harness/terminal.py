# SPDX-License-Identifier: Apache-2.0
"""Programs whose output is a terminal."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time


def on_terminal(command, environ, columns=80, lines=24, seconds=None):
    """What a program writes to a terminal of that size; after so many seconds it is interrupted."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=its, stderr=its, env=environ) as program:
        os.close(its)
        output, end = b"", time.monotonic() + (60 if seconds is None else seconds)
        while True:
            ready, _, _ = select.select([ours], [], [], max(0, end - time.monotonic()))
            if not ready:
                program.send_signal(signal.SIGINT)
                end = time.monotonic() + 10
                continue
            try:
                some = os.read(ours, 65536)
            except OSError: # the other end is closed
                break
            if not some:
                break
            output += some
    os.close(ours)
    return output.decode("utf-8", "replace")
