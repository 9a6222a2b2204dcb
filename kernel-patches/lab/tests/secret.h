/* SPDX-License-Identifier: GPL-2.0-only */
/* Secret memory, and what the kernel counts of it, for the lab's tests. */
#ifndef LAB_SECRET_H
#define LAB_SECRET_H

#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNCACHED 2U
#define COPY     4U
#define PAGE     4096UL
#define BLOCK    (2UL << 20)
#define NOBODY   65534

/* Whether the kernel has the patches; the second argument of every test says so. */
static bool patched;

static __attribute__((unused)) void secret_start(int argc, char **argv)
{
    if (argc != 3)
        tap_bail_out("usage: %s BASE patched|unpatched", argv[0]);
    patched = strcmp(argv[2], "patched") == 0;
}

static __attribute__((unused)) int memfd_secret(unsigned flags)
{
    return (int)syscall(SYS_memfd_secret, flags);
}

static __attribute__((unused)) void set_memlock(unsigned long bytes)
{
    const struct rlimit limit = {bytes, bytes};

    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0)
        tap_bail_out("setrlimit: %s", strerror(errno));
}

static __attribute__((unused)) int secret_file(size_t size, unsigned flags)
{
    int fd = memfd_secret(flags);

    if (fd < 0)
        tap_bail_out("memfd_secret: %s", strerror(errno));
    if (ftruncate(fd, (off_t)size) != 0)
        tap_bail_out("ftruncate: %s", strerror(errno));
    return fd;
}

/* A mapping of a file, aligned to a block. */
static __attribute__((unused)) char *map_aligned(int fd, size_t size)
{
    char *space = mmap(NULL, size + BLOCK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *start = (char *)(((unsigned long)space + BLOCK - 1) & ~(BLOCK - 1));
    char *area = mmap(start, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);

    if (space == MAP_FAILED || area == MAP_FAILED)
        tap_bail_out("mmap of secret memory: %s", strerror(errno));
    if (start > space)
        munmap(space, start - space);
    munmap(start + size, space + BLOCK - start);
    return area;
}

/* Asks for blocks, which only the patched kernels have. */
static __attribute__((unused)) void ask_for_blocks(char *area, size_t size)
{
    if (patched && size >= BLOCK && madvise(area, size, MADV_HUGEPAGE) != 0)
        tap_bail_out("MADV_HUGEPAGE: %s", strerror(errno));
}

/* Memory whose descriptor is closed, so that unmapping ends it; no block is asked for. */
static __attribute__((unused)) char *map_plain(size_t size, unsigned flags)
{
    int fd = secret_file(size, flags);
    char *area = map_aligned(fd, size);

    close(fd);
    return area;
}

/* The same, in blocks where there are some. */
static __attribute__((unused)) char *map_secret(size_t size, unsigned flags)
{
    char *area = map_plain(size, flags);

    ask_for_blocks(area, size);
    return area;
}

/* Makes pages present by a system call, which fails where a touch would raise a signal. */
static __attribute__((unused)) size_t populate(char *area, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        if (syscall(SYS_rt_sigprocmask, 0, NULL, area + i * PAGE, 8) != 0)
            return errno == EFAULT ? i : (size_t)-1;
    return pages;
}

/* The number in a file that holds one, or -1. */
static __attribute__((unused)) long read_number(const char *path)
{
    char text[64];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (fd >= 0)
        close(fd);
    if (length <= 0)
        return -1;
    text[length] = '\0';
    return atol(text);
}

/* Sets a switch of the kernel; without it there is nothing to test. */
static __attribute__((unused)) void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        tap_bail_out("%s: %s", path, strerror(errno));
    close(fd);
}

/* A counter of the patches, or -1. */
static __attribute__((unused)) long counter(const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "/sys/kernel/mm/secretmem/%s", name);
    return read_number(path);
}

/*
 * As map_secret(), with all pages present; answers too how many blocks they are in. After a
 * failure the kernel tries none for a second: then waits, says so, and begins again.
 */
