# SPDX-License-Identifier: Apache-2.0
"""The paths by which the kernel reaches a program's memory, and what they answer for secret memory."""

import re

from . import process

# The table of docs/pinned.md says the same. 0: the path works, because the kernel copies.
ANSWERS = {
    "read": "0",
    "write": "0",
    "recv": "0",
    "send": "0",
    "io_uring read": "0",
    "AIO read": "0",
    "vmsplice from a pipe": "0",
    "getrandom": "0",
    "process_vm_readv, local side": "0",
    "futex, private": "0",
    "kernel TLS 1.2, send": "0",
    "kernel TLS 1.3, receive": "0",
    "AF_ALG, cipher's input": "0",
    "O_DIRECT read": "EFAULT",
    "O_DIRECT write": "EFAULT",
    "AIO read with O_DIRECT": "EFAULT",
    "io_uring, registered buffer": "EFAULT",
    "vmsplice to a pipe": "EFAULT",
    "MSG_ZEROCOPY": "EFAULT",
    "kernel TLS 1.2, receive": "EFAULT",
    "AF_ALG, digest's input": "EFAULT",
    "AF_ALG, cipher's output": "EFAULT",
    "futex, shared": "EFAULT",
    "MADV_POPULATE_WRITE": "EINVAL",
    "process_vm_readv, remote side": "EFAULT",
    "/proc/PID/mem": "EIO",
    "PTRACE_PEEKDATA": "EIO",
}


def tried(env, rep, protected, directory, direct, *names):
    """What `pinned` was answered: (ordinary memory, memory of OPENSSL_malloc) by the name of the path."""
    kind = "secret" if protected else "ordinary"
    result = process.run_checks(env, rep, "pinned", [kind, directory, direct, *names],
                                env.chosen(protected), title=f"pinned, {kind} memory")
    return {name: (ordinary, block) for name, ordinary, block in
            re.findall(r"^path (.+): (\w+), (\w+)$", result.out, re.M)}
