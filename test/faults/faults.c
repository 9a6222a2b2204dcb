/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a program and fails system calls that libsecretssl makes in it, and none of its own.
 *
 *   faults [OPTION…] REPORT COMMAND…
 *     --nth N        fail the Nth call, counted over all processes
 *     --error K      with the Kth error of that call's list (calls.c), 0 is the first
 *     --chance N     fail each call with a probability of N in 10,000
 *     --seed S       of the random numbers
 *     --call NAME    fail, and count, only these calls (several: several options)
 *     --seen         let the library see the filter; otherwise it sees /proc/self/status
 * without
 *
 * Writes a line of each call to the file REPORT, "call N PID NAME ERRORS" or "fault N PID NAME
 * ERROR", and at the end "status N" (a signal: negative). Its own exit status is the command's.
 */
#include "calls.h"
#include "filter.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIBRARY "libsecretssl.so"
#define STATUS  "/proc/self/status"

static struct {
    unsigned long nth, error, chance;
    const char *only[CALL_ERRORS];
    size_t only_count;
    bool seen;
} options;

static FILE *report;
static unsigned long counted;
static uint64_t seed = 1;
static volatile sig_atomic_t command; /* its process ID */

static uint64_t random_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static bool is_wanted(const struct call *call)
{
    bool found = options.only_count == 0;

    for (size_t i = 0; i < options.only_count; i++)
        found = found || strcmp(options.only[i], call->name) == 0;
    return found;
}

static bool is_of_library(const struct seccomp_notif *question)
{
    return call_is_helper(&question->data) ||
           text_of_library((pid_t)question->pid, question->data.instruction_pointer, LIBRARY);
}

/* Returns the error with which to fail a call, or 0. */
static int error_for(const struct seccomp_notif *question)
{
    const struct call *call = call_of(question->data.nr);
    size_t errors = call_errors(call), which;
    bool fail;

    if (!is_wanted(call) || !call_can_fail(&question->data) || !is_of_library(question))
        return 0;
    counted++;
    fail =
        counted == options.nth || (options.chance && random_number() % 10000 < options.chance);
    which = options.chance ? random_number() % errors : options.error % errors;
    if (fail)
        fprintf(report, "fault %lu %d %s %s\n", counted, (int)question->pid, call->name,
                strerrorname_np(call->errors[which]));
    else
        fprintf(report, "call %lu %d %s %zu\n", counted, (int)question->pid, call->name,
                errors);
    return fail ? call->errors[which] : 0;
}

/* Whether the library asks whether it is under a filter. */
static bool asks_for_filter(const struct seccomp_notif *question)
{
    char path[64], text[sizeof(STATUS)] = "";
    int memory;

    if (options.seen || question->data.nr != SYS_openat || !is_of_library(question))
        return false;
    snprintf(path, sizeof(path), "/proc/%d/mem", (int)question->pid);
    memory = open(path, O_RDONLY | O_CLOEXEC);
    if (memory < 0)
        return false;
    if (pread(memory, text, sizeof(text), (off_t)question->data.args[1]) < 0)
        text[0] = '\0';
    close(memory);
    return memcmp(text, STATUS, sizeof(STATUS)) == 0;
}

/* Answers the question with a file that says what the file in /proc says without a filter. */
static bool hide_filter(int listener, uint64_t id)
{
    static const char none[] = "Seccomp:\t0\n";
    struct seccomp_notif_addfd add = {
        .id = id, .flags = SECCOMP_ADDFD_FLAG_SEND, .newfd_flags = O_CLOEXEC};
    int file = memfd_create("status", MFD_CLOEXEC);
    bool good;

    if (file < 0)
        return false;
    add.srcfd = (uint32_t)file;
    good = write(file, none, sizeof(none) - 1) > 0 && lseek(file, 0, SEEK_SET) == 0 &&
           ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0;
    close(file);
    return good;
}

static void answer(int listener)
{
    struct seccomp_notif question = {0};
    struct seccomp_notif_resp response = {.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    int error = 0;

    /* The process may have been killed since poll(). */
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &question) != 0)
        return;
    if (question.data.nr == SYS_execve || question.data.nr == SYS_execveat)
        text_forget((pid_t)question.pid);
    else
        error = error_for(&question);
    response.id = question.id;
    if (error) {
        response.flags = 0;
        response.error = -error;
    } else if (asks_for_filter(&question) && hide_filter(listener, question.id)) {
        return;
    }
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static void pass_on(int number)
{
    if (command > 0)
        kill(command, number);
}

static void die(const char *what)
{
    perror(what);
    exit(125);
}

/* Starts the command below the filter. Returns the descriptor of the questions. */
static int start(char **argv)
{
    volatile int *shared =
        mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int handle, listener;
    pid_t pid;

    if (shared == MAP_FAILED)
        die("mmap");
    *shared = -1;
    pid = fork();
    if (pid == 0) {
        *shared = filter_install();
        if (*shared < 0)
            die("seccomp");
        execvp(argv[0], argv);
        die(argv[0]);
    }
    command = pid;
    while (*shared < 0) {
        if (waitpid(pid, NULL, WNOHANG) != 0)
            exit(125);
        usleep(100);
    }
    handle = (int)syscall(SYS_pidfd_open, pid, 0);
    listener = (int)syscall(SYS_pidfd_getfd, handle, *shared, 0);
    if (listener < 0)
        die("pidfd_getfd");
    close(handle);
    return listener;
}

/* Until the command and all its descendants have ended. Returns the command's status. */
static int serve(int listener)
{
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    bool ended = false;
    int status = 0;

    for (;;) {
        poll(&ready, 1, ended ? -1 : 20);
        if (ready.revents & POLLIN)
            answer(listener);
        else if (ready.revents & POLLHUP)
            break;
        ended = ended || waitpid(command, &status, WNOHANG) == command;
    }
    if (!ended)
        waitpid(command, &status, 0);
    return status;
}

static void read_option(const char *name, const char *value)
{
    if (strcmp(name, "--nth") == 0)
        options.nth = strtoul(value, NULL, 10);
    else if (strcmp(name, "--error") == 0)
        options.error = strtoul(value, NULL, 10);
    else if (strcmp(name, "--chance") == 0)
        options.chance = strtoul(value, NULL, 10);
    else if (strcmp(name, "--seed") == 0)
        seed = strtoul(value, NULL, 10) * 0x9e3779b97f4a7c15ULL + 1;
    else if (strcmp(name, "--call") == 0 && options.only_count < CALL_ERRORS)
        options.only[options.only_count++] = value;
    else
        exit(125);
}

int main(int argc, char **argv)
{
    int at = 1, status;

    for (; at + 1 < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        if (strcmp(argv[at], "--seen") == 0) {
            options.seen = true;
        } else {
            read_option(argv[at], argv[at + 1]);
            at++;
        }
    }
    if (argc - at < 2) {
        fprintf(stderr, "usage: faults [OPTION...] REPORT COMMAND...\n");
        return 125;
    }
    report = fopen(argv[at], "we");
    if (!report)
        die(argv[at]);
    setvbuf(report, NULL, _IOLBF, 0);
    signal(SIGTERM, pass_on);
    status = serve(start(argv + at + 1));
    status = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    fprintf(report, "status %d\n", status);
    return status < 0 ? 128 - status : status;
}
