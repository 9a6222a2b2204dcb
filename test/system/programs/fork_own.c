/* SPDX-License-Identifier: Apache-2.0 */
/* Parent and child each have their own secrets at the same addresses.
 *
 *   fork_own KIND own|generations|thread|daemon|storm|handlers */
#include "common.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/crypto.h>

enum { BLOCKS = 200, FORKS = 2000, STORM_THREADS = 4, STORM_FORKS = 60 };

static void *blocks[BLOCKS];
static size_t sizes[BLOCKS];

static void make_blocks(uint64_t seed)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        sizes[i] = 1 + i * i % 3000;
        blocks[i] = filled_block(sizes[i], seed + i);
    }
    check_kind(blocks[BLOCKS - 1], "blocks");
}

static void refill(uint64_t seed)
{
    for (size_t i = 0; i < BLOCKS; i++)
        fill(blocks[i], sizes[i], seed + i);
}

static bool all_whole(uint64_t seed)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        if (!whole(blocks[i], sizes[i], seed + i))
            return false;
    }
    return true;
}

/* Frees and allocates, so that the two allocators go their own ways too. */
static void churn(uint64_t seed)
{
    for (size_t i = 0; i < BLOCKS; i += 3) {
        OPENSSL_free(blocks[i]);
        sizes[i] = 1 + (sizes[i] * 7 + seed) % 3000;
        blocks[i] = filled_block(sizes[i], seed + i);
    }
}

/* In the child: see the parent's state, replace it, see only one's own. */
static int child_of(uint64_t inherited, uint64_t own)
{
    if (!all_whole(inherited))
        return 10;
    refill(own);
    churn(own);
    refill(own);
    return all_whole(own) ? 0 : 11;
}

static void own(void)
{
    int wrong = 0, spoilt = 0;

    make_blocks(0);
    for (uint64_t turn = 1; turn <= FORKS; turn++) {
        uint64_t seed = turn * 1000;
        refill(seed);
        pid_t child = fork();
        if (child == 0)
            _exit(child_of(seed, seed + 500000000));
        /* While the child changes its blocks, change ours. */
        refill(seed + 1);
        churn(seed + 1);
        refill(seed + 1);
        wrong += status_of(child) != 0;
        spoilt += !all_whole(seed + 1);
    }
    check(wrong == 0, "%d of %d children see other than their own secrets", wrong, FORKS);
    check(spoilt == 0, "%d of %d times a child changed its parent's secrets", spoilt, FORKS);
}

static int generation(int left, uint64_t seed)
{
    if (left == 0)
        return child_of(seed, seed + 77);
    pid_t child = fork();
    if (child == 0)
        return generation(left - 1, seed);
    refill(seed + (uint64_t)left * 100000);
    if (status_of(child) != 0 || !all_whole(seed + (uint64_t)left * 100000))
        return 20 + left;
    return 0;
}

static void generations(void)
{
    make_blocks(5);
    pid_t child = fork();
    if (child == 0)
        _exit(generation(3, 5));
    int status = status_of(child);
    check(status == 0, "a child's child's child has its own secrets (status %d)", status);
    check(all_whole(5), "and the first parent its own");
}

static void *fork_in_thread(void *unused)
{
    (void)unused;
    pid_t child = fork();
    if (child == 0)
        _exit(child_of(9, 90));
    return (void *)(intptr_t)status_of(child);
}

static void thread(void)
{
    pthread_t id;
    void *status;

    make_blocks(9);
    if (pthread_create(&id, NULL, fork_in_thread, NULL) != 0)
        broken("pthread_create");
    pthread_join(id, &status);
    check((intptr_t)status == 0, "the child of a thread has its own secrets (%d)",
          (int)(intptr_t)status);
    check(all_whole(9), "and the parent its own");
}

static void daemonized(void)
{
    atomic_int *result =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    make_blocks(3);
    pid_t child = fork();
    if (child == 0) {
        if (daemon(1, 1) != 0)
            _exit(1);
        *result = 100 + child_of(3, 30) + (kind_of(blocks[1]) != expected);
        _exit(0);
    }
    int status = status_of(child);
    for (int i = 0; i < 1000 && *result == 0; i++)
        sleep_seconds(0.01);
    check(status == 0 && *result == 100, "a daemon has its own secrets (%d, %d)", status,
          *result);
    check(all_whole(3), "and the process that started it its own");
}

static void *storm_thread(void *argument)
{
    uint64_t seed = (uintptr_t)argument * 1000000;
    intptr_t wrong = 0;

    for (int turn = 0; turn < STORM_FORKS; turn++) {
        char *mine = filled_block(300, seed + (uint64_t)turn);
        pid_t child = fork();
        if (child == 0) {
            bool good = whole(mine, 300, seed + (uint64_t)turn);
            OPENSSL_free(mine);
            void *other = filled_block(5000, 1);
            _exit(good && whole(other, 5000, 1) ? 0 : 1);
        }
        void *other = filled_block(700, seed);
        wrong += status_within(child, 20) != 0;
        wrong += !whole(mine, 300, seed + (uint64_t)turn) || !whole(other, 700, seed);
        OPENSSL_free(mine);
        OPENSSL_free(other);
    }
    return (void *)wrong;
}

static void storm(void)
{
    pthread_t ids[STORM_THREADS];
    intptr_t wrong = 0;

    make_blocks(1);
    for (uintptr_t i = 0; i < STORM_THREADS; i++) {
        if (pthread_create(&ids[i], NULL, storm_thread, (void *)(i + 1)) != 0)
            broken("pthread_create");
    }
    for (int i = 0; i < STORM_THREADS; i++) {
        void *result;
        pthread_join(ids[i], &result);
        wrong += (intptr_t)result;
    }
    check(wrong == 0, "%d wrong of %d forks by %d threads at once", (int)wrong,
          STORM_THREADS * STORM_FORKS, STORM_THREADS);
    check(all_whole(1), "and nobody else's blocks are touched");
}

static void *handler_blocks[3];

static void in_prepare(void)
{
    handler_blocks[0] = filled_block(1000, 1);
}

static void in_parent(void)
{
    handler_blocks[1] = filled_block(1000, 2);
}

static void in_child(void)
{
    handler_blocks[2] = filled_block(1000, 3);
}

/* Fork handlers of the program that use OpenSSL run while ours are in force. */
static void handlers(void)
{
    make_blocks(2);
    pthread_atfork(in_prepare, in_parent, in_child);
    pid_t child = fork();
    if (child == 0)
        _exit(!(whole(handler_blocks[0], 1000, 1) && !handler_blocks[1] &&
                whole(handler_blocks[2], 1000, 3) && child_of(2, 20) == 0));
    int status = status_within(child, 20);
    check(status == 0, "fork handlers that allocate: child (status %d)", status);
    check(whole(handler_blocks[0], 1000, 1) && whole(handler_blocks[1], 1000, 2) &&
              !handler_blocks[2] && all_whole(2),
          "fork handlers that allocate: parent");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"own", own},       {"generations", generations},
        {"thread", thread}, {"daemon", daemonized},
        {"storm", storm},   {"handlers", handlers},
        {NULL, NULL},
    };
    return run_case(cases, argc, argv);
}
