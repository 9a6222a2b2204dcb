/* SPDX-License-Identifier: Apache-2.0 */
#include "base/settings.h"
#include "log/log.h"
#include "stacktrace/fatal.h"
#include "support.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char text[4096], wanted[4096];

static void say_all(void *arg)
{
    (void)arg;
    sm_log_init("speaker");
    errno = EDOM;
    sm_log("one %d %s", 1, "two\nlines");
    CHECK(errno == EDOM);
    dprintf(2, "pid %d\n", getpid());
}

Test(report, line)
{
    int pid;

    cr_assert_eq(in_child_saying(say_all, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(sscanf(strstr(text, "pid "), "pid %d", &pid), 1);
    snprintf(wanted, sizeof(wanted), "speaker: [%d] one 1 two?lines\npid %d\n", pid, pid);
    cr_assert_str_eq(text, wanted);
}

static void say_much(void *arg)
{
    static char much[3000];

    (void)arg;
    sm_log_init("speaker");
    memset(much, 'm', sizeof(much) - 1);
    sm_log("%s", much);
}

Test(report, long_line_is_cut)
{
    cr_assert_eq(in_child_saying(say_much, NULL, text, sizeof(text)), 0);
    cr_assert_leq(strlen(text), 1024);
    cr_assert_geq(strlen(text), 1000);
    cr_assert_eq(count_of(text, "\n"), 1);
    cr_assert_eq(text[strlen(text) - 1], '\n');
}

static void say_once(void *arg)
{
    bool first = false, second = false;

    (void)arg;
    sm_log_init("speaker");
    for (int i = 0; i < 5; i++) {
        sm_log_once(&first, "first");
        sm_log_once(&second, "second");
    }
}

Test(report, once)
{
    cr_assert_eq(in_child_saying(say_once, NULL, text, sizeof(text)), 0);
    cr_assert_eq(count_of(text, "first\n"), 1);
    cr_assert_eq(count_of(text, "second\n"), 1);
}

/* The program closed descriptor 2, and the next file it opened got that number. */
static void say_to_data(void *arg)
{
    int data = *(int *)arg;

    sm_log_init("speaker");
    dup2(data, 2);
    sm_log("lost");
    close(2);
    sm_log("lost");
}

Test(report, data_file_is_spared)
{
    FILE *data = tmpfile();
    int fd = fileno(data);
    struct stat st;

    cr_assert_eq(in_child_saying(say_to_data, &fd, text, sizeof(text)), 0);
    cr_assert_str_eq(text, "");
    cr_assert_eq(fstat(fd, &st), 0);
    cr_assert_eq(st.st_size, 0);
}

static void say_without_stderr(void *arg)
{
    int data = *(int *)arg;

    close(2);
    sm_log_init("speaker");
    dup2(data, 2);
    sm_log("lost");
}

Test(report, closed_at_start)
{
    FILE *data = tmpfile();
    int fd = fileno(data);
    struct stat st;

    cr_assert_eq(in_child_saying(say_without_stderr, &fd, text, sizeof(text)), 0);
    cr_assert_eq(fstat(fd, &st), 0);
    cr_assert_eq(st.st_size, 0);
}

static void say_to_log(void *arg)
{
    char error[64];

    sm_log_init("speaker");
    CHECK(sm_settings_set("LOG", arg, error, sizeof(error)) == 0);
    errno = EDOM;
    sm_log("to the log");
    CHECK(errno == EDOM);
}

Test(report, log_file)
{
    char directory[] = "/tmp/secretssl-report-XXXXXX", path[64];
    struct stat st;
    FILE *log;

    cr_assert_not_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/log", directory);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(in_child_saying(say_to_log, path, text, sizeof(text)), 0, "%s", text);
        cr_assert_str_eq(text, "");
    }
    log = fopen(path, "re");
    cr_assert_not_null(log);
    text[fread(text, 1, sizeof(text) - 1, log)] = '\0';
    cr_assert_eq(fstat(fileno(log), &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    cr_assert_eq(count_of(text, "speaker: ["), 3, "%s", text);
    cr_assert_eq(count_of(text, "] to the log\n"), 3, "%s", text);
    fclose(log);
    unlink(path);
    rmdir(directory);
}

Test(report, unwritable_log_file)
{
    cr_assert_eq(in_child_saying(say_to_log, "/nowhere/log", text, sizeof(text)), 0);
    cr_assert(strstr(text, "speaker: [") == text, "%s", text);
    cr_assert_eq(count_of(text, "to the log\n"), 1, "%s", text);
}

Test(report, none)
{
    cr_assert_eq(in_child_saying(say_to_log, "none", text, sizeof(text)), 0);
    cr_assert_str_eq(text, "");
}

static void say_to_no_syslog(void *arg)
{
    private_dev();
    say_to_log(arg);
}

Test(report, no_syslog)
{
    cr_assert_eq(in_child_saying(say_to_no_syslog, "syslog", text, sizeof(text)), 0, "%s",
                 text);
    cr_assert(strstr(text, "speaker: [") == text, "without the priority: %s", text);
}

static void refuse(void *arg)
{
    (void)arg;
    sm_log_init("speaker");
    sm_exit_refused("refused for %s", "a reason");
}

Test(report, refuse)
{
    cr_assert_eq(in_child_saying(refuse, NULL, text, sizeof(text)), 78);
    cr_assert_eq(count_of(text, "] refused for a reason\n"), 1, "%s", text);
    cr_assert_eq(count_of(text, "\n"), 1);
}

static void ignore(int signal)
{
    (void)signal;
}

static void fatal(void *address)
{
    struct sigaction action = {.sa_handler = ignore};
    sigset_t set;

    sm_log_init("speaker");
    sigaction(SIGABRT, &action, NULL);
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    sm_fatal("misuse", address);
}

Test(report, fatal)
{
    cr_assert_eq(in_child_saying(fatal, NULL, text, sizeof(text)), ENDED_BY(SIGABRT));
    cr_assert_eq(count_of(text, "] fatal: misuse\n"), 1, "%s", text);
    cr_assert_eq(in_child_saying(fatal, (void *)0xabc0, text, sizeof(text)), ENDED_BY(SIGABRT));
    cr_assert_eq(count_of(text, "] fatal: misuse: 0xabc0\n"), 1, "%s", text);
}

Test(report, errno_names)
{
    cr_assert_str_eq(sm_errno_name(EAGAIN), "EAGAIN");
    cr_assert_str_eq(sm_errno_name(-EAGAIN), "EAGAIN");
    cr_assert_str_eq(sm_errno_name(-ENOSYS), "ENOSYS");
    cr_assert_str_eq(sm_errno_name(-EPERM), "EPERM");
    cr_assert_str_eq(sm_errno_name(-ENOMEM), "ENOMEM");
    cr_assert_str_eq(sm_errno_name(-EINVAL), "EINVAL");
    cr_assert_str_eq(sm_errno_name(-EMFILE), "EMFILE");
    cr_assert_str_eq(sm_errno_name(-ENFILE), "ENFILE");
    cr_assert_str_eq(sm_errno_name(-EFAULT), "EFAULT");
    cr_assert_str_eq(sm_errno_name(-EOPNOTSUPP), "EOPNOTSUPP");
    cr_assert_str_eq(sm_errno_name(-EACCES), "EACCES");
    cr_assert_str_eq(sm_errno_name(-EXDEV), "unexpected error");
}
