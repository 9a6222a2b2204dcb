// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest is what the other tests build on: the base that was asked for with two CPUs, secret
 * memory that works and is out of reach, and RLIMIT_MEMLOCK counted as these bases count it:
 * each page when it is touched, against the user, root and capabilities or not.
 */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* RLIMIT_MEMLOCK of the test, and what it maps, in pages. */
#define LIMIT_PAGES  16
#define MAPPED_PAGES 64
#define NOBODY       65534

static long page_size;

/* A mapping of secret memory; its descriptor is closed. Does not touch it. */
static char *map_secret(size_t pages)
{
    int fd = (int)syscall(SYS_memfd_secret, 0);

    if (fd < 0)
        tap_bail_out("memfd_secret: %s", strerror(errno));
    if (ftruncate(fd, (off_t)pages * page_size) != 0)
        tap_bail_out("ftruncate: %s", strerror(errno));
    char *area = mmap(NULL, pages * page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (area == MAP_FAILED)
        tap_bail_out("mmap of %zu pages of secret memory: %s", pages, strerror(errno));
    return area;
}

/* Makes pages present by a system call, which fails where a touch would raise a signal. */
static size_t populate(char *area, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        if (syscall(SYS_rt_sigprocmask, 0, NULL, area + i * page_size, 8) != 0)
            return errno == EFAULT ? i : (size_t)-1;
    return pages;
}

static sigjmp_buf touched;

static void on_bus_error(int signal)
{
    siglongjmp(touched, signal);
}

/* The signal that a write raises, or 0. */
static int signal_of_touch(volatile char *byte)
{
    struct sigaction action = {.sa_handler = on_bus_error}, bus, segv;

    sigaction(SIGBUS, &action, &bus);
    sigaction(SIGSEGV, &action, &segv);
    int raised = sigsetjmp(touched, 1);
    if (raised == 0)
        *byte = 1;
    sigaction(SIGBUS, &bus, NULL);
    sigaction(SIGSEGV, &segv, NULL);
    return raised;
}

/* How many pages a child process can have, as this user or as another. */
static size_t pages_for_child(uid_t user)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        if (user != getuid() && setresuid(user, user, user) != 0)
            _exit(255);
        _exit((int)populate(map_secret(MAPPED_PAGES), MAPPED_PAGES));
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        tap_bail_out("a child did not end by itself");
    return (size_t)WEXITSTATUS(status);
}

/* Reads a byte through /proc/self/mem: 0, or an errno. */
static int read_through_proc(const char *address, char *byte)
{
    int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    ssize_t count = pread(fd, byte, 1, (off_t)address);
    int error = count == 1 ? 0 : count == 0 ? ENODATA : errno;

    close(fd);
    return error;
}

static void test_guest(const char *base)
{
    struct utsname name;
    size_t length = strlen(base);

    uname(&name);
    tap_ok(strncmp(name.release, base, length) == 0 && name.release[length] == '.',
           "the kernel is %s (is: %s)", base, name.release);
    tap_ok(sysconf(_SC_NPROCESSORS_ONLN) == 2, "two CPUs are online");
    tap_ok(geteuid() == 0, "the command runs as root");
}

static void test_secret_memory(void)
{
    static const char text[] = "not for your eyes";
    static char ordinary[] = "for anybody's";
    char byte = 0;
    char *secret = map_secret(1);

    memcpy(secret, text, sizeof(text));
    tap_ok(memcmp(secret, text, sizeof(text)) == 0, "secret memory keeps what is written");
    tap_ok(read_through_proc(ordinary, &byte) == 0 && byte == ordinary[0],
           "ordinary memory can be read through /proc/self/mem");
    tap_ok(read_through_proc(secret, &byte) == EIO, "secret memory cannot");
    munmap(secret, page_size);

    tap_ok(syscall(SYS_memfd_secret, 0x40000000) == -1 && errno == EINVAL,
           "an unknown flag is refused with EINVAL");
}

static void test_accounting(void)
{
    const struct rlimit limit = {LIMIT_PAGES * page_size, LIMIT_PAGES * page_size};

    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0)
        tap_bail_out("setrlimit: %s", strerror(errno));

    char *area = map_secret(MAPPED_PAGES);
    tap_ok(true, "%d pages can be mapped under a limit of %d", MAPPED_PAGES, LIMIT_PAGES);
    size_t count = populate(area, MAPPED_PAGES);
    tap_ok(count == LIMIT_PAGES, "system calls make %d present, then EFAULT (made: %zd)",
           LIMIT_PAGES, (ssize_t)count);
    tap_ok(signal_of_touch(area) == 0, "a present page can be touched");
    int raised = signal_of_touch(area + LIMIT_PAGES * page_size);
    tap_ok(raised == SIGBUS, "one page more raises SIGBUS (raised: %d)", raised);

    count = pages_for_child(getuid());
    tap_ok(count == 0, "another process of this user gets none (got: %zu)", count);
    count = pages_for_child(NOBODY);
    tap_ok(count == LIMIT_PAGES, "another user gets %d (got: %zu)", LIMIT_PAGES, count);

    munmap(area, MAPPED_PAGES * page_size);
    count = populate(map_secret(MAPPED_PAGES), MAPPED_PAGES);
    tap_ok(count == LIMIT_PAGES, "unmapping gives back all (got: %zu)", count);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        tap_bail_out("usage: smoke BASE patched|unpatched");
    page_size = sysconf(_SC_PAGESIZE);
    test_guest(argv[1]);
    test_secret_memory();
    test_accounting();
    return tap_finish();
}
