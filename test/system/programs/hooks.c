/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's allocation functions answer as they do without us.
 *
 *   hooks KIND contract|foreign|small_stack|threads|misuse */
#include "common.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>

static bool all_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i])
            return false;
    }
    return true;
}

static void contract(void)
{
    check(OPENSSL_malloc(0) == NULL, "malloc of nothing is NULL");
    check(OPENSSL_zalloc(0) == NULL, "zalloc of nothing is NULL");
    OPENSSL_free(NULL);
    OPENSSL_clear_free(NULL, 10);
    check(OPENSSL_realloc(NULL, 0) == NULL, "realloc of NULL to nothing is NULL");
    char *block = OPENSSL_realloc(NULL, 100);
    check(block != NULL, "realloc of NULL is malloc");
    check_kind(block, "and gives a block");
    fill(block, 100, 1);
    check(OPENSSL_realloc(block, 0) == NULL, "realloc to nothing frees and is NULL");
    check(OPENSSL_malloc(SIZE_MAX) == NULL && OPENSSL_malloc(SIZE_MAX / 2) == NULL,
          "malloc of too much is NULL");
    block = filled_block(100, 2);
    check(OPENSSL_realloc(block, SIZE_MAX / 2) == NULL && whole(block, 100, 2),
          "realloc to too much is NULL and leaves the block");
    for (size_t size = 1; size < 300000; size = size * 5 / 3 + 1) {
        unsigned char *zeroed = OPENSSL_zalloc(size);
        char *grown = OPENSSL_realloc(filled_block(size, size), size * 3);
        check((uintptr_t)zeroed % 16 == 0 && (uintptr_t)grown % 16 == 0,
              "%zu bytes are aligned to 16", size);
        check(all_zero(zeroed, size) && whole(grown, size, size), "zalloc and growing, %zu",
              size);
        grown = OPENSSL_realloc(grown, size / 2 + 1);
        check(whole(grown, size / 2 + 1, size), "shrinking from %zu", size);
        OPENSSL_clear_free(zeroed, size);
        OPENSSL_free(grown);
    }
    block = OPENSSL_strdup("text");
    check(strcmp(block, "text") == 0 && kind_of(block) == expected, "strdup");
    check(OPENSSL_clear_realloc(block, 5, 5000) != NULL, "clear_realloc");
}

/* Memory of the C library's, given to OpenSSL to free: its defaults take that. */
static void foreign(void)
{
    for (size_t size = 1; size < 1000000; size *= 7) {
        char *block = malloc(size);
        fill(block, size, size);
        block = OPENSSL_realloc(block, size * 2);
        check(block && whole(block, size, size), "realloc of %zu foreign bytes", size);
        OPENSSL_free(block);
        OPENSSL_free(malloc(size));
    }
    void *aligned = NULL;
    check(posix_memalign(&aligned, 4096, 10000) == 0, "posix_memalign");
    OPENSSL_free(aligned);
    OPENSSL_free(strdup("text"));
}

static void *allocate_in_thread(void *result)
{
    void *block = filled_block(5000, 1);
    *(bool *)result = whole(block, 5000, 1);
    OPENSSL_free(block);
    return NULL;
}

/* Thread-local storage is taken from the stack of each thread. */
static void small_stack(void)
{
    pthread_attr_t attributes;
    pthread_t id;
    bool good = false;

    pthread_attr_init(&attributes);
    /* The least that x86-64 allows. arm64 allows nothing below 128 KiB. */
    check(pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN) == 0, "a small stack");
    check(pthread_create(&id, &attributes, allocate_in_thread, &good) == 0, "a thread on it");
    pthread_join(id, NULL);
    check(good, "which allocates");
    check_kind(filled_block(10, 1), "a block of the first thread");
}

enum { ROUNDS = 400, TOGETHER = 8, HELD = 200 };

static _Atomic(void *) exchanged[HELD];

/* Takes blocks and leaves them for other threads to free. */
static void *come_and_go(void *argument)
{
    uint64_t seed = (uintptr_t)argument;
    for (size_t i = 0; i < HELD; i++) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        OPENSSL_free(
            atomic_exchange(&exchanged[seed >> 33 & 127], filled_block(1 + (seed >> 50), i)));
    }
    return NULL;
}

/* Threads that end leave nothing behind: the arena does not grow with their number. */
static void threads(void)
{
    pthread_t ids[TOGETHER];
    size_t early = 0, late = 0;

    for (uintptr_t round = 0; round < ROUNDS; round++) {
        for (uintptr_t i = 0; i < TOGETHER; i++) {
            if (pthread_create(&ids[i], NULL, come_and_go,
                               (void *)(round * TOGETHER + i + 1)) != 0)
                broken("pthread_create");
        }
        for (int i = 0; i < TOGETHER; i++)
            pthread_join(ids[i], NULL);
        late = secret_bytes();
        if (round == ROUNDS / 8)
            early = late;
    }
    check((expected == MEMORY_SECRET) == (late > 0), "how much is secret is known");
    check(late <= early * 2, "%d threads later: %zu bytes of secret memory, before %zu",
          ROUNDS * TOGETHER, late, early);
}

static void *fork_always(void *argument)
{
    for (;;) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        waitpid(child, NULL, 0);
    }
    return argument;
}

/* A block is freed twice while another thread forks: the process ends. */
static void misuse(void)
{
    char *volatile block = filled_block(100, 1);
    pthread_t thread;

    if (pthread_create(&thread, NULL, fork_always, NULL) != 0)
        broken("pthread_create");
    sleep_seconds(0.2);
    OPENSSL_free(block);
    OPENSSL_free(block);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"contract", contract}, {"foreign", foreign}, {"small_stack", small_stack},
        {"threads", threads},   {"misuse", misuse},   {NULL, NULL},
    };
    return run_case(cases, argc, argv);
}
