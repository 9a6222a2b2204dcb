/* SPDX-License-Identifier: Apache-2.0 */
#include "process/try_in_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447 /* on all architectures that have it */
#endif

enum { SECONDS = 30 };

static void trial_prepare(unsigned seconds)
{
    struct rlimit none = {0, 0}, size;
    int score;

    setrlimit(RLIMIT_CORE, &none);
    /*
     * Raises the soft RLIMIT_FSIZE, because sizing secret memory counts as growing a file. The
     * allocator does the same.
     */
    if (getrlimit(RLIMIT_FSIZE, &size) == 0) {
        size.rlim_cur = size.rlim_max;
        setrlimit(RLIMIT_FSIZE, &size);
    }
    /* If memory runs out, the kernel must kill this process and no other. */
    score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (score >= 0) {
        (void)!write(score, "1000", 4);
        close(score);
    }
    signal(SIGALRM, SIG_DFL);
    alarm(seconds);
}

int trial_within(unsigned seconds, void (*work)(void *result), void *result, size_t size)
{
    void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status, answer = -1;

    if (shared == MAP_FAILED)
        return -1;

    pid_t child = fork();

    if (child == 0) {
        trial_prepare(seconds);
        work(shared);
        _exit(0);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;

    int error = errno;

    if (child > 0)
        answer = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    memcpy(result, shared, size);
    munmap(shared, size);
    errno = error;
    return answer;
}

int trial(void (*work)(void *result), void *result, size_t size)
{
    return trial_within(SECONDS, work, result, size);
}

int secret_open(unsigned flags)
{
    return (int)syscall(SYS_memfd_secret, flags | O_CLOEXEC);
}

void *secret_map(size_t size, const char **step)
{
    int fd = secret_open(0);
    void *address = NULL;

    *step = "memfd_secret";
    if (fd < 0)
        return NULL;
    *step = "ftruncate";
    if (ftruncate(fd, (off_t)size) == 0) {
        *step = "mmap";
        address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (address == MAP_FAILED)
            address = NULL;
    }

    int error = errno;

    close(fd);
    errno = error;
    return address;
}

bool secret_touch(void *page)
{
    /*
     * Lets the kernel write the page, because where RLIMIT_MEMLOCK counts pages at the first
     * touch, a touch beyond the limit raises SIGBUS.
     */
    if (syscall(SYS_rt_sigprocmask, 0, NULL, page, sizeof(uint64_t)) != 0)
        return false;
    *(volatile uint64_t *)page = 0;
    return true;
}

/*
 * Reads by /proc/self/mem, or else by process_vm_readv(2), which uses the same path in the
 * kernel.
 */
static int read_from_outside(const void *address, void *copy, size_t size)
{
    int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    ssize_t got;

    if (fd >= 0) {
        got = pread(fd, copy, size, (off_t)(uintptr_t)address);
        close(fd);
    } else {
        struct iovec here = {copy, size}, there = {(void *)address, size};

        got = process_vm_readv(getpid(), &here, 1, &there, 1, 0);
    }
    return got == (ssize_t)size ? 1 : 0;
}

int readable_from_outside(const void *address)
{
    /* Ordinary memory, read first to show that such reads work. */
    static const char known[16] = "is to be seen";
    char copy[sizeof(known)];

    if (!read_from_outside(known, copy, sizeof(copy)) || memcmp(copy, known, sizeof(copy)) != 0)
        return -1;
    return read_from_outside(address, copy, sizeof(copy));
}

bool first_line(const char *path, char *line, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got;

    if (fd < 0)
        return false;
    got = read(fd, line, size - 1);

    int error = errno;

    close(fd);
    errno = error;
    if (got < 0)
        return false;
    line[got] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return true;
}
