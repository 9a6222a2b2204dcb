/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children that get pages which an ended child had: none may see what another process wrote.
 *
 *   fork_recycled KIND
 * exits|killed|execs|siblings|vforks|outlived|alive|grows|threads|many|detached
 *
 * Every child first looks at what its parent wrote, then that all new blocks are zero, then
 * writes a pattern of its own into all of them, and grows.
 */
#include "common.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>

enum { BLOCKS = 300, MORE = 400, ALIVE = 50 };

static unsigned char *blocks[BLOCKS], *more[MORE];

/* Children of a case: few in the run of all tests, 300 where this test was asked for. */
static int how_many(void)
{
    return getenv("LIBSECRETSSL_TEST_LONG") ? 300 : 60;
}

static size_t size_of(size_t i)
{
    return 24 + i * i % 5000;
}

static void make_blocks(uint64_t seed)
{
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = filled_block(size_of(i), seed + i);
    check_kind(blocks[BLOCKS - 1], "blocks");
}

static bool has_pattern(uint64_t seed)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        if (!whole(blocks[i], size_of(i), seed + i))
            return false;
    }
    return true;
}

static void set_pattern(uint64_t seed)
{
    for (size_t i = 0; i < BLOCKS; i++)
        fill(blocks[i], size_of(i), seed + i);
}

/* New blocks of secret memory are zero; what the C library gives need not be. */
static bool grow(uint64_t seed)
{
    for (size_t i = 0; i < MORE; i++) {
        size_t size = size_of(i) + 100;

        more[i] = OPENSSL_malloc(size);
        for (size_t at = 0; expected == MEMORY_SECRET && at < size; at++) {
            if (more[i][at] != 0)
                return false;
        }
        fill(more[i], size, seed + 7 * i);
    }
    return true;
}

/* What a child does with its memory. 0: all is as it should be. */
static int child_work(uint64_t inherited, uint64_t own)
{
    if (!has_pattern(inherited))
        return 10;
    if (!grow(own))
        return 11;
    set_pattern(own);
    for (size_t i = 0; i < MORE; i += 2)
        OPENSSL_free(more[i]);
    return has_pattern(own) ? 0 : 12;
}

static pid_t start_child(uint64_t inherited, uint64_t own, void (*end)(int status))
{
    pid_t child = fork();

    if (child == 0) {
        int status = child_work(inherited, own);
        if (status == 0 && end)
            end(status);
        _exit(status);
    }
    return child;
}

static void turns(void (*end)(int status), int wanted, const char *what)
{
    int wrong = 0, spoilt = 0;

    make_blocks(1);
    for (uint64_t turn = 1; turn <= (uint64_t)how_many(); turn++) {
        set_pattern(turn << 20);
        wrong += status_of(start_child(turn << 20, ~turn << 20, end)) != wanted;
        spoilt += !has_pattern(turn << 20);
    }
    check(wrong == 0, "%d of %d children that %s saw other memory", wrong, how_many(), what);
    check(spoilt == 0, "%d times the parent's blocks changed", spoilt);
}

static void end_by_kill(int status)
{
    (void)status;
    kill(getpid(), SIGKILL);
}

static void end_by_exec(int status)
{
    (void)status;
    execl("/bin/true", "true", (char *)NULL);
}

static void exits(void)
{
    turns(NULL, 0, "exit");
}

static void killed(void)
{
    turns(end_by_kill, 1000 + SIGKILL, "are killed");
}

static void execs(void)
{
    turns(end_by_exec, 0, "exec");
}

/* A process that shares the child's memory, and goes on after the child has ended. */
static uint64_t shared_pattern;
static int results[2];

static void begin_results(void)
{
    if (pipe2(results, 0) != 0)
        broken("pipe2");
    make_blocks(1);
    set_pattern(99);
}

static int keep_looking(void *unused)
{
    (void)unused;
    for (int i = 0; i < 200; i++) {
        char bad = 'b';
        if (!has_pattern(shared_pattern))
            return write(results[1], &bad, 1) == 1 ? 1 : 2;
        usleep(2000);
    }
    _exit(0);
}

static void leave_sibling(int status)
{
    static char stack[64 * 1024] __attribute__((aligned(16)));

    (void)status;
    if (clone(keep_looking, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL) < 0)
        _exit(13);
}

static void leave_vfork(int status)
{
    (void)status;
    /* The child of vfork goes on in this memory after its parent was killed. */
    pid_t parent = getpid();

    if (vfork() == 0) {
        kill(parent, SIGKILL);
        keep_looking(NULL);
        _exit(0);
    }
}

static void with_survivors(void (*end)(int status), const char *what)
{
    char bad;
    int wrong = 0;

    begin_results();
    for (uint64_t i = 0; i < 8; i++) {
        shared_pattern = (1000 + i) << 20;
        pid_t child = start_child(99, shared_pattern, end);
        status_of(child);
        /* Others come and go meanwhile, which would get its pages if they were taken for free.
         */
        for (uint64_t turn = 0; turn < 20; turn++)
            wrong += status_of(start_child(99, (5000 + i * 20 + turn) << 20, NULL)) != 0;
    }
    close(results[1]);
    check(wrong == 0, "%d children saw other memory", wrong);
    check(read(results[0], &bad, 1) == 0, "who outlives a child in its memory (%s) keeps it",
          what);
    check(has_pattern(99), "and so does the parent");
}

static void siblings(void)
{
    with_survivors(leave_sibling, "CLONE_VM");
}

