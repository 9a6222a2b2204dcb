/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_files.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PIECES = 32,
    PAGE = 4096,
    /* Descriptors of the memory and of the list of pages are known by their numbers. */
    MEMORY_FD = 700,
    PAGEMAP_FD = 800,
    END_FD = 900,
    ASKED_MOST = 64, /* reads of the list of pages, which is long */
};

static const char directory[] = "/proc/5000000";

static const char *const names[FAKE_FILES] = {
    [FAKE_COMM] = "/proc/5000000/comm",
    [FAKE_STAT] = "/proc/5000000/stat",
    [FAKE_STATUS] = "/proc/5000000/status",
    [FAKE_LIMITS] = "/proc/5000000/limits",
    [FAKE_ENVIRON] = "/proc/5000000/environ",
    [FAKE_AUXV] = "/proc/5000000/auxv",
    [FAKE_KERNEL_CORE] = FAKE_CORE,
    [FAKE_UID_MAP] = "/proc/self/uid_map",
    [FAKE_CGROUP] = "/proc/self/cgroup",
    [FAKE_CORE_PATTERN] = "/proc/sys/kernel/core_pattern",
};

/* Where the last component says what it is */
static const struct {
    const char *begin, *end;
    enum fake_file file;
} patterns[] = {
    {"/proc/5000000/", "/maps", FAKE_MAPS},
    {"/proc/5000000/", "/smaps", FAKE_MAPS},
    {"/proc/5000000/map_files/", "", FAKE_LIBRARY},
    {"/proc/5000000/root/", "", FAKE_LIBRARY},
    {"/sys/fs/cgroup/", "/memory.max", FAKE_CGROUP_LIMIT},
    {"/sys/fs/cgroup/", "/memory.limit_in_bytes", FAKE_CGROUP_LIMIT},
    {"/sys/fs/cgroup/", "/memory.current", FAKE_CGROUP_USAGE},
    {"/sys/fs/cgroup/", "/memory.usage_in_bytes", FAKE_CGROUP_USAGE},
    {"/sys/fs/cgroup/", "/memory.stat", FAKE_CGROUP_STAT},
};

struct piece {
    uint64_t from, to; /* whole pages */
    uint64_t address;
    const uint8_t *bytes;
    size_t size;
    bool secret;
};

static struct {
    int files[FAKE_FILES]; /* 0: there is none */
    struct piece pieces[PIECES];
    unsigned piece_count;
    bool old_kernel;
    unsigned asked;
    int opened; /* the directory, while the tool has it open */
} fake;

void fake_begin(void)
{
    for (unsigned i = 0; i < FAKE_FILES; i++) {
        if (fake.files[i])
            close(fake.files[i]);
    }
    memset(&fake, 0, sizeof(fake));
    fake.opened = -1;
}

void fake_put(enum fake_file file, const uint8_t *bytes, size_t size)
{
    if (!fake.files[file])
        fake.files[file] = memfd_create("fake", MFD_CLOEXEC);
    EXPECT(fake.files[file] > 0 && pwrite(fake.files[file], bytes, size, 0) == (ssize_t)size,
           "a file");
}

void fake_memory(uint64_t address, const uint8_t *bytes, size_t size, bool secret)
{
    uint64_t from = address / PAGE * PAGE, to = (address + size + PAGE - 1) / PAGE * PAGE;

    if (fake.piece_count == PIECES || size == 0 || to <= from)
        return;
    fake.pieces[fake.piece_count++] = (struct piece){from, to, address, bytes, size, secret};
}

void fake_old_kernel(void)
{
    fake.old_kernel = true;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);

    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* Returns the number of the file with this path; FAKE_FILES: the path is not of the process. */
static enum fake_file file_of(const char *path)
{
    for (unsigned i = 0; i < FAKE_FILES; i++) {
        if (names[i] && strcmp(path, names[i]) == 0)
            return i;
    }
    for (unsigned i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        if (strncmp(path, patterns[i].begin, strlen(patterns[i].begin)) == 0 &&
            ends_with(path, patterns[i].end))
            return patterns[i].file;
    }
    return FAKE_FILES;
}

static bool is_fake(const char *path)
{
    return strncmp(path, directory, sizeof(directory) - 1) == 0 || file_of(path) != FAKE_FILES;
}

static int fail(int error)
{
    errno = error;
    return -1;
}

/* Opens what the process has: from its beginning, because a copy shares the position. */
static int fake_open(const char *path)
{
    enum fake_file file = file_of(path);

    if (strcmp(path, directory) == 0)
        return fake.opened = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (ends_with(path, "/mem"))
        return fcntl(2, F_DUPFD_CLOEXEC, MEMORY_FD);
    if (ends_with(path, "/pagemap"))
        return fcntl(2, F_DUPFD_CLOEXEC, PAGEMAP_FD);
    if (file == FAKE_FILES || !fake.files[file])
        return fail(ENOENT);
    lseek(fake.files[file], 0, SEEK_SET);
    return fcntl(fake.files[file], F_DUPFD_CLOEXEC, 0);
}

