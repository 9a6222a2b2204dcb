/* SPDX-License-Identifier: Apache-2.0 */
#include "common.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum memory_kind expected;

static atomic_int failures;

static void put_line(char *line, int length, size_t room)
{
    if (length < 0 || (size_t)length >= room - 1)
        length = (int)room - 2;
    line[length] = '\n';
    ssize_t written = write(STDOUT_FILENO, line, (size_t)length + 1);
    if (written != length + 1)
        _exit(2);
}

void check(bool good, const char *format, ...)
{
    char line[400];
    va_list arguments;

    int length = snprintf(line, sizeof(line), "%s - ", good ? "ok" : "not ok");
    va_start(arguments, format);
    length += vsnprintf(line + length, sizeof(line) - (size_t)length, format, arguments);
    va_end(arguments);
    put_line(line, length, sizeof(line));
    if (!good)
        failures++;
}

int finish(void)
{
    char line[8] = "done";
    put_line(line, 4, sizeof(line));
    return failures > 0;
}

void broken(const char *what)
{
    char line[200];
    int length = snprintf(line, sizeof(line), "not ok - %s: %s", what, strerror(errno));
    put_line(line, length, sizeof(line));
    _exit(2);
}

static bool has_flag(const char *flags, const char *wanted)
{
    for (; *flags; flags++) {
        if (flags[0] == ' ' && flags[1] == wanted[0] && flags[2] == wanted[1])
            return true;
    }
    return false;
}

enum memory_kind kind_of(const void *address)
{
    char line[512];
    enum memory_kind kind = MEMORY_UNMAPPED;
    bool inside = false;
    FILE *file = fopen("/proc/self/smaps", "re");

    if (!file)
        broken("open /proc/self/smaps");
    while (fgets(line, sizeof(line), file)) {
        uintptr_t start, end;
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
            inside = (uintptr_t)address >= start && (uintptr_t)address < end;
            if (inside)
                kind = strstr(line, "/secretmem") ? MEMORY_SECRET : MEMORY_ORDINARY;
        } else if (inside && strncmp(line, "VmFlags:", 8) == 0 && kind == MEMORY_ORDINARY &&
                   has_flag(line, "dd")) {
            kind = has_flag(line, "lo") ? MEMORY_LOCKED : MEMORY_UNDUMPABLE;
        }
    }
    fclose(file);
    return kind;
}

static const char *const kind_names[] = {"unmapped", "ordinary", "undumpable", "locked",
                                         "secret"};

const char *kind_name(enum memory_kind kind)
{
    return kind_names[kind];
}

void check_kind(const void *address, const char *what)
{
    enum memory_kind kind = kind_of(address);
    check(kind == expected, "%s: %s memory, wanted %s", what, kind_name(kind),
          kind_name(expected));
}

void set_expected(const char *word)
{
    for (enum memory_kind kind = MEMORY_UNMAPPED; kind <= MEMORY_SECRET; kind++) {
        if (strcmp(word, kind_names[kind]) == 0) {
            expected = kind;
            return;
        }
    }
    fprintf(stderr,
            "'%s' is no kind of memory: unmapped, ordinary, undumpable, locked or secret\n",
            word);
    exit(2);
}

int run_case(const struct test_case *cases, int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s KIND CASE\n", argv[0]);
        return 2;
    }
    set_expected(argv[1]);
    for (; cases->name; cases++) {
        if (strcmp(argv[2], cases->name) == 0) {
            cases->run();
            return finish();
        }
    }
    fprintf(stderr, "%s has no case '%s'\n", argv[0], argv[2]);
    return 2;
}

/* The extent of the secret mappings, and the sum of their sizes. */
static struct range secret_mappings(size_t *bytes)
{
    char line[512];
    struct range range = {0, 0};
    FILE *file = fopen("/proc/self/maps", "re");

    if (!file)
        broken("open /proc/self/maps");
    *bytes = 0;
    while (fgets(line, sizeof(line), file)) {
        uintptr_t start, end;
        if (!strstr(line, "/secretmem") || sscanf(line, "%lx-%lx ", &start, &end) != 2)
            continue;
        if (!range.start)
            range.start = start;
        range.end = end;
        *bytes += end - start;
    }
    fclose(file);
    return range;
}

struct range secret_range(void)
{
    size_t bytes;
    return secret_mappings(&bytes);
}

size_t secret_bytes(void)
{
    size_t bytes;
    secret_mappings(&bytes);
    return bytes;
}

static uint64_t word_at(uint64_t seed, size_t index)
{
    seed += index * 0x9e3779b97f4a7c15U;
    seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9U;
    return seed ^ (seed >> 27) ^ 0x5ec2e7;
}

void fill(void *block, size_t size, uint64_t seed)
{
    unsigned char *bytes = block;
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = word_at(seed, i / 8);
        memcpy(bytes + i, &word, size - i < 8 ? size - i : 8);
    }
}

bool whole(const void *block, size_t size, uint64_t seed)
{
    const unsigned char *bytes = block;
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = word_at(seed, i / 8);
        if (memcmp(bytes + i, &word, size - i < 8 ? size - i : 8) != 0)
            return false;
    }
    return true;
}

double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void sleep_seconds(double seconds)
{
    struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&time, &time) != 0 && errno == EINTR)
        ;
}

static int decode(int status)
{
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

int status_of(pid_t child)
{
    int status;
    if (child < 0)
        broken("fork");
    while (waitpid(child, &status, 0) != child) {
        if (errno != EINTR)
            broken("waitpid");
    }
    return decode(status);
}

int status_within(pid_t child, double seconds)
{
    int status;
    double end = seconds_now() + seconds;

    if (child < 0)
        broken("fork");
    while (seconds_now() < end) {
        if (waitpid(child, &status, WNOHANG) == child)
            return decode(status);
        sleep_seconds(0.001);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return -1;
}

bool readable(const void *address, void *copy, size_t size)
{
    int pipes[2];
    bool good = true;

    if (pipe2(pipes, O_CLOEXEC) != 0)
        broken("pipe2");
    /* A system call says EFAULT where a load would end the process. */
    for (size_t done = 0; good && done < size;) {
        size_t part = size - done < 4096 ? size - done : 4096;
        ssize_t written = write(pipes[1], (const char *)address + done, part);
        good = written > 0 && read(pipes[0], (char *)copy + done, (size_t)written) == written;
        done += good ? (size_t)written : 0;
    }
    close(pipes[0]);
    close(pipes[1]);
    return good;
}

bool is_symbolic(const char *name)
{
    struct link_map *map = NULL;
    const ElfW(Dyn) * entry;

    if (dlinfo(dlopen(NULL, RTLD_NOW), RTLD_DI_LINKMAP, &map) != 0)
        return false;
    while (map && !strstr(map->l_name, name))
        map = map->l_next;
    for (entry = map ? map->l_ld : NULL; entry && entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_SYMBOLIC ||
            (entry->d_tag == DT_FLAGS && entry->d_un.d_val & DF_SYMBOLIC))
            return true;
    }
    return false;
}
