/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times fork+wait and fork+exec+wait in a process that holds a given amount of live memory from
 * OPENSSL_malloc. It does one operation for each line on its standard input, so that a driver
 * can alternate between such processes.
 *
 *   fork-cost BYTES PROGRAM [FILE]
 *   -> "ready BLOCKS BYTES"; then for each line "fork", "exec" or "crowd": nanoseconds
 *
 * "crowd" forks fifty children that live until the last one is there, and says what one took.
 *
 * With FILE, that memory is asked for in the name of this source file of OpenSSL, and a
 * sixteenth more in that of this one, which is key material to the preload.
 */
#include "common.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_BYTES = 1 << 30, CROWD = 50 };

/* Each block starts with the address of the one before: all stay reachable with no table. */
struct block {
    struct block *before;
};

static struct block *blocks;

/*
 * Sizes as a TLS server asks for them: half are 17 to 32 bytes, the mean is near 45 bytes, and
 * now and then there is a record buffer. The sequence is the same in every process.
 */
static size_t next_size(uint64_t *state)
{
    uint64_t random;

    *state = *state * 6364136223846793005U + 1442695040888963407U;
    random = *state >> 33;
    if (random % 1024 == 0)
        return 4096 + random / 1024 % 1024;
    if (random % 2 == 0)
        return 17 + random / 2 % 16;
    if (random % 4 == 1)
        return 8 + random / 4 % 9;
    return 33 + random / 4 % 128;
}

static size_t fill(size_t wanted, const char *file, size_t *count)
{
    uint64_t state = 1;
    size_t held = 0;

    for (; held < wanted; (*count)++) {
        size_t size = next_size(&state);
        struct block *block;

        if (size > wanted - held)
            size = wanted - held;
        if (size < sizeof(*block))
            size = sizeof(*block);
        block = CRYPTO_malloc(size, file, 1);
        if (block == NULL)
            bench_die("OPENSSL_malloc(%zu) failed with %zu bytes live", size, held);
        memset(block, 0x5a, size);
        block->before = blocks;
        blocks = block;
        held += size;
    }
    return held;
}

static void await(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            bench_die_errno("waitpid");
    }
    if (status != 0)
        bench_die("the child ended with wait status 0x%x", (unsigned)status);
}

static uint64_t time_child(char *program)
{
    char *arguments[] = {program, NULL};
    uint64_t start = bench_now();
    pid_t child = fork();

    if (child < 0)
        bench_die_errno("fork");
    if (child == 0) {
        if (program == NULL)
            _exit(0);
        execv(program, arguments);
        _exit(127);
    }
    await(child);
    return bench_now() - start;
}

static uint64_t time_crowd(void)
{
    pid_t children[CROWD];
    uint64_t start;
    int end[2];
    char byte;

    if (pipe(end) != 0)
        bench_die_errno("pipe");
    start = bench_now();
    for (int i = 0; i < CROWD; i++) {
        children[i] = fork();
        if (children[i] < 0)
            bench_die_errno("fork");
        if (children[i] == 0) {
            close(end[1]);
            _exit(read(end[0], &byte, 1) != 0);
        }
    }
    close(end[1]);
    for (int i = 0; i < CROWD; i++)
        await(children[i]);
    close(end[0]);
    return (bench_now() - start) / CROWD;
}

int main(int argc, char **argv)
{
    char line[16];
    size_t count = 0;
    size_t bytes;
    size_t held;

    bench_program = "fork-cost";
    if (argc != 3 && argc != 4)
        bench_die("usage: fork-cost BYTES PROGRAM [FILE]");
    bytes = (size_t)bench_number("BYTES", argv[1], 1, MAX_BYTES);
    held = fill(bytes, argc == 4 ? argv[3] : OPENSSL_FILE, &count);
    if (argc == 4)
        held += fill(bytes / 16, OPENSSL_FILE, &count);
    printf("ready %zu %zu\n", count, held);
    fflush(stdout);

    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (strcmp(line, "fork\n") == 0)
            printf("%" PRIu64 "\n", time_child(NULL));
        else if (strcmp(line, "exec\n") == 0)
            printf("%" PRIu64 "\n", time_child(argv[2]));
        else if (strcmp(line, "crowd\n") == 0)
            printf("%" PRIu64 "\n", time_crowd());
        else
            bench_die("unknown operation; 'fork', 'exec' and 'crowd' are known");
        fflush(stdout);
    }
    return 0;
}
