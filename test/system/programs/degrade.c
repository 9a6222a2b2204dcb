/* SPDX-License-Identifier: Apache-2.0 */
/* Allocates, forks, frees and says what kind of memory it got: "kinds KIND=COUNT ...".
 *
 *   degrade KIND small|large|refused|wait
 *
 * KIND is that of the first block. `refused` may be told that there is no memory. `wait`
 * takes its blocks in an empty directory as its root, and lets the driver look. */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>

enum { COUNT = 400, KINDS = MEMORY_SECRET + 1, LARGE = 40000, SMALL = 900 };

static void *blocks[COUNT];
static size_t block_size;

static int missing(void)
{
    int count = 0;
    for (size_t i = 0; i < COUNT; i++)
        count += blocks[i] == NULL;
    return count;
}

static bool all_whole(void)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (blocks[i] && !whole(blocks[i], block_size, i))
            return false;
    }
    return true;
}

static void say_kinds(void)
{
    int counts[KINDS] = {0};
    char line[200] = "kinds";
    int length = 5;

    for (size_t i = 0; i < COUNT; i += 20) {
        if (blocks[i])
            counts[kind_of(blocks[i])]++;
    }
    for (int kind = 0; kind < KINDS; kind++)
        length += snprintf(line + length, sizeof(line) - (size_t)length, " %s=%d",
                           kind_name((enum memory_kind)kind), counts[kind]);
    line[length++] = '\n';
    if (write(STDOUT_FILENO, line, (size_t)length) != length)
        broken("write");
}

static void take_blocks(void)
{
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = OPENSSL_malloc(block_size);
        if (blocks[i])
            fill(blocks[i], block_size, i);
    }
}

static void fork_and_free(void)
{
    pid_t child = fork();
    if (child == 0) {
        for (size_t i = 1; i < COUNT; i += 2) {
            OPENSSL_free(blocks[i]);
            blocks[i] = NULL;
        }
        void *more = OPENSSL_malloc(3000);
        _exit(more && all_whole() ? 0 : 1);
    }
    int status = status_within(child, 60);
    check(status == 0, "a child has its copy and can allocate (status %d)", status);
    check(all_whole(), "all blocks are whole");
    for (size_t i = 0; i < COUNT; i++)
        OPENSSL_free(blocks[i]);
}

static void work(size_t size)
{
    block_size = size;
    take_blocks();
    check(missing() == 0, "no allocation of %d fails", COUNT);
    check_kind(blocks[0], "the first block");
    say_kinds();
    fork_and_free();
}

static void small(void)
{
    work(SMALL);
}

static void large(void)
{
    work(LARGE);
}

static void refused(void)
{
    block_size = LARGE;
    take_blocks();
    check(missing() > 0, "%d of %d allocations are refused", missing(), COUNT);
    check_kind(blocks[0], "the first block");
    say_kinds();
    for (size_t i = 0; i < COUNT; i++)
        OPENSSL_free(blocks[i]);
    void *again = OPENSSL_malloc(LARGE);
    check(again != NULL, "what was freed can be had again");
    check(OPENSSL_realloc(again, (size_t)1 << 40) == NULL, "a huge realloc is refused");
    check(OPENSSL_malloc((size_t)-1) == NULL, "and so is a malloc of all there is");
}

static void wait_in_empty_root(void)
{
    char line[64], word;

    if (chroot(".") != 0)
        broken("chroot");
    block_size = LARGE;
    take_blocks();
    check(missing() == 0, "no allocation of %d fails", COUNT);
    int length = snprintf(line, sizeof(line), "at %p %p\n", blocks[0], blocks[COUNT - 1]);
    if (write(STDOUT_FILENO, line, (size_t)length) != length ||
        read(STDIN_FILENO, &word, 1) != 1)
        broken("write and read");
    fork_and_free();
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"small", small}, {"large", large}, {"refused", refused}, {"wait", wait_in_empty_root},
        {NULL, NULL},
    };
    return run_case(cases, argc, argv);
}
