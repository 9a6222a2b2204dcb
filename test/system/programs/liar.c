/* SPDX-License-Identifier: Apache-2.0 */
/* Says of itself what is not so, in the place where libsecretssl keeps its figures, and waits
 * to be killed.
 *
 *   liar CASE
 *   liar count COUNTER: one libcrypto is hooked, and the counter is 1 */
#include "base/counters.h"
#include "log/lapse.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct node {
    uint64_t counts[3], next;
};

enum { NODES = 1 << 18, COPIES = 100, PAGES = 4 };

/* Not all zero: among the initialised variables */
static struct sm_stats lies[COPIES] = {{.version = 1}};
static struct node loop[2];

static struct sm_stats *begin(void)
{
    lies[0] = (struct sm_stats){
        .magic = SM_STATS_MAGIC,
        .version = SM_STATS_VERSION,
        .size = sizeof(lies[0]),
        .cache_counts = offsetof(struct node, counts),
        .cache_next = offsetof(struct node, next),
    };
    return &lies[0];
}

static void cycle(void)
{
    loop[0] = (struct node){{1, 1, 1}, (uintptr_t)&loop[1]};
    loop[1] = (struct node){{1, 1, 1}, (uintptr_t)&loop[0]};
    begin()->caches = (uintptr_t)&loop[0];
}

static void endless(void)
{
    struct node *nodes = calloc(NODES, sizeof(*nodes));

    for (int i = 0; nodes && i + 1 < NODES; i++)
        nodes[i] = (struct node){{1, 1, 1}, (uintptr_t)&nodes[i + 1]};
    begin()->caches = (uintptr_t)nodes;
}

static void wild(void)
{
    begin()->caches = 0xdeadbeef0008;
}

static void wilder(void)
{
    struct sm_stats *lie = begin();

    lie->caches = UINT64_MAX - 7;
    lie->cache_counts = lie->cache_next = UINT32_MAX;
}

static void huge(void)
{
    struct sm_stats *lie = begin();

    memset(lie->pages, 0xff, sizeof(*lie) - offsetof(struct sm_stats, pages));
}

static void version(void)
{
    begin()->version = 77;
}

static void size(void)
{
    begin()->size = 8;
}

static void larger(void)
{
    begin()->size = UINT32_MAX;
}

/* No lies: of another build, with fewer counters or with more. */
static void older(void)
{
    struct sm_stats *figures = begin();

    figures->failed = 7;
    figures->cap = 4096;
    figures->size = offsetof(struct sm_stats, cap);
}

static void newer(void)
{
    older();
    lies[0].size = sizeof(lies[0]) + 64;
}

/* As if the largest arena there can be were full. */
static void full(void)
{
    struct sm_stats *lie = begin();

    lie->hooks = lie->spilled = 1;
    lie->cap = UINT64_C(1) << 40;
}

static void many(void)
{
    struct sm_stats lie = *begin();

    for (int i = 0; i < COPIES; i++)
        lies[i] = lie;
}

/* The first bytes at the very end of what is mapped. */
static void edge(void)
{
    int file = open("edge", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    size_t length = PAGES * (size_t)getpagesize();
    char *at;

    if (file < 0 || ftruncate(file, (off_t)length) != 0)
        exit(2);
    at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    if (at == MAP_FAILED)
        exit(2);
    memcpy(at + length - 8, &(uint64_t){SM_STATS_MAGIC}, 8);
    /* Nor may a page behind the end of the file be in the way. */
    if (ftruncate(file, getpagesize()) != 0)
        exit(2);
}

/* A little secret memory */
static void secret_page(void)
{
    int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    char *at;

    if (fd < 0 || ftruncate(fd, getpagesize()) != 0)
        exit(2);
    at = mmap(NULL, (size_t)getpagesize(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        exit(2);
    *at = 1;
}

/* No lie */
static void exact(void)
{
    secret_page();
    begin()->pages[SM_KIND_SECRET] = 1;
}

static void more(void)
{
    secret_page();
    begin()->pages[SM_KIND_SECRET] = 2;
}

/* More than all that it has mapped */
static void weaker(void)
{
    secret_page();
    begin()->pages[SM_KIND_SECRET] = 1;
    lies[0].pages[SM_KIND_LOCKED] = UINT64_C(1) << 36;
}

/* A file of that name is not what it is called. */
static void named(void)
{
    int file = open("secretmem (deleted)", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    begin()->pages[SM_KIND_SECRET] = 1000;
    if (file < 0 || ftruncate(file, getpagesize()) != 0 ||
        mmap(NULL, (size_t)getpagesize(), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) ==
            MAP_FAILED)
        exit(2);
}

static void count(const char *name)
{
    struct sm_stats *figures = begin();
    const struct {
        const char *name;
        uint64_t *counter;
    } counters[] = {
        {"nothing", &figures->hooks},
        {"spilled", &figures->spilled},
        {"failed", &figures->failed},
        {"degraded", &figures->degraded},
        {"locked", &figures->pages[SM_KIND_LOCKED]},
        {"fork_failed", &figures->fork_failed},
        {"hooks_late", &figures->hooks_late},
        {"unguarded", &figures->unguarded},
        {"files_cached", &figures->files_cached},
        {"messages_lost", &figures->messages_lost},
        {"uncached", &figures->threads_without_cache},
        {"forks", &figures->forks},
    };

    static const char *const lapses[] = {
#define LAPSE(name, harm, what) #name,
        SM_LAPSE_LIST(LAPSE)
#undef LAPSE
    };

    figures->hooks = 1;
    for (size_t i = 0; i < sizeof(lapses) / sizeof(lapses[0]); i++) {
        if (strcmp(name, lapses[i]) != 0)
            continue;
        figures->lapses[i] = 1;
        return;
    }
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        if (strcmp(name, counters[i].name) != 0)
            continue;
        *counters[i].counter = 1;
        return;
    }
    exit(2);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*tell)(void);
    } cases[] = {
        {"cycle", cycle},   {"endless", endless}, {"wild", wild},   {"wilder", wilder},
        {"huge", huge},     {"version", version}, {"size", size},   {"larger", larger},
        {"many", many},     {"edge", edge},       {"named", named}, {"older", older},
        {"newer", newer},   {"full", full},       {"exact", exact}, {"more", more},
        {"weaker", weaker},
    };

    if (argc == 3 && strcmp(argv[1], "count") == 0) {
        count(argv[2]);
        prctl(PR_SET_NAME, "told");
        for (;;)
            pause();
    }
    for (size_t i = 0; argc == 2 && i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (strcmp(argv[1], cases[i].name) != 0)
            continue;
        cases[i].tell();
        prctl(PR_SET_NAME, "told");
        for (;;)
            pause();
    }
    fprintf(stderr, "usage: %s CASE\n", argv[0]);
    return 2;
}
