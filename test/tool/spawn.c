/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[64];

pid_t start_program(const char *const *argv, int in, int out, int err)
{
    pid_t pid = fork();

    cr_assert(pid >= 0, "fork");
    if (pid != 0)
        return pid;
    if (in >= 0)
        dup2(in, STDIN_FILENO);
    if (out >= 0)
        dup2(out, STDOUT_FILENO);
    if (err >= 0)
        dup2(err, STDERR_FILENO);
    execvp(argv[0], (char *const *)argv);
    _exit(99);
}

int wait_program(pid_t pid)
{
    int status;

    cr_assert(waitpid(pid, &status, 0) == pid, "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int scratch_file(void)
{
    FILE *file = tmpfile();

    cr_assert(file != NULL, "tmpfile");

    int fd = fcntl(fileno(file), F_DUPFD_CLOEXEC, 3);

    fclose(file);
    return fd;
}

static char *take_all(int fd)
{
    struct stat status;

    cr_assert(fstat(fd, &status) == 0, "fstat");

    char *text = calloc(1, (size_t)status.st_size + 1);

    cr_assert(text != NULL && pread(fd, text, (size_t)status.st_size, 0) == status.st_size,
              "read");
    close(fd);
    return text;
}

struct outcome run_program(const char *const *argv)
{
    int out = scratch_file();
    int err = scratch_file();
    pid_t pid = start_program(argv, -1, out, err);
    struct outcome outcome = {.status = wait_program(pid)};

    outcome.out = take_all(out);
    outcome.err = take_all(err);
    return outcome;
}

struct outcome run_tool(const char *const *arguments)
{
    const char *argv[64] = {TOOL};
    size_t count = 1;

    for (; *arguments != NULL; arguments++) {
        cr_assert(count < 63, "too many arguments");
        argv[count++] = *arguments;
    }
    return run_program(argv);
}

void outcome_free(struct outcome *outcome)
{
    free(outcome->out);
    free(outcome->err);
}

void check_message(struct outcome outcome, int status, const char *text)
{
    cr_expect_eq(outcome.status, status, "status %d: %s", outcome.status, outcome.err);
    cr_expect(strstr(outcome.err, text) != NULL, "no '%s' in: %s", text, outcome.err);
    cr_expect(strncmp(outcome.err, "secretssl: ", 11) == 0, "%s", outcome.err);
    cr_expect(strchr(outcome.err, '\n') == outcome.err + strlen(outcome.err) - 1, "%s",
              outcome.err);
    cr_expect_str_eq(outcome.out, "");
    outcome_free(&outcome);
}

void check_option_error(struct outcome outcome, int status, const char *text)
{
    const char *end = strchr(outcome.err, '\n');

    cr_expect_eq(outcome.status, status, "status %d: %s", outcome.status, outcome.err);
    cr_assert(end != NULL && strncmp(outcome.err, "secretssl", 9) == 0, "%s", outcome.err);
    cr_expect(strncmp(end, "\nTry `secretssl", 15) == 0, "%s", outcome.err);
    cr_expect(strchr(end + 1, '\n') == outcome.err + strlen(outcome.err) - 1, "%s",
              outcome.err);
    cr_expect(memmem(outcome.err, (size_t)(end + 1 - outcome.err), text, strlen(text)) != NULL,
              "no '%s' in: %s", text, outcome.err);
    cr_expect_str_eq(outcome.out, "");
    outcome_free(&outcome);
}

const char *enter_temporary_directory(void)
{
    const char *base = getenv("TMPDIR");

    snprintf(directory, sizeof(directory), "%s/secretssl-test-XXXXXX",
             base != NULL && strlen(base) < 32 ? base : "/tmp");
    cr_assert(mkdtemp(directory) != NULL && chdir(directory) == 0, "%s", directory);
    return directory;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

void leave_temporary_directory(void)
{
    cr_assert(chdir("/") == 0);
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
