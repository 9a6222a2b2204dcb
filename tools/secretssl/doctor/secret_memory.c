/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests secret memory: it holds data, cannot be read from outside, and can be kept from
 * children.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doctor/check.h"
#include "process/try_in_child.h"

enum { PATTERN = 0x5a };

struct outcome {
    char step[24]; /* the step that failed; "" if none */
    int error;
    int readable; /* see readable_from_outside() */
    int signal;   /* that ended a child's child */
    bool shared;  /* parent and child share one page */
};

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void stop_at(struct outcome *outcome, const char *step)
{
    outcome->error = errno;
    snprintf(outcome->step, sizeof(outcome->step), "%s", step);
    _exit(0);
}

static unsigned char *secret_page(struct outcome *outcome)
{
    const char *step;
    unsigned char *page = secret_map(page_size(), &step);

    if (page == NULL)
        stop_at(outcome, step);
    if (!secret_touch(page))
        stop_at(outcome, "touch");
    memset(page, PATTERN, page_size());
    return page;
}

static void use_page(void *result)
{
    struct outcome *outcome = result;
    unsigned char *page = secret_page(outcome);

    for (size_t i = 0; i < page_size(); i++) {
        if (page[i] != PATTERN)
            stop_at(outcome, "reading back");
    }
    outcome->readable = readable_from_outside(page);
}

static struct outcome used; /* for the page of the first two checks */
static int used_signal;

static void remedy_use(struct check *check, const struct diagnosis *diagnosis)
{
    int error = used_signal == 0 ? used.error : 0;

    if (diagnosis->facts.file_limit) {
        check_remedy_file_size(check);
    } else if (error == EAGAIN || error == EFAULT) {
        check_remedy(check, UNIT_FILE, "LimitMEMLOCK=512M");
    } else if (error == EMFILE || error == ENFILE) {
        check_remedy(check, UNIT_FILE, "LimitNOFILE=65536");
    } else if (error == ENOMEM || used_signal == SIGKILL) {
        check_remedy(check, UNIT_FILE, "MemoryMax=infinity");
    } else {
        check_remedy_earlier(check, diagnosis);
    }
}

void check_secret_memory(struct diagnosis *diagnosis)
{
    struct check *check = check_new(diagnosis, "secret-memory");
    struct facts *facts = &diagnosis->facts;

    used_signal = trial(use_page, &used, sizeof(used));
    facts->secret_works = used_signal == 0 && used.step[0] == '\0';
    facts->file_limit = used_signal == SIGXFSZ ||
                        (used_signal == 0 && used.step[0] != '\0' && used.error == EFBIG);
    if (facts->file_limit)
        check_say(check, VERDICT_FAILED,
                  "the limit on the size of files (RLIMIT_FSIZE) forbids it, because setting "
                  "the size of secret memory counts as growing a file");
    else if (facts->secret_works)
        check_say(check, VERDICT_OK, "a page was made, written to and read back");
    else if (used_signal != 0)
        check_say(check, VERDICT_FAILED, "the test process was ended by SIG%s",
                  used_signal > 0 ? sigabbrev_np(used_signal) : "(no child could be created)");
    else
        check_say(check, VERDICT_FAILED, "%s: %s%s", used.step, strerror(used.error),
                  used.error == EAGAIN || used.error == EFAULT ? " (see memlock below)" : "");
    if (!facts->secret_works)
        remedy_use(check, diagnosis);
}

void check_unreadable(struct diagnosis *diagnosis)
{
    struct check *check = check_new(diagnosis, "unreadable");

    if (!diagnosis->facts.secret_works)
        check_say(check, VERDICT_NOTE, "there is no secret memory to test with");
    else if (used.readable == 0)
        check_say(
            check, VERDICT_OK,
            "another process can read ordinary memory (/proc/PID/mem), but not secret memory");
    else if (used.readable < 0)
        check_say(check, VERDICT_UNKNOWN,
                  "another process cannot even read ordinary memory here: is /proc mounted?");
    else
        check_say(check, VERDICT_FAILED,
                  "another process can read secret memory (/proc/PID/mem): this kernel does "
                  "not protect it");
    if (check->verdict == VERDICT_FAILED)
        check_remedy_earlier(check, diagnosis);
}

/*
 * Lets a child write to the page. Returns the signal that ended the child, 0 if none, -1 if
 * there was no child.
 */
static int child_touches(unsigned char *page)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        page[0] = PATTERN + 1;
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return -1;
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void fork_with_page(void *result)
{
    struct outcome *outcome = result;
    unsigned char *page = secret_page(outcome);

    if (child_touches(page) != 0)
        stop_at(outcome, "a child's touch");
    outcome->shared = page[0] == PATTERN + 1;
    if (madvise(page, page_size(), MADV_DONTFORK) != 0)
        stop_at(outcome, "madvise");
    outcome->signal = child_touches(page);
}

void check_fork(struct diagnosis *diagnosis)
{
    struct check *check = check_new(diagnosis, "fork");
    struct outcome outcome = {0};

    if (!diagnosis->facts.secret_works) {
        check_say(check, VERDICT_NOTE, "there is no secret memory to test with");
        return;
    }

    int signal = trial(fork_with_page, &outcome, sizeof(outcome));

    if (signal != 0 || outcome.step[0] != '\0')
        check_say(check, VERDICT_FAILED, "%s: %s", outcome.step,
                  signal > 0 ? strsignal(signal) : strerror(outcome.error));
    else if (outcome.signal != SIGSEGV)
        check_say(check, VERDICT_FAILED,
                  "MADV_DONTFORK has no effect: a child gets its parent's secrets");
    else
        check_say(check, VERDICT_OK, "secret memory can be %s children, and withheld from them",
                  outcome.shared ? "shared with" : "copied by");
    if (check->verdict == VERDICT_FAILED)
        check_remedy_earlier(check, diagnosis);
}
