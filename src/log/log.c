/* SPDX-License-Identifier: Apache-2.0 */
#include "log/log.h"
#include "base/counters.h"
#include "base/format.h"
#include "base/settings.h"
#include "log/syslog.h"
#include "os/helper_process.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define LINE_MAX_ 1024

static struct {
    const char *speaker;
    bool stderr_known; /* fd 2 was open at start */
    bool pipe;         /* and was a pipe or a socket */
    bool good_at_seal; /* fd 2 was still the same file when the filter came */
    bool full_at_seal; /* the file on fd 2 might not grow when the filter came */
    int pid_at_seal;
    dev_t dev;
    ino_t ino;
} report = {.speaker = "libsecretmem"};

static int stat_fd(int fd, struct stat *st)
{
    return (int)sm_sys(SYS_newfstatat, fd, "", st, AT_EMPTY_PATH);
}

void sm_log_init(const char *speaker)
{
    struct stat st = {0};

    report.speaker = speaker;
    if (stat_fd(2, &st) == 0) {
        report.stderr_known = true;
        report.dev = st.st_dev;
        report.ino = st.st_ino;
        report.pipe = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode);
    }
}

/*
 * Whether a write would exceed RLIMIT_FSIZE, which ends the process (SIGXFSZ). Sandboxes set
 * this limit to 0.
 */
static bool may_not_grow(int fd, size_t length)
{
    struct rlimit limit = {0};
    struct stat st = {0};

    if (sm_seccomp_forbids(SM_CALL_FSTAT) || sm_seccomp_forbids(SM_CALL_PRLIMIT))
        return report.full_at_seal;
    return sm_sys(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) == 0 &&
           limit.rlim_cur != RLIM_INFINITY && stat_fd(fd, &st) == 0 && S_ISREG(st.st_mode) &&
           (rlim_t)st.st_size + length > limit.rlim_cur;
}

struct line {
    const char *text;
    size_t length;
    bool written;
};

static void write_all(int fd, struct line *line)
{
    if (may_not_grow(fd, line->length))
        return;
    /* A single write, so that lines of several processes do not mix. */
    line->written = sm_sys(SYS_write, fd, line->text, line->length) == (long)line->length;
}

/*
 * Whether fd 2 is still the original file. A program may have closed descriptor 2 and then
 * opened a data file as descriptor 2.
 */
static bool stderr_is_original(void)
{
    struct stat st = {0};

    if (sm_seccomp_forbids(SM_CALL_FSTAT))
        return report.good_at_seal;
    return report.stderr_known && stat_fd(2, &st) == 0 && st.st_dev == report.dev &&
           st.st_ino == report.ino;
}

/*
 * A write to a pipe without a reader would end the process. In a helper the write ends nothing.
 */
static void write_stderr(void *arg)
{
    write_all(2, arg);
}

void sm_log_seal(void)
{
    report.good_at_seal = stderr_is_original();
    report.full_at_seal = may_not_grow(2, LINE_MAX_);
    report.pid_at_seal = (int)sm_sys(SYS_getpid);
}

static int current_pid(void)
{
    if (sm_seccomp_forbids(SM_CALL_GETPID))
        return report.pid_at_seal;
    return (int)sm_sys(SYS_getpid);
}

/* Runs in the helper, which has its own descriptor table. */
static void write_file(void *arg)
{
    struct line *line = arg;
    /*
     * Does not follow a symbolic link, because a user who may write to the directory could
     * point it anywhere.
     */
    long fd = sm_sys(
        SYS_openat, AT_FDCWD, sm_settings.log_path,
        O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW, 0600);

    if (fd < 0)
        return;
    write_all((int)fd, line);
    sm_sys(SYS_close, fd);
}

/*
 * Returns whether the message arrived anywhere. Only a syslog daemon gets the text before
 * name_start.
 */
static bool emit(char *text, size_t length, size_t name_start)
{
    struct line line = {text + name_start, length - name_start, false};

    if (sm_settings.log == SM_LOG_NONE)
        return true;
    if (sm_settings.log == SM_LOG_FILE && !sm_seccomp_forbids(SM_CALL_OPENAT))
        sm_helper_run(write_file, &line);
    if (sm_settings.log == SM_LOG_SYSLOG) {
        text[length - 1] = '\0'; /* a record has no newline */
        line.written = sm_syslog(text, length - 1);
        text[length - 1] = '\n';
    }
    /* A message in the wrong place is better than a lost message. */
    if (!line.written && stderr_is_original() &&
        !(report.pipe && sm_helper_force(write_stderr, &line)))
        write_stderr(&line);
    return line.written;
}

void sm_vlog(const char *format, va_list args)
{
    char text[LINE_MAX_];
    size_t start = 0, length;

    if (sm_settings.log == SM_LOG_SYSLOG)
        start = sm_format(text, sizeof(text), "<28>"); /* daemon, warning */
    length = start + sm_format(text + start, sizeof(text) - start, "%s: [%d] ", report.speaker,
                               current_pid());
    length += sm_vformat(text + length, sizeof(text) - 1 - length, format, args);
    text[length++] = '\n';
    if (!emit(text, length, start))
        sm_count(&sm_stats.messages_lost, 1);
}

void sm_log(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    sm_vlog(format, args);
    va_end(args);
}

void sm_exit_refused(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    sm_vlog(format, args);
    va_end(args);
    for (;;)
        sm_sys(SYS_exit_group, SM_EXIT_REFUSED);
}

const char *sm_errno_name(long error)
{
    switch (error < 0 ? -error : error) {
    case ENOSYS:
        return "ENOSYS";
    case EPERM:
        return "EPERM";
    case EAGAIN:
        return "EAGAIN";
    case ENOMEM:
        return "ENOMEM";
    case EINVAL:
        return "EINVAL";
    case EMFILE:
        return "EMFILE";
    case ENFILE:
        return "ENFILE";
    case EFAULT:
        return "EFAULT";
    case EACCES:
        return "EACCES";
    case EOPNOTSUPP:
        return "EOPNOTSUPP";
    case EFBIG:
        return "EFBIG";
    default:
        return "unexpected error";
    }
}
