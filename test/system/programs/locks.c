/* SPDX-License-Identifier: Apache-2.0 */
/* A program that locks memory of its own, as libraries with secrets do.
 *
 *   locks KIND kept|pieces|others|later|advice|wiped|limit|large */
#include "common.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, POOL = 16 * PAGE, MIB = 1 << 20 };

static char data[2 * PAGE];

static char *mapped_as(size_t size, int prot, int flags)
{
    char *memory = mmap(NULL, size, prot, flags, -1, 0);

    if (memory == MAP_FAILED)
        broken("mmap");
    return memory;
}

static char *mapped(size_t size)
{
    return mapped_as(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
}

static bool is_whole(const char *memory, size_t size)
{
    return whole(memory, size, 7);
}

/* Locked when it is full: contents are kept, at the lock and when the lock is taken away. */
static void kept(void)
{
    for (int way = 0; way < 3; way++) {
        char *pool = mapped(POOL);
        int result;

        fill(pool, POOL, 7);
        result = way == 0   ? mlock(pool, POOL)
                 : way == 1 ? mlock2(pool, POOL, MLOCK_ONFAULT)
                            : (int)syscall(SYS_mlock, pool, POOL);
        check(result == 0, "memory is locked, way %d", way);
        check_kind(pool, "its beginning");
        check_kind(pool + POOL - 1, "its end");
        check(is_whole(pool, POOL), "its contents are kept");
        check(mlock(pool + PAGE, PAGE) == 0 && is_whole(pool, POOL), "a part is locked again");
        check_kind(pool + PAGE, "which stays");
        errno = 0;
        check(madvise(pool, POOL, MADV_DONTNEED) == -1 && errno == EINVAL,
              "MADV_DONTNEED is not for locked memory");
        fill(pool, POOL, 8);
        check(munlock(pool, POOL) == 0 && whole(pool, POOL, 8),
              "it is unlocked, contents kept");
        check(kind_of(pool) == MEMORY_ORDINARY, "and ordinary memory again");
        check(munmap(pool, POOL) == 0 && secret_bytes() == 0, "and unmapped");
    }
    char *pool =
        mapped_as(POOL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED);
    check_kind(pool, "memory that mmap locks");
    fill(pool, POOL, 7);
    check(is_whole(pool, POOL) && munmap(pool, POOL) == 0, "which can be used, and unmapped");
}

/* Memory of odd sizes and places, and parts of it that go. */
static void pieces(void)
{
    char *guarded = mapped_as(3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
    char *large = mapped(4 * POOL), *pool = large + POOL;

    check(mprotect(guarded + PAGE, PAGE, PROT_READ | PROT_WRITE) == 0 &&
              mlock(guarded + PAGE, PAGE) == 0,
          "a page between guards");
    check_kind(guarded + PAGE, "it");
    check(munmap(large, POOL) == 0 && munmap(large + 2 * POOL, 2 * POOL) == 0,
          "both ends of a mapping are unmapped");
    fill(pool, POOL, 7);
    check(mlock(pool + 100, POOL - PAGE - 200) == 0, "from one odd address to another");
    check_kind(pool, "the first page");
    check(kind_of(pool + POOL - PAGE) == MEMORY_ORDINARY, "behind the last: not locked");
    check(munmap(pool + 4 * PAGE, PAGE) == 0 && munmap(pool, PAGE) == 0, "holes");
    check_kind(pool + PAGE, "before a hole");
    check_kind(pool + 5 * PAGE, "behind it");
    check(munlock(pool + 6 * PAGE, PAGE) == 0 && kind_of(pool + 6 * PAGE) == MEMORY_ORDINARY,
          "one page is unlocked");
    check_kind(pool + 7 * PAGE, "the next is not");
    char copy[PAGE];
    memcpy(copy, pool + 8 * PAGE, PAGE);
    char *over = mmap(pool + 7 * PAGE, PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    check(over == pool + 7 * PAGE && kind_of(over) == MEMORY_ORDINARY && over[0] == 0,
          "new memory over one page");
    check(memcmp(copy, pool + 8 * PAGE, PAGE) == 0, "the next is what it was");
    pid_t child = fork();
    if (child == 0)
        _exit(memcmp(copy, pool + 8 * PAGE, PAGE) == 0 &&
                      kind_of(pool + 8 * PAGE) == expected &&
                      kind_of(pool + 6 * PAGE) == MEMORY_ORDINARY
                  ? 0
                  : 1);
    check(status_of(child) == 0, "a child has all pieces");
    munmap(pool, POOL);
    munmap(guarded, 3 * PAGE);
    check(secret_bytes() == 0, "nothing is left");
}

static void stays(char *memory, size_t size, const char *what)
{
    check(mlock(memory, size) == 0, "%s is locked", what);
    check(kind_of(memory) == MEMORY_ORDINARY, "and stays");
    munlock(memory, size);
}

/* Locks that are not meant. */
static void others(void)
{
    char stack[2 * PAGE] = {1}, *block = NULL, *pool = mapped(64 * PAGE);
    char *read_only = mapped(PAGE);

    if (posix_memalign((void **)&block, PAGE, PAGE) != 0)
        broken("posix_memalign");
    memset(block, 1, PAGE);
    stays(block, PAGE, "a block of malloc");
    stays(stack, sizeof(stack), "the stack");
    stays(data, sizeof(data), "data of the program");
    stays(mapped_as(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS), PAGE,
          "shared memory");
    stays(mapped_as(POOL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK),
          POOL, "a stack that the program makes");
    stays(pool, PAGE, "a small part of a mapping");
    read_only[0] = 'x';
    check(mprotect(read_only, PAGE, PROT_READ) == 0, "memory that may only be read");
    stays(read_only, PAGE, "which");
    check(read_only[0] == 'x', "it has its contents");
    errno = 0;
    munmap(pool, 64 * PAGE);
    check(mlock(pool, PAGE) == -1 && errno == ENOMEM, "memory that is not there cannot be");
}

/* What becomes of it. */
static void later(void)
{
    char *pool = mapped(POOL), *moved;

    fill(pool, POOL, 7);
    check(mlock(pool, POOL) == 0, "memory is locked");
    moved = mremap(pool, POOL, 2 * POOL, MREMAP_MAYMOVE);
    check(moved != MAP_FAILED && is_whole(moved, POOL), "it grows, and keeps its contents");
    check(kind_of(moved) == MEMORY_ORDINARY, "as ordinary memory");
    fill(moved, 2 * POOL, 7);
    check(is_whole(moved, 2 * POOL), "all of it can be used");
    munmap(moved, 2 * POOL);
}

static void advice(void)
{
    char *pool = mapped(POOL);
    pid_t child;

    fill(pool, POOL, 7);
    check(mlock(pool, POOL) == 0 && madvise(pool, POOL, MADV_DONTDUMP) == 0, "not for dumps");
    check(madvise(pool, PAGE, MADV_DONTFORK) == 0, "a page that children are not to have");
    child = fork();
    if (child == 0)
        _exit(*(volatile char *)pool);
    check(status_of(child) == 1000 + SIGSEGV, "they do not have it");
    child = fork();
    if (child == 0)
        _exit(*(volatile char *)(pool + PAGE) == pool[PAGE] && is_whole(pool, 0) ? 0 : 1);
    check(status_of(child) == 0, "they have the rest");
    check(madvise(pool, PAGE, MADV_DOFORK) == 0, "they are to have it again");
    child = fork();
    if (child == 0)
        _exit(is_whole(pool, POOL) ? 0 : 1);
    check(status_of(child) == 0, "and do");
    check((kind_of(pool) == MEMORY_SECRET) == (expected == MEMORY_SECRET), "it stays");
    munmap(pool, POOL);
}

/* As advice(), but the pages are to be zero in children. */
static void wiped(void)
{
    char *pool = mapped(POOL);
    pid_t child;

    fill(pool, POOL, 7);
    check(mlock(pool, POOL) == 0 && madvise(pool, POOL, MADV_WIPEONFORK) == 0, "wiped on fork");
    child = fork();
    if (child == 0)
        _exit(pool[PAGE] == 0 && pool[0] == 0 ? 0 : 1);
    check(status_of(child) == 0, "a child has zeroes");
    check(is_whole(pool, POOL), "the parent has the contents");
}

/* A program that uses its limit to the last page. */
static void limit(void)
{
    struct rlimit limit;
    char *all, *more = mapped(PAGE);

    getrlimit(RLIMIT_MEMLOCK, &limit);
    all = mapped(limit.rlim_cur);
    check(mlock(all, limit.rlim_cur) == 0, "all that may be locked, %zu bytes",
          (size_t)limit.rlim_cur);
    check_kind(all, "it");
    errno = 0;
    check(mlock(more, PAGE) == -1 && errno == ENOMEM, "not a page more");
    check(munlock(all, limit.rlim_cur) == 0 && mlock(more, PAGE) == 0, "another one instead");
}

/* Too large: 17 MiB, and the program goes on as it would. */
static void large(void)
{
    char *buffer = mapped(17 * MIB);

    fill(buffer, 17 * MIB, 7);
    check(mlock(buffer, 17 * MIB) == 0 && kind_of(buffer) == MEMORY_ORDINARY,
          "a buffer of 17 MiB is locked, and stays");
    check(is_whole(buffer, 17 * MIB), "with its contents");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"kept", kept},   {"pieces", pieces}, {"others", others},
        {"later", later}, {"advice", advice}, {"wiped", wiped},
        {"limit", limit}, {"large", large},   {NULL, NULL},
    };
    return run_case(cases, argc, argv);
}