static void vforks(void)
{
    with_survivors(leave_vfork, "vfork");
}

static void look_on(int status)
{
    (void)status;
    _exit(keep_looking(NULL));
}

/* Children that live at the same time, and change their own memory all the while. */
static void alive(void)
{
    pid_t children[ALIVE];
    int wrong = 0, fresh = 0;

    begin_results();
    for (uint64_t i = 0; i < ALIVE; i++) {
        shared_pattern = (1000 + i) << 20;
        children[i] = start_child(99, shared_pattern, look_on);
        fresh += status_of(start_child(99, (9000 + i) << 20, NULL)) != 0;
    }
    for (uint64_t i = 0; i < ALIVE; i++)
        wrong += status_of(children[i]) != 0;
    check(wrong == 0, "%d of %d children that live at once saw other memory", wrong, ALIVE);
    check(fresh == 0, "%d of %d that came and went", fresh, ALIVE);
}

/* Unmaps the segment by which the parent knows that this process lives. */
static void look_on_without_token(int status)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");

    while (maps && fgets(line, sizeof(line), maps)) {
        uintptr_t start, end;
        if (strstr(line, "/SYSV") && sscanf(line, "%lx-%lx", &start, &end) == 2)
            munmap((void *)start, end - start);
    }
    look_on(status);
}

/* The control: children lose their memory to each other where they give up the token. */
static void detached(void)
{
    pid_t children[ALIVE];
    int wrong = 0;

    begin_results();
    for (uint64_t i = 0; i < ALIVE; i++) {
        shared_pattern = (1000 + i) << 20;
        children[i] = start_child(99, shared_pattern, look_on_without_token);
        usleep(20000);
    }
    for (uint64_t i = 0; i < ALIVE; i++)
        wrong += status_of(children[i]) != 0;
    check(wrong > 0, "%d of %d children without a token saw other memory", wrong, ALIVE);
}

/* The parent ends before its children do; their child reports. */
static void outlived(void)
{
    char result = 0;

    begin_results();
    pid_t child = fork();
    if (child == 0) {
        for (uint64_t i = 0; i < 5; i++) {
            shared_pattern = (1000 + i) << 20;
            start_child(99, shared_pattern, look_on);
        }
        _exit(0);
    }
    status_of(child);
    close(results[1]);
    check(read(results[0], &result, 1) == 0, "children of a parent that has ended keep theirs");
}

/* The parent's own memory grows and shrinks between the forks. */
static void grows(void)
{
    int wrong = 0;

    make_blocks(1);
    for (uint64_t turn = 1; turn <= (uint64_t)how_many() / 3; turn++) {
        void *large[20];
        set_pattern(turn << 20);
        for (size_t i = 0; i < 20; i++)
            large[i] = filled_block(1000 + turn * 700 + i, turn + i);
        wrong += status_of(start_child(turn << 20, ~turn << 20, NULL)) != 0;
        for (size_t i = 0; i < 20; i++)
            OPENSSL_free(large[i]);
        wrong += status_of(start_child(turn << 20, ~turn << 20, NULL)) != 0;
    }
    check(wrong == 0, "%d children saw other memory", wrong);
}

static void *thread_forks(void *unused)
{
    (void)unused;
    return (void *)(intptr_t)status_of(start_child(99, 555, NULL));
}

static void fork_with_thread(int status)
{
    pthread_t thread;
    void *result;

    (void)status;
    /* Its children read its pages for a while, and it is killed meanwhile. */
    set_pattern(99);
    if (pthread_create(&thread, NULL, thread_forks, NULL) != 0)
        _exit(14);
    pthread_join(thread, &result);
    _exit((int)(intptr_t)result);
}

static void kill_soon(int status)
{
    pthread_t thread;

    (void)status;
    set_pattern(99);
    if (pthread_create(&thread, NULL, thread_forks, NULL) != 0)
        _exit(14);
    usleep((useconds_t)(getpid() % 7) * 100);
    kill(getpid(), SIGKILL);
}

static void threads(void)
{
    int wrong = 0;

    make_blocks(1);
    set_pattern(99);
    for (uint64_t turn = 0; turn < (uint64_t)how_many() / 3; turn++) {
        wrong += status_of(start_child(99, turn << 20, fork_with_thread)) != 0;
        status_of(start_child(99, turn << 20, kill_soon));
        wrong += status_of(start_child(99, ~turn << 20, NULL)) != 0;
    }
    check(wrong == 0, "%d of %d children of children with threads saw other memory", wrong,
          how_many());
}

static void many(void)
{
    int wrong = 0, most = how_many() * 100 / 3;
    size_t before;

    make_blocks(1);
    set_pattern(99);
    for (int i = 0; i < 200; i++)
        status_of(start_child(99, 1, NULL));
    before = secret_bytes();
    for (int turn = 0; turn < most; turn++) {
        pid_t child = fork();
        if (child == 0)
            _exit(has_pattern(99) ? 0 : 10);
        wrong += status_of(child) != 0;
    }
    check(wrong == 0, "%d of %d children saw other memory", wrong, most);
    check(secret_bytes() <= before + (64 << 10), "%zu KiB of secret memory, %zu before",
          secret_bytes() >> 10, before >> 10);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"exits", exits},       {"killed", killed},     {"execs", execs},
        {"siblings", siblings}, {"vforks", vforks},     {"alive", alive},
        {"outlived", outlived}, {"grows", grows},       {"threads", threads},
        {"many", many},         {"detached", detached}, {NULL, NULL},
    };

    return run_case(cases, argc, argv);
}
