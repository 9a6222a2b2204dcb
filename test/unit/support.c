/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"
#include "arena/backing.h"
#include "arena/size_class.h"
#include "base/settings.h"
#include "fork/fork.h"
#include "heap/malloc.h"
#include "log/log.h"
#include "os/fork_copies.h"
#include "os/pages.h"
#include "os/syscall.h"
#include "stacktrace/load_library.h"
#include <grp.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE 200   /* seconds that a child may take: one that hangs is a failure */
#define NOBODY   61234 /* nobody's: what it locks is counted for nobody else */

void check_failed(const char *file, int line, const char *condition)
{
    dprintf(2, "%s:%d: failed: %s\n", file, line, condition);
    _exit(99);
}

/*
 * Tests can run with larger pages than the kernel has (LIBSECRETSSL_TEST_PAGE, bytes): what is
 * aligned to those is aligned to the kernel's as well. The linker sends the allocator's calls
 * here (--wrap).
 */
unsigned long __real_getauxval(unsigned long type);
unsigned long __wrap_getauxval(unsigned long type);

unsigned long __wrap_getauxval(unsigned long type)
{
    const char *text = type == AT_PAGESZ ? getenv("LIBSECRETSSL_TEST_PAGE") : NULL;

    return text ? strtoul(text, NULL, 10) : __real_getauxval(type);
}

unsigned test_slowness(void)
{
    const char *text = getenv("LIBSECRETSSL_TEST_SLOWNESS");
    unsigned long factor = text ? strtoul(text, NULL, 10) : 1;

    return factor >= 1 && factor <= 100 ? (unsigned)factor : 1;
}

static int outcome_of(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) != pid)
        ;
    return WIFSIGNALED(status) ? ENDED_BY(WTERMSIG(status)) : WEXITSTATUS(status);
}

int in_child(void (*fn)(void *), void *arg)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        alarm(PATIENCE * test_slowness());
        fn(arg);
        _exit(0);
    }
    return pid < 0 ? -1 : outcome_of(pid);
}

struct saying {
    void (*fn)(void *);
    void *arg;
    int out;
};

static void say(void *arg)
{
    struct saying *saying = arg;

    dup2(saying->out, 2);
    saying->fn(saying->arg);
}

int in_child_saying(void (*fn)(void *), void *arg, char *text, size_t size)
{
    FILE *file = tmpfile();
    struct saying saying = {fn, arg, fileno(file)};
    int outcome = in_child(say, &saying);
    ssize_t length = pread(saying.out, text, size - 1, 0);

    text[length > 0 ? length : 0] = '\0';
    fclose(file);
    return outcome;
}

unsigned count_of(const char *text, const char *what)
{
    unsigned count = 0;

    while ((text = strstr(text, what)) != NULL) {
        text += strlen(what);
        count++;
    }
    return count;
}

void become_nobody(size_t memlock)
{
    struct rlimit limit = {memlock, memlock};

    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0)
        abort();
    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
                           setresuid(NOBODY, NOBODY, NOBODY) != 0))
        abort();
    /* A change of user makes a process undumpable: its own /proc files could not be read. */
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

void filter_install(struct sock_fprog program)
{
    /* Not the C library's wrappers: tests may replace those. */
    if (sm_sys(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        sm_sys(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
        abort();
}

void filter_call(int nr, uint32_t answer)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };

    filter_install((struct sock_fprog){sizeof(filter) / sizeof(filter[0]), filter});
}

void filter_argument(int nr, unsigned argument, uint32_t value, uint32_t answer)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 (uint32_t)offsetof(struct seccomp_data, args) + argument * 8),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };

    filter_install((struct sock_fprog){6, filter});
}

void private_dev(void)
{
    int flags = CLONE_NEWNS | (geteuid() == 0 ? 0 : CLONE_NEWUSER);

    CHECK(unshare(flags) == 0);
    CHECK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CHECK(mount("none", "/dev", "tmpfs", 0, NULL) == 0);
}

