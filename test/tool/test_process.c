/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that end, and the scanner itself as the process that is searched. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <openssl/pem.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "keys.h"
#include "plant.h"
#include "secret/stack.h"
#include "spawn.h"

static struct test_key *key;

static void set_up(void)
{
    enter_temporary_directory();
    key = make_key("rsa2048");
    write_key(key, "key.pem");
}

TestSuite(process, .init = set_up, .fini = leave_temporary_directory, .timeout = 60);

static void pause_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

Test(process, dead)
{
    char pid[16];
    pid_t child = start_program((const char *const[]){"true", NULL}, -1, -1, -1);

    snprintf(pid, sizeof(pid), "%d", (int)child);
    wait_program(child);

    struct outcome outcome = TOOL_RUN("scan", "--key", "key.pem", pid);

    cr_expect_eq(outcome.status, 2);
    cr_expect(strstr(outcome.err, pid) != NULL);
    cr_expect(strstr(outcome.err, "no such process") != NULL, "%s", outcome.err);
    cr_expect_str_eq(outcome.out, "");
}

/* A process that has ended but whose parent has not looked has no memory any more. */
Test(process, zombie)
{
    char pid[16];
    siginfo_t info;
    pid_t child = start_program((const char *const[]){"true", NULL}, -1, -1, -1);

    snprintf(pid, sizeof(pid), "%d", (int)child);
    cr_assert(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);

    struct outcome outcome = TOOL_RUN("scan", "--key", "key.pem", pid);

    cr_expect_eq(outcome.status, 2);
    cr_expect(strstr(outcome.err, "no memory to search") != NULL, "%s", outcome.err);
    wait_program(child);
}

/* Its other threads still have the memory. */
Test(process, without_first_thread)
{
    struct planter planter = start_planter();
    const struct part *part = &key->parts[0];
    uint64_t at = plant(&planter, LEADERLESS, part->bytes, part->size, 1);
    siginfo_t info = {0};
    char path[64], state = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)planter.pid);
    while (state != 'Z') {
        FILE *file = fopen(path, "re");

        cr_assert(file != NULL && fscanf(file, "%*d (scan_planter) %c", &state) == 1);
        fclose(file);
        pause_ms(1);
    }
    cr_assert(waitid(P_PID, (id_t)planter.pid, &info, WEXITED | WNOWAIT | WNOHANG) == 0 &&
                  info.si_pid == 0,
              "only its first thread has ended");

    json_t *root = scan_json("key.pem", planter.pid_text, 1);

    cr_expect_eq(copies_at(only_process(root), at, part->size, part->name, NULL), 1);
    json_decref(root);
    stop_planter(&planter);
}

/* One that cannot be searched does not keep the others from being searched. */
Test(process, dead_among_others)
{
    struct planter planter = start_planter();
    char pid[16];
    pid_t child = start_program((const char *const[]){"true", NULL}, -1, -1, -1);

    snprintf(pid, sizeof(pid), "%d", (int)child);
    wait_program(child);
    plant(&planter, HEAP_UNALIGNED, key->parts[0].bytes, key->parts[0].size, 1);

    struct outcome outcome = TOOL_RUN("scan", "--key", "key.pem", pid, planter.pid_text);

    cr_expect_eq(outcome.status, 2);
    cr_expect(strstr(outcome.err, "no such process") != NULL, "%s", outcome.err);
    cr_expect(strstr(outcome.out, "(scan_planter): 1 copy outside secret memory") != NULL, "%s",
              outcome.out);
    stop_planter(&planter);
}

Test(process, killed_in_the_middle)
{
    struct planter planter = start_planter();
    int err[2];
    char text[512] = "";

    cr_assert(pipe2(err, O_CLOEXEC) == 0);
    plant(&planter, MANY_MAPPINGS, "x", 1, 1);

    pid_t tool = start_program(
        (const char *const[]){TOOL, "scan", "--key", "key.pem", planter.pid_text, NULL}, -1, -1,
        err[1]);

    close(err[1]);
    pause_ms(100);
    kill(planter.pid, SIGKILL);
    wait_program(planter.pid);
    cr_expect_eq(wait_program(tool), 2);
    cr_assert(read(err[0], text, sizeof(text) - 1) > 0);
    cr_expect(strstr(text, planter.pid_text) != NULL);
    /* On a busy machine the tool may not have begun yet. */
    cr_expect(strstr(text, "ended") != NULL || strstr(text, "no such process") != NULL, "%s",
              text);
}

static size_t copies_off_stack(const char *report)
{
    size_t count = 0;

    for (const char *at = report; (at = strstr(at, " of key.pem, ")) != NULL; at++) {
        const char *line = at;

        while (line > report && line[-1] != '\n')
            line--;

        const char *stack = strstr(line, " [stack]+");

        if (stack == NULL || stack > at)
            count++;
    }
    return count;
}

