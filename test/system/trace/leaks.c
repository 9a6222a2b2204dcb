/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leaves blocks behind, from functions whose names say which: leaks CASE.
 * test_trace.py knows what each case leaves. None of the functions is exported.
 */
#include "leaks.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

void *volatile kept[4 * MANY];
unsigned number;

void keep(void *block)
{
    if (!block)
        _exit(3);
    kept[__atomic_fetch_add(&number, 1, __ATOMIC_RELAXED) % (4 * MANY)] = block;
}

void three_of_100(void)
{
    for (int i = 0; i < 3; i++)
        keep(TAKE(100));
}

void one_of_5000(void)
{
    keep(TAKE(5000));
}

static SEEN void two_of_50000(void)
{
    keep(TAKE(50000));
    keep(TAKE(50000));
}

void below(int depth)
{
    if (depth)
        below(depth - 1);
    else
        one_of_5000();
    __asm__ volatile("");
}

void come_and_go(void)
{
    for (size_t n = 1; n < 40000; n += n / 3 + 1) {
        char *block = RESIZE(TAKE(n), 2 * n);
        memset(block, 'x', 2 * n);
        GIVE(block);
    }
}

static void known(void)
{
    come_and_go();
    three_of_100();
    one_of_5000();
    two_of_50000();
    below(5);
}

static void clean(void)
{
    known();
    for (unsigned i = 0; i < number; i++)
        GIVE(kept[i]);
}

static SEEN void *first(size_t n)
{
    return TAKE(n);
}

static SEEN void *moving(void *p, size_t n)
{
    return RESIZE(p, n);
}

static SEEN void *in_place(void *p, size_t n)
{
    return RESIZE(p, n);
}

/* A block belongs to who gave it its size. */
static void resized(void)
{
    keep(first(10));
    keep(moving(first(20), 3000));
    keep(in_place(first(1000), 990));
    keep(moving(first(100000), 900000));
}

static void filter(int call, uint32_t answer)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(*code), code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(5);
}

/* Block signals and libunwind's mutexes: the filter kills for it, or has no
 * objection. */
static void sandbox_kills(void)
{
    three_of_100();
    filter(SYS_rt_sigprocmask, SECCOMP_RET_KILL_PROCESS);
    come_and_go();
    one_of_5000();
}

static void sandbox_spares(void)
{
    three_of_100();
    filter(SYS_ptrace, SECCOMP_RET_KILL_PROCESS);
    come_and_go();
    one_of_5000();
}

static SEEN void after_all(void)
{
    keep(TAKE(55));
}

/* What an exit handler and a destructor free is no leak; what they take is one.
 */
static void at_exit(void)
{
    GIVE(kept[0]);
    after_all();
}

static void handlers(void)
{
    atexit(at_exit);
    one_of_5000();
    three_of_100();
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"known", known},
    {"clean", clean},
    {"resized", resized},
    {"threads", threads},
    {"forked", forked},
    {"fork_handlers", fork_handlers},
    {"full", full},
    {"sandbox_kills", sandbox_kills},
    {"sandbox_spares", sandbox_spares},
    {"late", late},
    {"handlers", handlers},
    {"places", places},
    {"reload", reload},
    {"linker_lock", linker_lock},
    {"shorter_stack", shorter_stack},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof(cases) / sizeof(*cases); i++) {
        if (strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run();
            puts("done");
            return 0;
        }
    }
    fprintf(stderr, "usage: %s CASE\n", argv[0]);
    return 2;
}
