/* SPDX-License-Identifier: Apache-2.0 */
/* A child's copy on a kernel that has whole blocks for secret memory. */
#include "base/counters.h"
#include "base/settings.h"
#include "heap/malloc.h"
#include "os/pages.h"
#include "support.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PART  SM_PART_KEY
#define SIZE  4000 /* no guards among them, which divide mappings */
#define MOST  4300
#define LIMIT (1024 * SM_MIB) /* what may be locked, where that can be had */

static unsigned char *blocks[MOST];
static unsigned used;
static char text[4096];

static unsigned char mark_of(unsigned i)
{
    return (unsigned char)(i % 250 + 1);
}

static void make(unsigned n)
{
    for (used = 0; used < n; used++) {
        blocks[used] = sm_malloc(SIZE, PART);
        CHECK(blocks[used]);
        memset(blocks[used], mark_of(used), SIZE);
    }
}

static void check(void)
{
    for (unsigned i = 0; i < used; i++)
        CHECK(all_bytes(blocks[i], mark_of(i), SIZE));
}

static void wait_for(pid_t pid)
{
    int status = -1;

    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    CHECK(status == 0);
}

/* What the partition's files are, of this process */
struct files {
    unsigned small, large; /* too short for a block, and not */
    unsigned misplaced;    /* where a block would not lie as it does in the file */
    size_t bytes, blocks;  /* of large ones; and of those mapped as blocks */
};

static bool in_part(uintptr_t at)
{
    return at >= (uintptr_t)sm_page_address(sm_arena.part[PART].first) &&
           at < (uintptr_t)sm_page_address(sm_arena.part[PART].mapped);
}

static void add_file(struct files *files, uintptr_t from, uintptr_t to, unsigned long offset)
{
    if (to - from < KERNEL_BLOCK) {
        files->small++;
        return;
    }
    files->large++;
    files->bytes += to - from;
    files->misplaced += from % KERNEL_BLOCK != 0 || offset != 0;
}

/* No two mappings of the partition are of one file. */
static struct files files_now(void)
{
    FILE *maps = fopen("/proc/self/smaps", "re");
    unsigned long from, to, offset, kibibytes, inode, last = 0;
    struct files files = {0};
    bool here = false;
    char line[512];

    CHECK(maps);
    while (fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%lx-%lx %*4s %lx %*s %lu", &from, &to, &offset, &inode) == 4) {
            here = in_part(from) && strstr(line, "/secretmem");
            if (!here)
                continue;
            if (getenv("DBG"))
                dprintf(2, "%s", line);
            CHECK(inode != last);
            last = inode;
            add_file(&files, from, to, offset);
        } else if (here && sscanf(line, "FilePmdMapped: %lu kB", &kibibytes) == 1) {
            files.blocks += kibibytes * 1024;
        }
    }
    fclose(maps);
    return files;
}

static size_t mapped(void)
{
    return (size_t)(sm_arena.part[PART].mapped - sm_arena.part[PART].first) << SM_PAGE_SHIFT;
}

static void begin(size_t block)
{
    sm_pages_raise_limit(LIMIT);
    sm_settings.fork_copy = SM_FORK_COPY_LIBRARY; /* What the kernel copies has no blocks. */
    start_heap_of(128 * SM_MIB);
    sm_secretmem_huge_known = block;
}

/* Little more than a block, in chunks: no whole one. */
static void small(void *arg)
{
    long before = kernel_counter("blocks");
    struct files files;
    pid_t pids[3];

    begin(*(size_t *)arg);
    make(515);
    CHECK(mapped() >= KERNEL_BLOCK);
    for (int i = 0; i < 3; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            files = files_now();
            check();
            CHECK(kernel_counter("blocks") <= before);
            _exit(files.large == 0 && files.small > 1 ? 0 : 1);
        }
    }
    for (int i = 0; i < 3; i++)
        wait_for(pids[i]);
    check();
}

Test(fork_blocks, small_stays_small)
{
    size_t block = KERNEL_BLOCK;

    cr_assert_eq(in_child_saying(small, &block, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
}

/* As without blocks: in one file. The control of the above. */
static void one_file(void *arg)
{
    struct files files;
    pid_t pid;

    (void)arg;
    begin(0);
    make(515);
    pid = fork();
    if (pid == 0) {
        files = files_now();
        _exit(files.large == 1 && files.small == 0 && files.misplaced == 1 ? 0 : 1);
    }
    wait_for(pid);
}

Test(fork_blocks, one_file_without)
{
    cr_assert_eq(in_child_saying(one_file, NULL, text, sizeof(text)), 0, "%s", text);
}

/* A child's files are blocks where its parent's are, at the same places; and a grandchild's. */
static void check_generations(const struct files *parent, int generations)
{
    struct files files;
    pid_t pid = fork();

    if (pid != 0) {
        wait_for(pid);
        return;
    }
    files = files_now();
    check();
    CHECK(files.large > 0 && files.misplaced == 0);
    CHECK(files.bytes == parent->bytes);
    CHECK(sm_secretmem_huge_size() == 0 || kernel_counter("block_size") <= 0 ||
          files.blocks > 0);
    CHECK(sm_stats.degraded == 0);
    if (generations > 1)
        check_generations(parent, generations - 1);
    _exit(0);
}

static void large(void *arg)
{
    struct files files;

    begin(*(size_t *)arg);
    make(4150);
    CHECK(mapped() >= 16 * SM_MIB);
    files = files_now();
    CHECK(files.bytes >= 8 * SM_MIB && files.misplaced == 0);
    check_generations(&files, 3);
    sm_free(blocks[--used]);
    check();
}

Test(fork_blocks, blocks_where_the_parent_has_them)
{
    size_t block = KERNEL_BLOCK;

    cr_assert_eq(in_child_saying(large, &block, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
}

/* Memory for the first files of the copy, and not for the others */
static void second_fails(void *arg)
{
    struct rlimit limit = {3 * SM_MIB / 2, 3 * SM_MIB / 2};
    int status = 0;
    pid_t pid;

    sm_settings.require = *(int *)arg;
    become_nobody(8 * SM_MIB);
    sm_settings.fork_copy = SM_FORK_COPY_LIBRARY; /* What the kernel copies has no blocks. */
    start_heap_of(128 * SM_MIB);
    sm_secretmem_huge_known = KERNEL_BLOCK;
    make(1000);
    CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    pid = fork();
    if (pid == 0) {
        check();
        CHECK(sm_stats.pages[SM_KIND_LOCKED] + sm_stats.pages[SM_KIND_PLAIN] > 500);
        for (unsigned i = 0; i < used; i++)
            sm_free(blocks[i]);
        make(1000);
        check();
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    check();
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static int outcome_of_second(int require)
{
    return in_child_saying(second_fails, &require, text, sizeof(text));
}

Test(fork_blocks, a_later_file_fails)
{
    int outcome = outcome_of_second(0);

    cr_assert_eq(outcome, 0, "%d: %s", outcome, text);
    cr_assert_eq(count_of(text, "the limit on secret memory is reached ("), 1, "%s", text);
    outcome = outcome_of_second(1);
    cr_assert_eq(outcome, 78, "%d: %s", outcome, text);
    cr_assert_eq(count_of(text, ": this child ends\n"), 1, "%s", text);
}