static __attribute__((unused)) char *try_blocks(size_t size, unsigned flags, long *had)
{
    for (int tries = 4;; tries--) {
        long before = counter("blocks");
        char *area = map_secret(size, flags);
        if (populate(area, size / PAGE) != size / PAGE)
            tap_bail_out("not all of %lu KiB of secret memory can be had", size >> 10);
        *had = counter("blocks") - before;
        if (!patched || *had == (long)(size / BLOCK) || tries == 0)
            return area;
        printf("# %ld of %lu blocks; once more, in a while\n", *had, size / BLOCK);
        munmap(area, size);
        usleep(1200000);
    }
}

/* What is shown of blocks must be of blocks: a result of its own with the patches. */
static __attribute__((unused)) char *map_blocks(size_t size, unsigned flags, const char *what)
{
    long had;
    char *area = try_blocks(size, flags, &had);

    if (patched)
        tap_ok(had == (long)(size / BLOCK), "%s: all of it is in blocks (are: %ld of %lu)",
               what, had, size / BLOCK);
    return area;
}

/* A line "NAME VALUE" of a file in /proc, or -1. */
static __attribute__((unused)) long proc_value(const char *path, const char *name)
{
    char line[256], word[128];
    long value, found = -1;
    FILE *file = fopen(path, "re");

    while (file && found < 0 && fgets(line, sizeof(line), file))
        if (sscanf(line, "%127[^: ]%*[: ]%ld", word, &value) == 2 && strcmp(word, name) == 0)
            found = value;
    if (file)
        fclose(file);
    return found;
}

static __attribute__((unused)) long vmstat(const char *name)
{
    return proc_value("/proc/vmstat", name);
}

/* Where a page of this process is in physical memory, or 0. */
static __attribute__((unused)) unsigned long physical_address(const void *page)
{
    unsigned long entry = 0;
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    ssize_t count = pread(fd, &entry, sizeof(entry), (off_t)((unsigned long)page / PAGE * 8));

    close(fd);
    return count == sizeof(entry) && entry >> 63 ? (entry & ((1UL << 55) - 1)) * PAGE : 0;
}

/* Reports a memory error; the call fails for memory that cannot be isolated, but marks it. */
static __attribute__((unused)) void poison(unsigned long place)
{
    int fd = open("/sys/kernel/debug/hwpoison/corrupt-pfn", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        tap_bail_out("corrupt-pfn: %s", strerror(errno));
    dprintf(fd, "%#lx", place / PAGE);
    close(fd);
}

/* The beginning of a file, which must be there. */
static __attribute__((unused)) void read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, size - 1);

    if (length < 0)
        tap_bail_out("%s: %s", path, strerror(errno));
    close(fd);
    text[length] = '\0';
}

static __attribute__((unused)) bool file_says(const char *path, const char *word)
{
    char text[4096];

    read_text(path, text, sizeof(text));
    return strstr(text, word) != NULL;
}

static __attribute__((unused)) bool hibernation_on_offer(void)
{
    return file_says("/sys/power/state", "disk");
}

/* The exit status of a function run in a child. */
static __attribute__((unused)) int status_of_child(int (*function)(void *), void *argument)
{
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(function(argument));
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        tap_bail_out("a child did not end by itself");
    return WEXITSTATUS(status);
}

/* Runs tests in a child, whose results count. */
static __attribute__((unused)) void run_in_child(int (*test)(const void *),
                                                 const void *argument)
{
    int status, count[2], numbers[2] = {tap_count, tap_failures};
    pid_t child;

    if (pipe(count) != 0 || (child = fork()) < 0)
        tap_bail_out("fork: %s", strerror(errno));
    if (child == 0) {
        test(argument);
        numbers[0] = tap_count;
        numbers[1] = tap_failures;
        _exit(write(count[1], numbers, sizeof(numbers)) != sizeof(numbers));
    }
    if (waitpid(child, &status, 0) != child || status != 0 ||
        read(count[0], numbers, sizeof(numbers)) != sizeof(numbers))
        tap_bail_out("a child ended with status %#x", status);
    tap_count = numbers[0];
    tap_failures = numbers[1];
    close(count[0]);
    close(count[1]);
}

#endif
