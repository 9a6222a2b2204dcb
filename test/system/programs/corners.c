/* SPDX-License-Identifier: Apache-2.0 */
/* What programs do at the edge of fork, filters and locked memory.
 *
 *   corners KIND
 * bad_filter|vfork_filter|vfork_limit|raw_filter|stream|locked|hard_limit|registers */
#include "common.h"
#include "filter.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/seccomp.h>
#include <openssl/crypto.h>

enum { FORKS = 200, BLOCKS = 4000, LOCKED_MOST_KIB = 64 * 1024 };

static atomic_bool over;

static int install(const struct sock_fprog *program)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program);
}

/* A filter at an address that cannot be read is the kernel's to refuse. */
static void bad_filter(void)
{
    struct sock_fprog nowhere = {1, NULL}, elsewhere = {1, (struct sock_filter *)64};

    check_kind(filled_block(100, 1), "a block before");
    check(install(&nowhere) == -1 && (errno == EINVAL || errno == EFAULT), "NULL is refused");
    check(install(&elsewhere) == -1 && errno == EFAULT, "an address without memory is refused");
    check(install((const struct sock_fprog *)64) == -1 && errno == EFAULT,
          "and so is a bad program");
    check_kind(filled_block(100000, 2), "a block after");
}

static struct filter secret_filter;

/* The filter is the child's own; the memory in which it is noted is the parent's. */
static void vfork_filter(void)
{
    void *last = NULL;
    pid_t child;

    filled_block(100, 1);
    filter_one(&secret_filter, SYS_memfd_secret, SECCOMP_RET_KILL_PROCESS);
    child = vfork();
    if (child == 0)
        _exit(install(&secret_filter.program) == 0 ? 0 : 1);
    check(status_of(child) == 0, "a child of vfork sets a filter");
    for (int i = 0; i < BLOCKS; i++)
        last = filled_block(1000, 1);
    check_kind(last, "a block of its parent, 4 MB later");
}

static void vfork_limit(void)
{
    static const struct rlimit none = {0, 0};
    size_t before;
    pid_t child;

    filled_block(100, 1);
    before = secret_bytes();
    child = vfork();
    if (child == 0)
        _exit(setrlimit(RLIMIT_NOFILE, &none) == 0 ? 0 : 1);
    check(status_of(child) == 0, "a child of vfork sets a limit");
    check(secret_bytes() == before, "its parent has as much secret memory as before");
}

static void *allocate_always(void *arg)
{
    (void)arg;
    while (!atomic_load(&over))
        OPENSSL_free(OPENSSL_malloc(20000));
    return NULL;
}

/* The locks of the allocator may be held by a thread that the child does not have. */
static void raw_filter(void)
{
    pthread_t id;
    int good = 0;

    check_kind(filled_block(100, 1), "a block");
    filter_one(&secret_filter, SYS_memfd_secret, SECCOMP_RET_KILL_PROCESS);
    if (pthread_create(&id, NULL, allocate_always, NULL) != 0)
        broken("pthread_create");
    for (int i = 0; i < FORKS; i++) {
        pid_t child = _Fork();
        if (child == 0)
            _exit(install(&secret_filter.program) == 0 ? 0 : 1);
        good += status_within(child, 20) == 0;
    }
    atomic_store(&over, true);
    pthread_join(id, NULL);
    check(good == FORKS, "%d of %d children of _Fork set a filter", good, FORKS);
}

static ssize_t write_nothing(void *cookie, const char *text, size_t size)
{
    (void)cookie, (void)text;
    OPENSSL_free(OPENSSL_malloc(100));
    return (ssize_t)size;
}

static void *flush_always(void *stream)
{
    while (!atomic_load(&over)) {
        putc('x', stream);
        fflush(NULL);
    }
    return NULL;
}

/* fflush(NULL) has the C library's list of streams, and allocates; fork() wants that list. */
static void stream(void)
{
    FILE *file = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_nothing});
    pthread_t id;
    int good = 0;

    check_kind(filled_block(100, 1), "a block");
    fflush(stdout);
    if (!file || pthread_create(&id, NULL, flush_always, file) != 0)
        broken("pthread_create");
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        good += status_within(child, 20) == 0;
    }
    atomic_store(&over, true);
    pthread_join(id, NULL);
    check(good == FORKS, "%d of %d forks return", good, FORKS);
}

static long locked_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *file = fopen("/proc/self/status", "re");

    while (file && fgets(line, sizeof(line), file))
        sscanf(line, "VmLck: %ld", &kib);
    if (file)
        fclose(file);
    return kib;
}

