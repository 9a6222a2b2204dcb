/* SPDX-License-Identifier: Apache-2.0 */
/* RLIMIT_MEMLOCK: how this kernel counts, and how much secret memory is available. */
#include <errno.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "doctor/check.h"
#include "process/try_in_child.h"

enum {
    SMALL = 64 * 1024,    /* the limit at which the way of counting shows */
    TRIED = 1024 * 1024,  /* more than SMALL, to map or touch */
    WANTED = 2048 * 1024, /* the need of a small server, which is tried */
    PIECE = 64 * 1024,    /* the first size that the allocator maps */
};

/* The recommended limit: twice the default arena, because a forked child's copy counts too. */
static const rlim_t enough = (rlim_t)512 << 20;

static bool has_capability(unsigned number)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};

    return syscall(SYS_capget, &head, data) == 0 &&
           data[number / 32].effective >> number % 32 & 1;
}

static void drop_capability(unsigned number)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};

    if (syscall(SYS_capget, &head, data) != 0)
        return;
    data[number / 32].effective &= ~(1U << number % 32);
    syscall(SYS_capset, &head, data);
}

static size_t touch_all(char *start, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), done = 0;

    while (done < size && secret_touch(start + done))
        done += page;
    return done;
}

static struct rlimit found; /* the limit as it was when this program began */

void raise_memlock_limit(void)
{
    struct rlimit more;

    getrlimit(RLIMIT_MEMLOCK, &found);
    more.rlim_cur = more.rlim_max = found.rlim_max > enough ? found.rlim_max : enough;
    if (setrlimit(RLIMIT_MEMLOCK, &more) == 0)
        return;
    more.rlim_cur = more.rlim_max = found.rlim_max;
    setrlimit(RLIMIT_MEMLOCK, &more);
}

enum way { CANNOT_TELL, BY_LENGTH, BY_PAGE, NOT_AT_ALL };

/* Finds the way of counting without CAP_IPC_LOCK, which would hide one of the two ways. */
static void find_way(void *result)
{
    enum way *way = result;
    struct rlimit limit;
    const char *step;

    drop_capability(CAP_IPC_LOCK);
    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0)
        return;
    if (limit.rlim_cur > SMALL)
        limit.rlim_cur = SMALL;
    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0)
        return;

    char *start = secret_map(TRIED, &step);

    if (start == NULL)
        *way = strcmp(step, "mmap") == 0 && errno == EAGAIN ? BY_LENGTH : CANNOT_TELL;
    else
        *way = touch_all(start, TRIED) < TRIED ? BY_PAGE : NOT_AT_ALL;
}

/*
 * The effects of the capabilities, tried because held capabilities have none in a user
 * namespace.
 */
struct powers {
    bool exempt; /* more can be mapped than the limit says */
    bool raises; /* the hard limit can be raised */
};

static void find_powers(void *result)
{
    struct powers *powers = result;
    const struct rlimit low = {SMALL, SMALL}, high = {enough, enough};
    const char *step;

    if (setrlimit(RLIMIT_MEMLOCK, &low) != 0)
        return;
    powers->exempt = secret_map(SMALL + (size_t)sysconf(_SC_PAGESIZE), &step) != NULL;
    powers->raises = setrlimit(RLIMIT_MEMLOCK, &high) == 0;
}

/* Maps memory in small pieces, as the allocator does. */
static void get_some(void *result)
{
    size_t *got = result;
    const char *step;

    while (*got < WANTED) {
        char *start = secret_map(PIECE, &step);
        size_t more = start != NULL ? touch_all(start, PIECE) : 0;

        *got += more;
        if (more < PIECE)
            break;
    }
}

struct text {
    char text[40];
};

static struct text amount(rlim_t bytes)
{
    struct text result;

    if (bytes == RLIM_INFINITY)
        snprintf(result.text, sizeof(result.text), "unlimited");
    else if (bytes % (1 << 20) == 0 && bytes > 0)
        snprintf(result.text, sizeof(result.text), "%llu MiB", (unsigned long long)bytes >> 20);
    else
        snprintf(result.text, sizeof(result.text), "%llu KiB", (unsigned long long)bytes >> 10);
    return result;
}

