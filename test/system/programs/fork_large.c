/* SPDX-License-Identifier: Apache-2.0 */
/* A parent with much live memory forks once; the driver kills or stops the child meanwhile.
 *
 *   fork_large KIND fork       says "ready", waits for a line, forks, says how it went
 *   fork_large KIND spawn      compares fork with the calls that run no fork handlers */
#include "common.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>

enum { BLOCK = 64 << 10, COUNT = 512 };

extern char **environ;

static void *blocks[COUNT];

static void make_blocks(void)
{
    for (size_t i = 0; i < COUNT; i++)
        blocks[i] = filled_block(BLOCK, i);
    check_kind(blocks[COUNT - 1], "32 MiB of blocks");
}

static bool all_whole(void)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (!whole(blocks[i], BLOCK, i))
            return false;
    }
    return true;
}

static void say(const char *text, double number)
{
    char line[100];
    int length = snprintf(line, sizeof(line), "%s %.3f\n", text, number);
    if (write(STDOUT_FILENO, line, (size_t)length) != length)
        broken("write");
}

static void one_fork(void)
{
    char word;

    make_blocks();
    say("ready", 0);
    if (read(STDIN_FILENO, &word, 1) != 1)
        broken("read");
    double begin = seconds_now();
    pid_t child = fork();
    if (child == 0)
        _exit(all_whole() ? 0 : 3);
    say(child > 0 ? "forked" : "failed", seconds_now() - begin);
    void *another = filled_block(100000, 5);
    check(whole(another, 100000, 5) && all_whole(), "the parent goes on with its own memory");
    OPENSSL_free(another);
    /* The driver lets a stopped child go on now. */
    if (read(STDIN_FILENO, &word, 1) != 1)
        broken("read");
    if (child > 0)
        say("child", status_within(child, 20));
    pid_t next = fork();
    if (next == 0)
        _exit(all_whole() ? 0 : 3);
    int status = status_within(next, 30);
    check(status == 0, "the next child is well (status %d)", status);
}

static double spawned(void)
{
    char *arguments[] = {(char *)"true", NULL};
    pid_t child;
    double begin = seconds_now();

    errno = posix_spawnp(&child, "true", NULL, NULL, arguments, environ);
    if (errno != 0)
        broken("posix_spawnp");
    check(status_of(child) == 0, "posix_spawn works");
    return seconds_now() - begin;
}

static double vforked(void)
{
    double begin = seconds_now();
    pid_t child = vfork(); /* NOLINT: what is tested */
    if (child == 0) {
        execlp("true", "true", (char *)NULL);
        _exit(127);
    }
    check(status_of(child) == 0, "vfork works");
    return seconds_now() - begin;
}

static double shell(void)
{
    double begin = seconds_now();
    check(system("exit 7") == 7 << 8, "system works"); /* NOLINT: what is tested */
    return seconds_now() - begin;
}

static double pipe_opened(void)
{
    char line[20] = "";
    double begin = seconds_now();
    FILE *file = popen("echo hello", "r"); /* NOLINT: what is tested */
    bool good = file && fgets(line, sizeof(line), file) && strcmp(line, "hello\n") == 0;
    check(file && pclose(file) == 0 && good, "popen works");
    return seconds_now() - begin;
}

static double forked(void)
{
    double begin = seconds_now();
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    check(status_of(child) == 0, "fork works");
    return seconds_now() - begin;
}

static double best_of(double (*function)(void))
{
    double best = 1e9;
    for (int turn = 0; turn < 5; turn++) {
        double taken = function();
        best = taken < best ? taken : best;
    }
    return best;
}

/* Copying 32 MiB of secret memory takes 100 ms and more: what copies cannot hide. */
static void spawn(void)
{
    make_blocks();
    double fork_time = best_of(forked);
    double others[] = {best_of(spawned), best_of(vforked), best_of(shell),
                       best_of(pipe_opened)};
    static const char *const names[] = {"posix_spawn", "vfork", "system", "popen"};

    say("# fork", fork_time);
    for (int i = 0; i < 4; i++) {
        check(expected != MEMORY_SECRET || others[i] < fork_time / 3,
              "%s copies nothing: %.1f ms, fork %.1f ms", names[i], others[i] * 1e3,
              fork_time * 1e3);
    }
    check(all_whole(), "the parent's memory is whole");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"fork", one_fork}, {"spawn", spawn}, {NULL, NULL}};
    return run_case(cases, argc, argv);
}