/* The C library's own functions, and those that the tool calls instead */
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_openat(int at, const char *path, int flags, ...);
FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
int __real_stat(const char *path, struct stat *status);
int __wrap_stat(const char *path, struct stat *status);
int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);
DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
ssize_t __real_pread(int fd, void *into, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *into, size_t size, off_t offset);
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_trial_within(unsigned seconds, void (*work)(void *), void *result, size_t size);

int __wrap_open(const char *path, int flags, ...)
{
    va_list args;
    int mode;

    if (is_fake(path))
        return fake_open(path);
    va_start(args, flags);
    mode = flags & O_CREAT ? va_arg(args, int) : 0;
    va_end(args);
    return __real_open(path, flags, mode);
}

/* Only the process's directory is used in this way. */
int __wrap_openat(int at, const char *path, int flags, ...)
{
    char whole[128];

    (void)flags;
    EXPECT(at == fake.opened, "another directory");
    snprintf(whole, sizeof(whole), "%s/%s", directory, path);
    return fake_open(whole);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
    int fd;

    if (!is_fake(path))
        return __real_fopen(path, mode);
    fd = fake_open(path);
    return fd >= 0 ? fdopen(fd, "r") : NULL;
}

int __wrap_stat(const char *path, struct stat *status)
{
    enum fake_file file = file_of(path);

    if (!is_fake(path))
        return __real_stat(path, status);
    if (strcmp(path, directory) == 0)
        return __real_stat("/", status);
    return file != FAKE_FILES && fake.files[file] ? fstat(fake.files[file], status)
                                                  : fail(ENOENT);
}

int __wrap_access(const char *path, int mode)
{
    enum fake_file file = file_of(path);

    if (!is_fake(path))
        return __real_access(path, mode);
    return file != FAKE_FILES && fake.files[file] ? 0 : fail(ENOENT);
}

DIR *__wrap_opendir(const char *path)
{
    return is_fake(path) ? NULL : __real_opendir(path);
}

/* The piece that has the address, or the first one behind it; NULL: there is none. */
static const struct piece *piece_from(uint64_t address)
{
    const struct piece *next = NULL;

    for (unsigned i = 0; i < fake.piece_count; i++) {
        const struct piece *piece = &fake.pieces[i];
        if (piece->to > address && (!next || piece->from < next->from))
            next = piece;
    }
    return next;
}

static ssize_t read_memory(char *into, size_t size, uint64_t at)
{
    const struct piece *piece = piece_from(at);

    if (!piece || piece->from > at || piece->secret)
        return fail(EIO);
    if (size > piece->to - at)
        size = piece->to - at;
    for (size_t i = 0; i < size; i++, at++)
        into[i] = at >= piece->address && at - piece->address < piece->size
                      ? (char)piece->bytes[at - piece->address]
                      : 0;
    return (ssize_t)size;
}

static ssize_t read_pagemap(void *into, size_t size, uint64_t offset)
{
    uint64_t *entries = into, first = offset / sizeof(*entries);
    size_t count = size / sizeof(*entries);

    if (++fake.asked > ASKED_MOST)
        return 0;
    for (size_t i = 0; i < count; i++) {
        const struct piece *piece = piece_from((first + i) * PAGE);
        entries[i] = piece && piece->from <= (first + i) * PAGE ? UINT64_C(1) << 63 : 0;
    }
    return (ssize_t)(count * sizeof(*entries));
}

ssize_t __wrap_pread(int fd, void *into, size_t size, off_t offset)
{
    if (fd >= MEMORY_FD && fd < PAGEMAP_FD)
        return read_memory(into, size, (uint64_t)offset);
    if (fd >= PAGEMAP_FD && fd < END_FD)
        return read_pagemap(into, size, (uint64_t)offset);
    return __real_pread(fd, into, size, offset);
}

/* As PAGEMAP_SCAN, of which the tool uses no more. */
int __wrap_ioctl(int fd, unsigned long request, ...)
{
    struct {
        uint64_t size, flags, start, end, walk_end, regions, region_count;
    } *scan;
    struct {
        uint64_t start, end, categories;
    } *regions;
    const struct piece *piece;
    va_list args;
    int count = 0;

    va_start(args, request);
    scan = va_arg(args, void *);
    va_end(args);
    if (fd < PAGEMAP_FD || fd >= END_FD)
        return __real_ioctl(fd, request, scan);
    if (fake.old_kernel)
        return fail(ENOTTY);
    if (scan->start % PAGE)
        return fail(EINVAL);
    regions = (void *)(uintptr_t)scan->regions;
    scan->walk_end = scan->start;
    while ((piece = piece_from(scan->walk_end)) != NULL && piece->from < scan->end &&
           (uint64_t)count < scan->region_count) {
        regions[count].start = piece->from > scan->walk_end ? piece->from : scan->walk_end;
        regions[count].end = piece->to < scan->end ? piece->to : scan->end;
        scan->walk_end = regions[count++].end;
    }
    if ((uint64_t)count < scan->region_count)
        scan->walk_end = scan->end;
    return count;
}

/* A child for each file takes too long, and would not be looked into. */
int __wrap_trial_within(unsigned seconds, void (*work)(void *), void *result, size_t size)
{
    (void)seconds;
    memset(result, 0, size);
    work(result);
    return 0;
}
