/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leaves blocks behind, from functions whose names say which: leaks CASE.
 * test_trace.py knows what each case leaves. None of the functions is exported.
 */
#include "over.h"
#include <alloca.h>
#include <dlfcn.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FUNCTION static __attribute__((noinline))
#define MANY     64

static void *volatile kept[4 * MANY]; /* so that nothing is optimised away */
static unsigned number;

FUNCTION void keep(void *block)
{
    if (!block)
        _exit(3);
    kept[__atomic_fetch_add(&number, 1, __ATOMIC_RELAXED) % (4 * MANY)] = block;
}

FUNCTION void three_of_100(void)
{
    for (int i = 0; i < 3; i++)
        keep(TAKE(100));
}

FUNCTION void one_of_5000(void)
{
    keep(TAKE(5000));
}

FUNCTION void two_of_50000(void)
{
    keep(TAKE(50000));
    keep(TAKE(50000));
}

FUNCTION void below(int depth)
{
    if (depth)
        below(depth - 1);
    else
        one_of_5000();
    __asm__ volatile("");
}

/* Sizes of every kind come, move and go. */
FUNCTION void come_and_go(void)
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

FUNCTION void *first(size_t n)
{
    return TAKE(n);
}

FUNCTION void *moving(void *p, size_t n)
{
    return RESIZE(p, n);
}

FUNCTION void *in_place(void *p, size_t n)
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

FUNCTION void ten_of_64(void)
{
    for (int i = 0; i < 10; i++)
        keep(TAKE(64));
}

static void *busy(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++)
        come_and_go();
    ten_of_64();
    return NULL;
}

static void threads(void)
{
    pthread_t thread[4];

    three_of_100();
    for (int i = 0; i < 4; i++)
        pthread_create(&thread[i], NULL, busy, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
}

FUNCTION void in_the_child(void)
{
    keep(TAKE(77));
}

static bool wait_good(pid_t pid)
{
    int status;

    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void forked(void)
{
    pid_t pid;

    three_of_100();
    pid = fork();
    if (pid == 0) {
        in_the_child();
        come_and_go();
        exit(0);
    }
    if (!wait_good(pid))
        _exit(4);
    one_of_5000();
}

static void *volatile by_handler;

FUNCTION void handler_allocates(void)
{
    GIVE(by_handler);
    by_handler = TAKE(33);
}

static void *forks(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            come_and_go();
            _exit(0);
        }
        if (!wait_good(pid))
            _exit(4);
    }
    return NULL;
}

/* Handlers of fork allocate, and so do other threads meanwhile. */
static void fork_handlers(void)
{
    pthread_t thread[3];

    by_handler = TAKE(33);
    pthread_atfork(handler_allocates, handler_allocates, handler_allocates);
    for (int i = 0; i < 3; i++)
        pthread_create(&thread[i], NULL, i ? busy : forks, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    GIVE(by_handler);
}

FUNCTION void left(unsigned bits, int depth);
FUNCTION void right(unsigned bits, int depth);

static inline __attribute__((always_inline)) void next(unsigned bits, int depth)
{
    if (depth == 0)
        GIVE(TAKE(40));
    else if (bits & 1)
        right(bits >> 1, depth - 1);
    else
        left(bits >> 1, depth - 1);
}

FUNCTION void left(unsigned bits, int depth)
{
    next(bits, depth);
    __asm__ volatile("");
}

FUNCTION void right(unsigned bits, int depth)
{
    next(bits, depth);
    __asm__ volatile("# another function");
}

/* More call stacks than there is room for; those that are known stay known. */
static void full(void)
{
    for (unsigned i = 0;; i++) {
        three_of_100();
        if (i == 1000)
            break;
        while (number)
            GIVE(kept[--number]);
        for (unsigned bits = 0; bits < 70; bits++)
            next(70 * i + bits, 17);
    }
    one_of_5000();
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

static void *nothing(void *arg)
{
    return arg;
}

static void late(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, nothing, NULL);
    pthread_join(thread, NULL);
    three_of_100();
}

FUNCTION void after_all(void)
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

FUNCTION void place(unsigned bits, int depth)
{
    if (depth == 0)
        keep(TAKE(16));
    else if (bits & 1)
        place(bits >> 1, depth - 1);
    else
        place(bits / 2, depth - 1);
    __asm__ volatile("");
}

/* 32 of them: two calls in a function are two */
static void places(void)
{
    for (unsigned bits = 0; bits < 32; bits++)
        place(bits, 5);
}

FUNCTION void *take_60(size_t size)
{
    return TAKE(size);
}

/* One library after the other at the same place; the blocks of each stay. */
static void reload(void)
{
    static const char *const names[] = {"one", "two", "one", "two"};
    void *(*function)(void *(*)(size_t)), *library, *at = NULL;
    char path[4096];

    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s/libframes_%s.so", getenv("FRAMES"), names[i]);
        library = dlopen(path, RTLD_NOW);
        *(void **)&function = library ? dlsym(library, "take_here") : NULL;
        if (!function || (at && at != *(void **)&function))
            _exit(6);
        at = *(void **)&function;
        keep(function(take_60));
        if (i < 3)
            dlclose(library);
    }
}

#define STACK (512 << 10)

FUNCTION void above_room(size_t room)
{
    volatile char *some = alloca(room);

    some[0] = 1;
    GIVE(TAKE(100));
    some[0] = 2;
}

static void *in_room(void *room)
{
    above_room((size_t)room);
    return NULL;
}

/* The stack lies in the first part of a range; nothing can be read behind it. */
static void on_stack(char *range, size_t size, size_t room)
{
    pthread_attr_t attributes;
    pthread_t thread;

    if (mprotect(range, size, PROT_READ | PROT_WRITE) != 0 ||
        pthread_attr_init(&attributes) != 0 ||
        pthread_attr_setstack(&attributes, range, size) != 0 ||
        pthread_create(&thread, &attributes, in_room, (void *)room) != 0 ||
        pthread_join(thread, NULL) != 0 || mprotect(range, size, PROT_NONE) != 0)
        _exit(7);
}

/* The same call at the same address of a stack, but the second one ends below what was above.
 */
static void shorter_stack(void)
{
    char *range =
        mmap(NULL, 2 * STACK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

    if (range == MAP_FAILED)
        _exit(7);
    GIVE(TAKE(10));
    on_stack(range, 2 * STACK, STACK + 64);
    on_stack(range, STACK, 64);
}

static volatile int stage;

/* The linker's lock is held until the main thread has allocated, and its child,
 * too. */
static int hold_lock(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)info, (void)size, (void)arg;
    stage = 1;
    while (stage == 1)
        usleep(1000);
    return 1;
}

static void *hold_lock_in_thread(void *arg)
{
    dl_iterate_phdr(hold_lock, arg);
    return NULL;
}

static void linker_lock(void)
{
    pthread_t thread;
    pid_t pid;

    GIVE(TAKE(10));
    alarm(20);
    pthread_create(&thread, NULL, hold_lock_in_thread, NULL);
    while (!stage)
        usleep(1000);
    three_of_100();
    pid = fork();
    if (pid == 0) {
        alarm(20);
        below(5);
        come_and_go();
        _exit(0);
    }
    if (!wait_good(pid))
        _exit(4);
    one_of_5000();
    stage = 2;
    pthread_join(thread, NULL);
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
