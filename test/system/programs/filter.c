/* SPDX-License-Identifier: Apache-2.0 */
#include "filter.h"
#include "os/seccomp.h"

#include <linux/seccomp.h>
#include <stdlib.h>

static void add(struct filter *filter, uint16_t code, uint32_t value, uint8_t yes, uint8_t no)
{
    if (filter->program.len == FILTER_ROOM)
        abort();
    filter->code[filter->program.len++] = (struct sock_filter){code, yes, no, value};
    filter->program.filter = filter->code;
}

static void begin(struct filter *filter)
{
    filter->program.len = 0;
    add(filter, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, SM_AUDIT_ARCH, 1, 0);
    add(filter, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
    add(filter, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
}

void filter_one(struct filter *filter, int number, uint32_t action)
{
    begin(filter);
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1);
    add(filter, BPF_RET | BPF_K, action, 0, 0);
    add(filter, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

void filter_flagged(struct filter *filter, int number, uint32_t bits, uint32_t action)
{
    begin(filter);
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 3);
    add(filter, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args), 0, 0);
    add(filter, BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
    add(filter, BPF_RET | BPF_K, action, 0, 0);
    add(filter, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

void filter_all_but(struct filter *filter, const int *allowed, size_t count)
{
    begin(filter);
    for (size_t i = 0; i < count; i++)
        add(filter, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)allowed[i], (uint8_t)(count - i), 0);
    add(filter, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
    add(filter, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}