/* What is reserved is no memory, and must not use up the limit on what is locked. */
static void locked(void)
{
    long kib;

    check_kind(filled_block(100, 1), "a block before");
    check(mlockall(MCL_CURRENT | MCL_FUTURE) == 0, "mlockall");
    kib = locked_kib();
    check(kib >= 0 && kib < LOCKED_MOST_KIB, "%ld KiB are locked", kib);
}

static void locked_before(void)
{
    double start = seconds_now();
    long kib;

    check(mlockall(MCL_CURRENT | MCL_FUTURE) == 0, "mlockall");
    check_kind(filled_block(100, 1), "the first block");
    kib = locked_kib();
    check(kib >= 0 && kib < LOCKED_MOST_KIB, "%ld KiB are locked after %.1f s", kib,
          seconds_now() - start);
}

static void hard_limit(void)
{
    struct rlimit before, after;

    getrlimit(RLIMIT_MEMLOCK, &before);
    check_kind(filled_block(100, 1), "a block");
    getrlimit(RLIMIT_MEMLOCK, &after);
    check(after.rlim_max == before.rlim_max, "the hard limit is as it was");
    check(after.rlim_cur >= before.rlim_cur, "and the soft one is no lower");
}

#if defined(__x86_64__)
static unsigned char saved[32][64];
static bool wide;

static __attribute__((noinline)) void save_registers(void)
{
    if (wide)
        __asm__ volatile(".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,"
                         "24,25,26,27,28,29,30,31\n\tvmovdqu64 %%zmm\\i, (64*\\i)(%0)\n.endr"
                         :
                         : "r"(saved)
                         : "memory");
    else
        __asm__ volatile(".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
                         "movdqu %%xmm\\i, (64*\\i)(%0)\n.endr"
                         :
                         : "r"(saved)
                         : "memory");
}

static __attribute__((noinline)) void clear_registers(void)
{
    if (wide)
        __asm__ volatile(".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,"
                         "24,25,26,27,28,29,30,31\n\tvpxord %zmm\\i, %zmm\\i, %zmm\\i\n.endr");
    else
        __asm__ volatile(".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
                         "pxor %xmm\\i, %xmm\\i\n.endr");
}

static const char secret[] = "SECRET-PRIVATE-KEY-BYTES-0123456";

/* Any eight bytes of the pattern in any register */
static int secret_registers(void)
{
    int found = 0;

    for (int i = 0; i < 32; i++) {
        bool has = false;
        for (int at = 0; at + 8 <= 64; at++)
            for (int from = 0; from + 8 <= 32; from += 8)
                has = has || memcmp(saved[i] + at, secret + from, 8) == 0;
        found += has;
    }
    return found;
}

static char *secret_block(size_t size)
{
    char *block = OPENSSL_malloc(size);

    if (!block)
        broken("OPENSSL_malloc");
    for (size_t i = 0; i < size; i++)
        block[i] = secret[i % (sizeof(secret) - 1)];
    return block;
}

/* What the allocator moved or cleared is not left where the next signal would write it to a
 * stack. */
static void registers(void)
{
    /* Without the preload it is the C library that moves blocks, and leaves what it moved. */
    bool ours = expected == MEMORY_SECRET;
    char *block = secret_block(200);
    pid_t child;

    __builtin_cpu_init();
    wide = __builtin_cpu_supports("avx512f");
    check_kind(block, "a block");
    clear_registers();
    child = fork();
    if (child == 0) {
        save_registers();
        _exit(secret_registers());
    }
    check(status_of(child) == 0, "no register of a child has key bytes");
    clear_registers();
    block = OPENSSL_realloc(block, 5000);
    save_registers();
    check(!ours || secret_registers() == 0, "nor after realloc: %d", secret_registers());
    clear_registers();
    OPENSSL_free(block);
    save_registers();
    check(!ours || secret_registers() == 0, "nor after free: %d", secret_registers());
    block = secret_block(20000);
    clear_registers();
    OPENSSL_free(block);
    save_registers();
    check(!ours || secret_registers() == 0, "nor after free of a large one: %d",
          secret_registers());
}
#else
static void registers(void)
{
    check_kind(filled_block(100, 1), "a block");
}
#endif

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"bad_filter", bad_filter},
        {"vfork_filter", vfork_filter},
        {"vfork_limit", vfork_limit},
        {"raw_filter", raw_filter},
        {"stream", stream},
        {"locked", locked},
        {"locked_before", locked_before},
        {"hard_limit", hard_limit},
        {"registers", registers},
        {NULL, NULL},
    };

    return run_case(cases, argc, argv);
}
