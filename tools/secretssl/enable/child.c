/* SPDX-License-Identifier: Apache-2.0 */
#include "enable/child.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int child_wait(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return CHILD_FAILED;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* posix_spawn(3) does not change the strings. */
static int child_start(pid_t *pid, const char *const *argv, const char *const *environment,
                       const posix_spawn_file_actions_t *actions)
{
    return posix_spawnp(pid, argv[0], actions, NULL, (char *const *)argv,
                        environment != NULL ? (char *const *)environment : environ);
}

int child_run(const char *const *argv)
{
    pid_t pid;

    fflush(stdout);
    return child_start(&pid, argv, NULL, NULL) == 0 ? child_wait(pid) : CHILD_FAILED;
}

static char *read_pipe(int fd)
{
    char *text = NULL, block[4096];
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    ssize_t got;

    while ((got = read(fd, block, sizeof(block))) > 0 || (got < 0 && errno == EINTR)) {
        if (stream != NULL && got > 0)
            fwrite(block, 1, (size_t)got, stream);
    }
    if (stream == NULL || fclose(stream) != 0)
        return NULL;
    return text;
}

int child_read(const char *const *argv, const char *const *environment, int from, char **output)
{
    posix_spawn_file_actions_t actions;
    int ends[2], status = CHILD_FAILED;
    pid_t pid;

    *output = NULL;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return status;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], from);
    if (from == STDERR_FILENO)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (child_start(&pid, argv, environment, &actions) == 0) {
        close(ends[1]);
        *output = read_pipe(ends[0]);
        status = child_wait(pid);
    } else {
        close(ends[1]);
    }
    close(ends[0]);
    posix_spawn_file_actions_destroy(&actions);
    return status;
}
