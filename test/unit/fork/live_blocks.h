/* SPDX-License-Identifier: Apache-2.0 */
/* Live blocks of a process that forks, for the tests of who copies them. */
#ifndef UNIT_FORK_LIVE_BLOCKS_H
#define UNIT_FORK_LIVE_BLOCKS_H

#include "heap/malloc.h"
#include "support.h"
#include <string.h>
#include <sys/wait.h>

#define PART   SM_PART_KEY
#define SIZE   4000 /* no guards among them, which divide mappings */
#define BLOCKS 256

static unsigned char *blocks[BLOCKS];

static unsigned char mark_of(int i)
{
    return (unsigned char)(i % 250 + 1);
}

static void make(void)
{
    start_heap_of(64 * SM_MIB);
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = sm_malloc(SIZE, PART);
        CHECK(blocks[i] && sm_is_secret(blocks[i]));
        memset(blocks[i], mark_of(i), SIZE);
    }
}

static bool blocks_are(int offset)
{
    for (int i = 0; i < BLOCKS; i++) {
        if (!all_bytes(blocks[i], mark_of(i + offset), SIZE))
            return false;
    }
    return true;
}

static int outcome_of(pid_t pid)
{
    int status;

    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? ENDED_BY(WTERMSIG(status)) : WEXITSTATUS(status);
}

#endif
