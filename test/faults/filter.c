/* SPDX-License-Identifier: Apache-2.0 */
#include "filter.h"
#include "calls.h"
#include "os/seccomp.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define ROOM 128

static struct sock_filter code[ROOM];
static unsigned short length;

static void add(uint16_t op, uint32_t value, uint8_t yes, uint8_t no)
{
    code[length++] = (struct sock_filter){op, yes, no, value};
}

/* Each comparison jumps over the next instruction unless it is met. */
static void ask_about(int number)
{
    add(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1);
    add(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF, 0, 0);
}

int filter_install(void)
{
    struct sock_fprog program = {.filter = code};
    unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
    const struct call *calls;
    size_t count;
    int fd;

    calls = calls_all(&count);
    add(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
    add(BPF_JMP | BPF_JEQ | BPF_K, SM_AUDIT_ARCH, 1, 0);
    add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    add(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    for (size_t i = 0; i < count; i++)
        ask_about(calls[i].number);
    ask_about(SYS_execve);
    ask_about(SYS_execveat);
    add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    program.len = length;

    if (geteuid() != 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    /* Otherwise a signal makes the kernel ask twice about one call. */
    fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                      flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);
    if (fd < 0 && errno == EINVAL)
        fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    return fd;
}
