/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times start to end of a short program with and without a preload: pairs of runs, in random
 * order within the pair.
 *
 *   start-cost PAIRS SEED PRELOAD PROGRAM [ARGUMENT...]
 *   -> for each pair "NS_WITHOUT NS_WITH FIRST" where FIRST is "without" or "with"
 *
 * An empty PRELOAD makes both sides alike. The program's standard output is discarded.
 */
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* The environment without LD_PRELOAD, and with VARIABLE added unless that is NULL. */
static char **make_environment(char *variable)
{
    size_t count = 0;
    size_t used = 0;
    char **result;

    while (environ[count] != NULL)
        count++;
    result = calloc(count + 2, sizeof(*result));
    if (result == NULL)
        bench_die_errno("calloc");
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], "LD_PRELOAD=", 11) != 0)
            result[used++] = environ[i];
    }
    result[used] = variable;
    return result;
}

static uint64_t time_run(const posix_spawn_file_actions_t *actions, char **command,
                         char **environment)
{
    uint64_t start = bench_now();
    uint64_t elapsed;
    pid_t child;
    int status;
    int error = posix_spawn(&child, command[0], actions, NULL, command, environment);

    if (error != 0)
        bench_die("%s: %s", command[0], strerror(error));
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            bench_die_errno("waitpid");
    }
    elapsed = bench_now() - start;
    if (status != 0)
        bench_die("%s ended with wait status 0x%x", command[0], (unsigned)status);
    return elapsed;
}

int main(int argc, char **argv)
{
    posix_spawn_file_actions_t discard;
    char *preload = NULL;
    char **without;
    char **with;
    unsigned seed;
    uint64_t pairs;

    bench_program = "start-cost";
    if (argc < 5)
        bench_die("usage: start-cost PAIRS SEED PRELOAD PROGRAM [ARGUMENT...]");
    pairs = bench_number("PAIRS", argv[1], 1, 1000000);
    seed = (unsigned)bench_number("SEED", argv[2], 0, UINT32_MAX);
    if (argv[3][0] != '\0' && asprintf(&preload, "LD_PRELOAD=%s", argv[3]) < 0)
        bench_die_errno("asprintf");
    without = make_environment(NULL);
    with = make_environment(preload);
    if (posix_spawn_file_actions_init(&discard) != 0 ||
        posix_spawn_file_actions_addopen(&discard, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) !=
            0)
        bench_die("cannot prepare the programs' standard output");

    /* One run of each before anything counts: files come into the page cache. */
    time_run(&discard, argv + 4, without);
    time_run(&discard, argv + 4, with);
    for (uint64_t i = 0; i < pairs; i++) {
        bool with_first = rand_r(&seed) > RAND_MAX / 2;
        uint64_t first = time_run(&discard, argv + 4, with_first ? with : without);
        uint64_t second = time_run(&discard, argv + 4, with_first ? without : with);

        printf("%" PRIu64 " %" PRIu64 " %s\n", with_first ? second : first,
               with_first ? first : second, with_first ? "with" : "without");
    }
    posix_spawn_file_actions_destroy(&discard);
    free(with);
    free(without);
    free(preload);
    return 0;
}
