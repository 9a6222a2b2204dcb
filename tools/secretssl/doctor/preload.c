/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests whether the preload object hooks this machine's libcrypto, by starting a program with
 * it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/preload_path.h"
#include "doctor/check.h"
#include "process/try_in_child.h"

enum { SAID = 600, SECONDS = 60 };

/* The child's output: one word each for hook and memory, then libcrypto's version. */
#define ANSWER "preloaded %15s %15s %79[^\n]"

int preloaded_main(void)
{
    CRYPTO_malloc_fn hook = NULL;
    Dl_info info = {0};
    void *block = OPENSSL_malloc(64);
    const char *base = NULL;
    int readable = readable_from_outside(block);

    CRYPTO_get_mem_functions(&hook, NULL, NULL);
    if (dladdr((void *)(uintptr_t)hook, &info) != 0 && info.dli_fname != NULL)
        base = strrchr(info.dli_fname, '/');
    printf("preloaded %s %s %s\n",
           base != NULL && strncmp(base + 1, PRELOAD, strlen(PRELOAD)) == 0 ? "hooked"
                                                                            : "not-hooked",
           readable == 0   ? "secret"
           : readable == 1 ? "readable"
                           : "untried",
           OpenSSL_version(OPENSSL_VERSION));
    OPENSSL_free(block);
    return fflush(stdout) == 0 ? 0 : 1;
}

struct child {
    char out[SAID], err[SAID];
    int status;
};

/* Reads the output of an ended child from a pipe, without waiting. The output is short. */
static void read_back(int fd, char said[SAID])
{
    ssize_t got = 0, more;

    while (got < SAID - 1 && (more = read(fd, said + got, (size_t)(SAID - 1 - got))) > 0)
        got += more;
    said[got] = '\0';
}

static void hook_start(const char *list, int out, int err)
{
    static const char *const arguments[] = {"secretssl", "doctor", "--preloaded", NULL};
    const char *started = (const char *)getauxval(AT_EXECFN);
    char *const *argv = (char *const *)(uintptr_t)arguments;

    if (dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0 ||
        setenv("LD_PRELOAD", list, 1) != 0 || setenv("SECRETSSL_LOG", "stderr", 1) != 0)
        _exit(126);
    alarm(SECONDS);
    execv("/proc/self/exe", argv);
    if (started != NULL)
        execv(started, argv);
    dprintf(STDERR_FILENO, "cannot start itself: %s\n", strerror(errno));
    _exit(127);
}

static void close_pair(const int pair[2])
{
    if (pair[0] >= 0)
        close(pair[0]);
    if (pair[1] >= 0)
        close(pair[1]);
}

/*
 * Runs the child with its output in pipes and not in files, because files may have no room to
 * grow.
 */
static void run(const char *list, struct child *child)
{
    int out[2] = {-1, -1}, err[2] = {-1, -1};
    bool good =
        pipe2(out, O_CLOEXEC | O_NONBLOCK) == 0 && pipe2(err, O_CLOEXEC | O_NONBLOCK) == 0;
    pid_t pid = good ? fork() : -1;

    child->status = -1;
    if (pid == 0)
        hook_start(list, out[1], err[1]);
    while (pid > 0 && waitpid(pid, &child->status, 0) < 0 && errno == EINTR)
        ;
    if (good) {
        read_back(out[0], child->out);
        read_back(err[0], child->err);
        child->err[strcspn(child->err, "\n")] = '\0';
    }
    close_pair(out);
    close_pair(err);
}

static void hook_judge(struct check *check, const struct diagnosis *diagnosis,
                       const struct child *child, const char *path)
{
    char hook[16] = "", memory[16] = "", version[80] = "";
    bool answered = sscanf(child->out, ANSWER, hook, memory, version) == 3;
    bool hooked = answered && strcmp(hook, "hooked") == 0;

    if (!answered && WIFSIGNALED(child->status)) {
        check_say(check, VERDICT_FAILED, "with %s a program was ended by SIG%s%s%s", path,
                  sigabbrev_np(WTERMSIG(child->status)), child->err[0] != '\0' ? ": " : "",
                  child->err);
    } else if (!answered) {
        check_say(check, VERDICT_FAILED, "with %s a program ended with status %d: %s", path,
                  WIFEXITED(child->status) ? WEXITSTATUS(child->status) : -1,
                  child->err[0] != '\0' ? child->err : "it said nothing");
    } else if (!hooked) {
        check_say(check, VERDICT_FAILED, "with %s in LD_PRELOAD %s is not hooked: %s", path,
                  version, child->err[0] != '\0' ? child->err : "nothing was said");
    } else if (strcmp(memory, "secret") == 0 && child->err[0] != '\0') {
        check_say(check, VERDICT_WARNING, "%s hooks %s, and says: %s", path, version,
                  child->err);
    } else if (strcmp(memory, "secret") == 0) {
        check_say(check, VERDICT_OK, "%s hooks %s, and another process cannot read its memory",
                  path, version);
    } else if (strcmp(memory, "untried") == 0) {
        check_say(
            check, VERDICT_UNKNOWN,
            "%s hooks %s; whether another process can read its memory cannot be tested here",
            path, version);
    } else {
        check_say(check, VERDICT_FAILED, "%s hooks %s, but its memory is not secret%s: %s",
                  path, version,
                  diagnosis->facts.secret_works ? "" : ", because of the failure above",
                  child->err);
    }
    if (check->verdict == VERDICT_FAILED && !hooked)
        check_remedy(check, "the environment of the program", "LD_PRELOAD=%s", path);
    else if (check->verdict == VERDICT_FAILED)
        check_remedy_earlier(check, diagnosis);
}

void check_preload(struct diagnosis *diagnosis)
{
    struct check *check = check_new(diagnosis, "preload");
    char path[PRELOAD_PATH_ROOM];
    struct child child = {0};
    char *list;

    if (!preload_find(path)) {
        check_say(check, VERDICT_FAILED, PRELOAD " is in none of %s", path);
        check_remedy(check, "the machine where libsecretssl is to be installed",
                     "apt install libsecretssl0, or cmake --install build/release");
        return;
    }
    if (getauxval(AT_SECURE) != 0) {
        check_say(check, VERDICT_FAILED,
                  "this program runs set-id or with file capabilities, so ld.so preloads "
                  "nothing into it");
        check_remedy(check, "a shell, as root", "chmod u-s,g-s secretssl; setcap -r secretssl");
        return;
    }
    list = preload_list(path);
    if (list == NULL) {
        check_say(check, VERDICT_UNKNOWN, "out of memory");
        return;
    }
    run(list, &child);
    free(list);
    hook_judge(check, diagnosis, &child, path);
}
