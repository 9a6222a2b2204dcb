/* SPDX-License-Identifier: Apache-2.0 */
/* What the unit tests share. Criterion runs each test in a process of its own. */
#ifndef UNIT_SUPPORT_H
#define UNIT_SUPPORT_H

#include "base/common.h"
#include <linux/filter.h>
#include <sys/types.h>

/* For code that runs in a forked child, where Criterion's assertions cannot be used. */
#define CHECK(condition)                                                                       \
    do {                                                                                       \
        if (!(condition))                                                                      \
            check_failed(__FILE__, __LINE__, #condition);                                      \
    } while (0)
_Noreturn void check_failed(const char *file, int line, const char *condition);

/* How many times as long everything may take: more than 1 on an emulated processor. */
unsigned test_slowness(void);

/* Runs fn(arg) in a forked child: its exit status, or 1000 + the signal that ended it. */
int in_child(void (*fn)(void *), void *arg);
#define ENDED_BY(signal) (1000 + (signal))

/* The same, and what it wrote to descriptor 2. text is a string, cut to its size. */
int in_child_saying(void (*fn)(void *), void *arg, char *text, size_t size);

/* How often text has this in it. */
unsigned count_of(const char *text, const char *what);

/* Makes this process one of a user without privileges who may lock so many bytes. */
void become_nobody(size_t memlock);

/* A seccomp filter: this system call gets that answer (SECCOMP_RET_...), all others work. */
void filter_call(int nr, uint32_t answer);
/* The same for calls whose argument, counted from 0, has this value in its lower 32 bits. */
void filter_argument(int nr, unsigned argument, uint32_t value, uint32_t answer);
void filter_install(struct sock_fprog program);

/* A /dev of this process alone, with nothing in it. */
void private_dev(void);

/* The VmFlags of the mapping that holds the address, as "rd wr sh ... "; "" if there is none */
void mapping_flags(const void *address, char *flags, size_t size);
bool mapping_has(const void *address, const char *flag);

/* Whether the mapping that holds the address is of a file of memfd_secret(2). */
bool mapping_is_secret(const void *address);

/* Whether a byte can be read: a system call says EFAULT where a load would end the process. */
bool accessible(const void *p);

/* Whether all n bytes at p have this value. */
bool all_bytes(const void *p, unsigned char value, size_t n);

/* A sequence of numbers that looks random, the same in every run. */
uint64_t next_random(uint64_t *state);

/* The size of blocks in a kernel that has them, for those that do not */
#define KERNEL_BLOCK (2 * SM_MIB)

/* A counter that a patched kernel keeps for secret memory; -1: there is none. */
long kernel_counter(const char *name);

/* Starts the allocator as the constructors of the libraries do. */
void start_heap(void);

/* As start_heap, with a small arena. */
void start_heap_of(size_t arena_size);

/* The kernel's page in bytes, also before the allocator has started. */
size_t os_page(void);

/* Bytes that are as many pages of the kernel as so many bytes are pages of 4096. */
size_t by_page(size_t bytes);

/* Rounds n bytes up to pages of the kernel. Returns bytes, and pages of 4096. */
size_t whole_bytes(size_t n);
uint32_t whole_pages(size_t n);

/* Bytes of what a block of n has for itself: its slot, or its pages. */
size_t end_of_block(size_t n);

#endif