void mapping_flags(const void *address, char *flags, size_t size)
{
    FILE *maps = fopen("/proc/self/smaps", "re");
    char line[512];
    bool here = false;

    flags[0] = '\0';
    while (maps && fgets(line, sizeof(line), maps)) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            here = (uintptr_t)address >= from && (uintptr_t)address < to;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            snprintf(flags, size, "%s", line + 8);
    }
    if (maps)
        fclose(maps);
}

bool mapping_is_secret(const void *address)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    bool secret = false;
    char line[512];

    while (maps && fgets(line, sizeof(line), maps)) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2 && (uintptr_t)address >= from &&
            (uintptr_t)address < to)
            secret = strstr(line, "/secretmem") != NULL;
    }
    if (maps)
        fclose(maps);
    return secret;
}

bool mapping_has(const void *address, const char *flag)
{
    char flags[256], word[8];

    mapping_flags(address, flags, sizeof(flags));
    snprintf(word, sizeof(word), " %s ", flag);
    return strstr(flags, word) != NULL;
}

bool all_bytes(const void *p, unsigned char value, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (((const unsigned char *)p)[i] != value)
            return false;
    }
    return true;
}

uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15ULL;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

long kernel_counter(const char *name)
{
    char path[128], line[32] = "";
    FILE *file;

    snprintf(path, sizeof(path), "/sys/kernel/mm/secretmem/%s", name);
    file = fopen(path, "re");
    if (!file)
        return -1;
    if (!fgets(line, sizeof(line), file))
        line[0] = 0;
    fclose(file);
    return atol(line);
}

/* Settings that the whole run of tests is to have: as a program's environment would */
static void set_for_all(void)
{
    const char *mode = getenv("LIBSECRETSSL_TEST_UNCACHED");
    char error[256];

    if (mode && sm_settings_set("UNCACHED", mode, error, sizeof(error)) != 0) {
        dprintf(2, "LIBSECRETSSL_TEST_UNCACHED: %s\n", error);
        _exit(99);
    }
}

static void check_backing(void *arg)
{
    (void)arg;
    sm_log_init("unit");
    set_for_all();
    sm_backing_check();
}

static void check_copies(void *arg)
{
    (void)arg;
    start_heap();
    if (sm_kernel_copies())
        _exit(0);
    dprintf(2,
            "LIBSECRETSSL_TEST_FORK_COPY: this kernel does not copy secret memory at fork, or "
            "RLIMIT_MEMLOCK is not unlimited\n");
    _exit(1);
}

/*
 * No test runs in cached memory that was to be in uncached, or with the library's copies at a
 * fork that were to be the kernel's.
 */
__attribute__((constructor)) static void refuse(void)
{
    if (getenv("LIBSECRETSSL_TEST_UNCACHED") && in_child(check_backing, NULL) != 0)
        _exit(78);
    if (getenv("LIBSECRETSSL_TEST_FORK_COPY") && in_child(check_copies, NULL) != 0)
        _exit(78);
}

void start_heap(void)
{
    sm_log_init("unit");
    sm_library_init();
    set_for_all();
    sm_heap_start();
    sm_fork_init();
}

void start_heap_of(size_t arena_size)
{
    sm_settings.arena_size = arena_size;
    start_heap();
}

bool accessible(const void *p)
{
    char byte;
    int ends[2];
    bool good;

    CHECK(pipe(ends) == 0);
    good = write(ends[1], p, 1) == 1 && read(ends[0], &byte, 1) == 1;
    close(ends[0]);
    close(ends[1]);
    return good;
}

size_t os_page(void)
{
    sm_pages_init();
    return sm_os_page;
}

size_t by_page(size_t bytes)
{
    return bytes / SM_PAGE * os_page();
}

size_t whole_bytes(size_t n)
{
    return sm_round_up(n, os_page());
}

uint32_t whole_pages(size_t n)
{
    return (uint32_t)(whole_bytes(n) >> SM_PAGE_SHIFT);
}

size_t end_of_block(size_t n)
{
    size_t room = n + SM_CHECK_SLACK;

    sm_size_class_init(); /* as the heap's start does, in a child */
    if (room > SM_SLOT_MAX)
        return whole_bytes(n);
    return sm_classes[sm_class_of[(room + SM_GRANULE - 1) >> SM_GRANULE_SHIFT]].size;
}
