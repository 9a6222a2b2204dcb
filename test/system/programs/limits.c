/* SPDX-License-Identifier: Apache-2.0 */
/* A sandbox made of limits, as sshd's: no byte to any file, no new process. The checks go
 * through a pipe, stderr is a file.
 *
 *   limits KIND sandbox|by_prlimit|pointers|children|passed_on|address */
#include "common.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>

enum { BLOCKS = 64, LARGE = 64 };

static bool uses_prlimit;

static void limit(__rlimit_resource_t resource)
{
    static const struct rlimit none = {0, 0};
    struct rlimit before = {0, 0};

    if ((uses_prlimit ? prlimit(getpid(), resource, &none, &before)
                      : setrlimit(resource, &none)) != 0)
        broken("setrlimit");
    if (uses_prlimit)
        check(before.rlim_max != 0, "it tells the limit that was");
}

static FILE *out;

/* What was said is to be out before this process is gone. */
static void wait_for_cat(void)
{
    fflush(stdout);
    close(STDOUT_FILENO);
    pclose(out);
}

static void sandbox(void)
{
    char *blocks[BLOCKS];

    out = popen("cat", "w");
    if (!out || dup2(fileno(out), STDOUT_FILENO) < 0 || atexit(wait_for_cat) != 0)
        broken("popen");
    check_kind(filled_block(100, 1), "a block before");
    limit(RLIMIT_FSIZE);
    limit(RLIMIT_NPROC);
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = filled_block(4000, i);
    check_kind(blocks[0], "the first block");
    check_kind(blocks[BLOCKS - 1], "the last of 256 KiB");
    for (size_t i = 0; i < LARGE; i++) {
        char *large = filled_block(100000, i);
        if (!whole(large, 100000, i))
            check(false, "large block %zu", i);
    }
    check(true, "6 MB more, wherever they are");
    for (size_t i = 0; i < BLOCKS; i++)
        OPENSSL_free(blocks[i]);
}

static void by_prlimit(void)
{
    uses_prlimit = true;
    sandbox();
}

/* Another preload sees what it would see without us. */
static void passed_on(void)
{
    const int *calls = (const int *)dlsym(RTLD_DEFAULT, "other_calls");
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct rlimit limits;

    OPENSSL_free(filled_block(100, 1));
    if (!calls || page == MAP_FAILED || getrlimit(RLIMIT_NOFILE, &limits) != 0)
        broken("the other preload");
    int before = *calls;
    check(mlock(page, 4096) == 0 && mlock2(page, 4096, 0) == 0, "a page is locked");
    check(munmap(page, 4096) == 0, "and unmapped");
    check(setrlimit(RLIMIT_NOFILE, &limits) == 0 &&
              prlimit(0, RLIMIT_NOFILE, &limits, NULL) == 0,
          "limits are set");
    check(*calls - before == 5, "%d of 5 calls came by the other preload", *calls - before);
}

/* As without us; a bad pointer is told by errno. */
static void pointers(void)
{
    const struct rlimit *nowhere = (const struct rlimit *)strtoul("16", NULL, 10);
    const struct rlimit *none = (const struct rlimit *)strtoul("0", NULL, 10);

    OPENSSL_free(filled_block(100, 1));
    errno = 0;
    check(setrlimit(RLIMIT_NOFILE, nowhere) == -1 && errno == EFAULT, "EFAULT");
    check(setrlimit(RLIMIT_FSIZE, nowhere) == -1 && errno == EFAULT, "EFAULT again");
    check(setrlimit(RLIMIT_NOFILE, none) == 0, "no limit is as it was");
}

/* What the process has in all, in bytes */
static size_t address_space(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    size_t pages = 0;

    if (!file || fscanf(file, "%zu", &pages) != 1)
        broken("statm");
    fclose(file);
    return pages * (size_t)getpagesize();
}

/* As vsftpd has it, when OpenSSL is at work already */
static void address(void)
{
    static const struct rlimit few = {200 << 20, 200 << 20};
    static const struct rlimit wrong = {200 << 20, 100 << 20};
    unsigned char *before = filled_block(5000, 4);
    size_t had = address_space();

    check(setrlimit(RLIMIT_AS, &wrong) == -1 && errno == EINVAL && address_space() == had,
          "a limit that is refused changes nothing");
    check(setrlimit(RLIMIT_AS, &few) == 0, "a limit on address space");
    check(address_space() < 100 << 20, "%zu bytes are used of it", address_space());
    void *mapped =
        mmap(NULL, 64 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(mapped != MAP_FAILED, "the program has its part");
    for (int i = 0; i < 2; i++) {
        pid_t child = fork();
        if (child == 0) {
            void *block = filled_block(3000, 5);
            _exit(whole(before, 5000, 4) && kind_of(before) == expected &&
                          kind_of(block) == expected
                      ? 0
                      : 1);
        }
        check(status_of(child) == 0, "a child has its copy");
    }
    for (int i = 0; i < 40; i++)
        check(kind_of(filled_block(10000, 6)) == expected, "there is room for more");
}

/* Children that ran no handlers of fork have no allocator to ask. */
static void children(void)
{
    static const struct rlimit few = {4, 4};
    void *block = filled_block(100, 1);

    for (int way = 0; way < 2; way++) {
        pid_t child = way == 0 ? _Fork() : (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (child == 0)
            _exit(setrlimit(RLIMIT_NOFILE, &few) == 0 ? 0 : 1);
        check(status_of(child) == 0, "a child of %s sets a limit",
              way == 0 ? "_Fork" : "clone");
    }
    OPENSSL_free(block);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"sandbox", sandbox},   {"by_prlimit", by_prlimit}, {"passed_on", passed_on},
        {"pointers", pointers}, {"children", children},     {"address", address},
        {NULL, NULL},
    };
    return run_case(cases, argc, argv);
}