/* Searches a scanner: nothing for root, and nobody else may even look. */
static void check_scanner(pid_t scanner)
{
    char pid[16];

    snprintf(pid, sizeof(pid), "%d", (int)scanner);

    struct outcome outcome = TOOL_RUN("scan", "--key", "key.pem", pid);

    if (geteuid() != 0) {
        cr_expect_eq(outcome.status, 2);
        cr_expect(strstr(outcome.err, "not permitted") != NULL, "%s", outcome.err);
    } else if (!SECRET_STACK) {
        /* Such a build shows what the stack is for: the only copies are on the ordinary one. */
        cr_expect(outcome.status == 0 || outcome.status == 1, "%s", outcome.err);
        cr_expect_eq(copies_off_stack(outcome.out), 0, "%s", outcome.out);
    } else {
        cr_expect_eq(outcome.status, 0, "%s%s", outcome.out, outcome.err);
        cr_expect(strstr(outcome.out, ": secret, ") != NULL, "%s", outcome.out);
    }
    outcome_free(&outcome);
}

/* A scanner that has taken in one key and waits for the next. */
Test(process, scanner_with_keys)
{
    cr_assert(mkfifo("next", 0600) == 0);

    pid_t tool = start_program(
        (const char *const[]){TOOL, "scan", "--key", "key.pem", "--key", "next", "1", NULL}, -1,
        -1, -1);
    int next;

    /* No writer can come before there is a reader. */
    while ((next = open("next", O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0)
        pause_ms(10);
    check_scanner(tool);
    close(next);
    cr_expect_eq(wait_program(tool), 2);
}

/* A scanner that has read many copies and cannot get rid of its report. */
Test(process, scanner_after_search)
{
    struct planter planter = start_planter();
    int out[2];
    int waiting = 0;

    cr_assert(pipe2(out, O_CLOEXEC) == 0);
    plant(&planter, PAGE_BOUNDARY, key->blobs[1].bytes, key->blobs[1].size, 600);

    pid_t tool = start_program(
        (const char *const[]){TOOL, "scan", "--key", "key.pem", planter.pid_text, NULL}, -1,
        out[1], -1);
    int size = fcntl(out[1], F_GETPIPE_SZ);

    close(out[1]);
    do {
        pause_ms(10);
        cr_assert(ioctl(out[0], FIONREAD, &waiting) == 0);
    } while (waiting < size - 8192);
    check_scanner(tool);
    /* It says so when its report is not wanted any more. */
    close(out[0]);
    cr_expect_eq(wait_program(tool), 2);
    stop_planter(&planter);
}

static void refuse_secret_memory(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_secret, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof(code) / sizeof(code[0]), code};

    cr_assert(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    cr_assert(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
}

/* Without secret memory the scanner works, and says what it has instead. */
Test(process, scanner_without_secret_memory)
{
    struct planter planter = start_planter();

    plant(&planter, HEAP_UNALIGNED, key->parts[0].bytes, key->parts[0].size, 1);
    refuse_secret_memory();

    struct outcome outcome = TOOL_RUN("scan", "--key", "key.pem", planter.pid_text);

    cr_expect_eq(outcome.status, 1);
    cr_expect(strstr(outcome.err, "are held in locked memory") != NULL ||
                  strstr(outcome.err, "are held in ordinary memory") != NULL,
              "%s", outcome.err);
    cr_expect(strstr(outcome.err, "secretmem.enable=1") != NULL, "%s", outcome.err);

    json_t *root = scan_json("key.pem", planter.pid_text, 1);

    cr_expect_str_neq(json_string_value(json_object_get(root, "scanner_memory")), "secret");
    stop_planter(&planter);
}

/* The control: a program that loads the key as programs do has copies of it. */
Test(process, ordinary_program_has_copies)
{
    int out[2];
    char line[64] = "";

    cr_assert(pipe2(out, O_CLOEXEC) == 0);

    pid_t child = fork();

    cr_assert(child >= 0);
    if (child == 0) {
        FILE *file = fopen("key.pem", "r");
        EVP_PKEY *pkey = PEM_read_PrivateKey(file, NULL, NULL, NULL);

        if (pkey == NULL || write(out[1], "ready", 5) != 5)
            _exit(1);
        for (;;)
            pause();
    }
    cr_assert(read(out[0], line, 5) == 5);

    char pid[16];

    snprintf(pid, sizeof(pid), "%d", (int)child);

    json_t *process = only_process(scan_json("key.pem", pid, 1));

    for (size_t i = 0; i < key->part_count; i++)
        cr_expect(copies_at(process, 0, SIZE_MAX, key->parts[i].name, NULL) > 0, "%s",
                  key->parts[i].name);
    kill(child, SIGKILL);
    wait_program(child);
}

Test(process, ends_by_the_signal_it_is_sent)
{
    struct planter planter = start_planter();

    plant(&planter, MANY_MAPPINGS, "x", 1, 1);

    cr_assert(mkfifo("next", 0600) == 0);

    pid_t tool = start_program(
        (const char *const[]){TOOL, "scan", "--key", "next", planter.pid_text, NULL}, -1, -1,
        -1);
    int next;

    while ((next = open("next", O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0)
        pause_ms(10);
    cr_assert(write(next, key->blobs[1].bytes, key->blobs[1].size) > 0);
    close(next);
    kill(tool, SIGTERM);
    cr_expect_eq(wait_program(tool), 128 + SIGTERM);
    stop_planter(&planter);
}
