/* SPDX-License-Identifier: Apache-2.0 */
/* Seccomp filters, as raw programs: what sandboxes install. */
#ifndef SYSTEM_TEST_FILTER_H
#define SYSTEM_TEST_FILTER_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

enum { FILTER_ROOM = 64 };

struct filter {
    struct sock_filter code[FILTER_ROOM];
    struct sock_fprog program;
};

/* Answers one system call with `action` and allows all others. */
void filter_one(struct filter *filter, int number, uint32_t action);

/* The same where its first argument has any of these bits. */
void filter_flagged(struct filter *filter, int number, uint32_t bits, uint32_t action);

/* Allows the listed system calls; any other kills the process. */
void filter_all_but(struct filter *filter, const int *allowed, size_t count);

#endif
