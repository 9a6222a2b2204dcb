/* SPDX-License-Identifier: Apache-2.0 */
/* secretmem_read_file(). */
#include "api.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define TMPFS 0x01021994

static char name[64];

/* A file on a disk, or in memory, with size bytes of a pattern. */
static void make_file(const char *directory, size_t size)
{
    int fd;
    char *bytes = malloc(size + 1);

    snprintf(name, sizeof(name), "%s/secretmem-XXXXXX", directory);
    fd = mkstemp(name);
    cr_assert_geq(fd, 0);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 7 + i / 1000 + 1);
    cr_assert_eq(write(fd, bytes, size), (ssize_t)size);
    close(fd);
    free(bytes);
}

static bool has_pattern(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != (char)(i * 7 + i / 1000 + 1))
            return false;
    }
    return bytes[size] == 0;
}

/* Pages of the file in the page cache. */
static size_t cached_pages(size_t size)
{
    int fd = open(name, O_RDONLY);
    void *at = mmap(NULL, size, PROT_NONE, MAP_SHARED, fd, 0);
    static unsigned char there[4096];
    size_t count = 0;

    cr_assert_neq(at, MAP_FAILED);
    cr_assert_eq(mincore(at, size, there), 0);
    for (size_t i = 0; i * 4096 < size; i++)
        count += there[i] & 1;
    munmap(at, size);
    close(fd);
    return count;
}

/* /var/tmp lies on a disk, as its purpose demands. */
static bool on_disk(const char *directory)
{
    struct statfs in;

    return statfs(directory, &in) == 0 && in.f_type != TMPFS;
}

Test(read_file, dropped)
{
    static const size_t sizes[] = {0, 1, 100, 4096, 4097, 100000, 3000000};
    void *block;
    size_t size;

    cr_assert(on_disk("/var/tmp"), "this test needs a disk below /var/tmp");
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        make_file("/var/tmp", sizes[i]);
        if (sizes[i])
            cr_assert_gt(cached_pages(sizes[i]), 0, "just written");
        cr_assert_eq(secretmem_read_file(NULL, name, sizes[i], &block, &size),
                     SECRETMEM_FILE_DROPPED);
        cr_assert_eq(size, sizes[i]);
        cr_assert(has_pattern(block, size));
        cr_assert_eq(secretmem_contains(block), 1);
        if (sizes[i])
            cr_assert_eq(cached_pages(sizes[i]), 0);
        secretmem_free(block);
        unlink(name);
    }
}

/* The control: read(2) leaves it in the cache. */
Test(read_file, control)
{
    char bytes[5000];
    int fd;

    make_file("/var/tmp", sizeof(bytes));
    fd = open(name, O_RDONLY);
    cr_assert_eq(read(fd, bytes, sizeof(bytes)), (ssize_t)sizeof(bytes));
    close(fd);
    cr_assert_gt(cached_pages(sizeof(bytes)), 0);
    unlink(name);
}

static void check_cached(void)
{
    void *block = NULL;
    size_t size;

    cr_assert_eq(secretmem_read_file(NULL, name, 1000000, &block, &size),
                 SECRETMEM_FILE_CACHED);
    cr_assert(has_pattern(block, size));
    unlink(name);
}

Test(read_file, in_memory)
{
    cr_assert_not(on_disk("/dev/shm"));
    make_file("/dev/shm", 5000);
    check_cached();
}

Test(read_file, mapped)
{
    volatile char *at;
    int fd;

    make_file("/var/tmp", 5000);
    fd = open(name, O_RDONLY);
    at = mmap(NULL, 5000, PROT_READ, MAP_SHARED, fd, 0);
    (void)at[0];
    check_cached();
}

/* A file of somebody else: the kernel does not tell whether it is cached. */
Test(read_file, untold)
{
    void *block = NULL;
    size_t size;

    make_file("/var/tmp", 5000);
    cr_assert_eq(chmod(name, 0444), 0);
    cr_assert_eq(setuid(65534), 0);
    /* The bytes of another process's cache are kept in memory by a mapping of this one. */
    cr_assert_neq(
        mmap(NULL, 5000, PROT_READ, MAP_SHARED | MAP_POPULATE, open(name, O_RDONLY), 0),
        MAP_FAILED);
    cr_assert_eq(secretmem_read_file(NULL, name, 5000, &block, &size), SECRETMEM_FILE_UNKNOWN);
    cr_assert(has_pattern(block, size));
}

static void check_error(secretmem_arena *arena, size_t most, int error)
{
    void *block = &block;
    size_t size = 12345;

    errno = 0;
    cr_assert_eq(secretmem_read_file(arena, name, most, &block, &size), -1);
    cr_assert_eq(errno, error);
    cr_assert_eq(block, (void *)&block);
    cr_assert_eq(size, 12345);
}

Test(read_file, mistakes)
{
    secretmem_arena *arena = secretmem_arena_create(4096, 0);
    size_t capacity = state_of(arena).capacity_bytes;

    make_file("/var/tmp", capacity);
    check_error(NULL, capacity - 1, EFBIG);
    check_error(arena, capacity, ENOMEM);
    cr_assert_eq(state_of(arena).blocks, 0);
    check_error((secretmem_arena *)&arena, capacity, EINVAL);
    unlink(name);
    check_error(NULL, 100, ENOENT);
    cr_assert_eq(mkfifo(name, 0600), 0);
    check_error(NULL, 100, EINVAL);
    unlink(name);
    strcpy(name, "/dev/zero");
    check_error(NULL, 100, EINVAL);
    strcpy(name, "/");
    check_error(NULL, 1 << 20, EINVAL);
}

Test(read_file, sealed)
{
    secretmem_arena *arena = secretmem_arena_create(8192, SECRETMEM_ARENA_SEALED);
    void *block = NULL;
    size_t size;

    make_file("/var/tmp", 5000);
    cr_assert_eq(secretmem_read_file(arena, name, 5000, &block, &size), SECRETMEM_FILE_DROPPED);
    cr_assert_not(readable(block));
    cr_assert_eq(secretmem_begin(arena), 0);
    cr_assert(has_pattern(block, size));
    cr_assert_eq(secretmem_end(arena), 0);
    unlink(name);
}