static void memlock_remedy_limit(struct check *check)
{
    const struct passwd *user = getpwuid(geteuid());
    unsigned long long bytes = (unsigned long long)enough;

    check_remedy(check, UNIT_FILE, "LimitMEMLOCK=%lluM", bytes >> 20);
    check_remedy(check, "docker run", "--ulimit memlock=%llu:%llu", bytes, bytes);
    if (user != NULL)
        check_remedy(check, "/etc/security/limits.d/secretssl.conf, for logins",
                     "%s - memlock %llu", user->pw_name, bytes >> 10);
    else
        check_remedy(check, "/etc/security/limits.d/secretssl.conf, for logins",
                     "* - memlock %llu", bytes >> 10);
}

static const char *way_text(enum way way)
{
    static const char *const texts[] = {
        [CANNOT_TELL] = "how this kernel counts could not be determined",
        [BY_LENGTH] = "this kernel counts what each process maps",
        [BY_PAGE] = "this kernel counts the pages touched by all processes of a user",
        [NOT_AT_ALL] = "this kernel does not count secret memory",
    };

    return texts[way];
}

static void memlock_judge(struct check *check, enum way way, struct powers powers, size_t got,
                          int signal)
{
    bool exempt = way == BY_LENGTH && powers.exempt, raises = powers.raises;
    const char *may = exempt   ? "; CAP_IPC_LOCK is exempt"
                      : raises ? "; CAP_SYS_RESOURCE lets a process raise it"
                               : "";

    if (got >= WANTED && (exempt || raises || way == NOT_AT_ALL || found.rlim_max >= enough)) {
        check_say(check, VERDICT_OK, "%s; limit %s%s", way_text(way),
                  amount(found.rlim_max).text, may);
        return;
    }
    if (signal == SIGKILL) {
        check_say(check, VERDICT_FAILED,
                  "the process that requested %s of secret memory was killed, for lack of "
                  "memory (see cgroup below)",
                  amount(WANTED).text);
        check_remedy(check, UNIT_FILE, "MemoryMax=infinity");
        return;
    }
    if (got < WANTED)
        check_say(check, got == 0 ? VERDICT_FAILED : VERDICT_WARNING,
                  "only %s of %s could be allocated; %s; limit %s", amount(got).text,
                  amount(WANTED).text, way_text(way), amount(found.rlim_max).text);
    else
        check_say(check, VERDICT_WARNING,
                  "limit %s, less than the default arena of 256 MiB; %s; beyond the limit "
                  "secrets are in memory that is not secret",
                  amount(found.rlim_max).text, way_text(way));
    memlock_remedy_limit(check);
}

static void judge_capability(struct check *check, enum way way, struct powers powers)
{
    bool held = has_capability(CAP_IPC_LOCK);
    const char *has = held ? "held" : "not held";

    if (way == BY_LENGTH && held && !powers.exempt)
        check_say(
            check, VERDICT_NOTE,
            "held, but in a user namespace, where it gives no exemption from RLIMIT_MEMLOCK");
    else if (way == BY_LENGTH)
        check_say(check, VERDICT_NOTE,
                  "%s; a process that holds it is exempt from RLIMIT_MEMLOCK", has);
    else if (way == BY_PAGE)
        check_say(check, VERDICT_NOTE, "%s; it makes no difference on this kernel", has);
    else
        check_say(check, VERDICT_NOTE, "%s", has);
}

void check_memlock(struct diagnosis *diagnosis)
{
    struct check *check = check_new(diagnosis, "memlock");
    struct facts *facts = &diagnosis->facts;
    enum way way = CANNOT_TELL;
    struct powers powers = {0};
    size_t got = 0;
    int signal;

    if (!facts->secret_calls || facts->file_limit) {
        check_say(check, VERDICT_NOTE, "limit %s; there is no secret memory to test it with",
                  amount(found.rlim_max).text);
        return;
    }
    trial(find_way, &way, sizeof(way));
    trial(find_powers, &powers, sizeof(powers));
    signal = trial(get_some, &got, sizeof(got));
    facts->counts_by_page = way == BY_PAGE;
    facts->counts_length = way == BY_LENGTH;
    memlock_judge(check, way, powers, got, signal);
    judge_capability(check_new(diagnosis, "cap-ipc-lock"), way, powers);
}
