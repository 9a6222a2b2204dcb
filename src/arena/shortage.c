/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/shortage.h"
#include "arena/sealed.h"
#include "base/counters.h"
#include "base/format.h"
#include "base/probe.h"
#include "base/settings.h"
#include "log/log.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>

__thread struct sm_short sm_short_now __attribute__((tls_model("initial-exec")));

_Static_assert(SM_SHORTAGES <= SM_STATS_SHORTAGES, "a counter for each");

/* The consequence of a shortage. */
enum effect { LOCKED, PLAIN, SPILLED, INHERITED, FAILED, KEYS_FAILED, NEEDED, EFFECTS };

static const char *const effects[EFFECTS] = {
    [LOCKED] = "secrets are in locked, undumpable memory",
    [PLAIN] = "secrets are in undumpable memory that may be swapped out",
    [SPILLED] = "allocations fall back to the C library",
    [INHERITED] = "key bytes fall back to the C library, where forked children have them too",
    [FAILED] = "allocations fail",
    [KEYS_FAILED] = "allocations of key bytes fail",
    [NEEDED] = "what OpenSSL needs to report errors falls back to the C library",
};

/* The text in brackets behind the words. */
enum detail { NOTHING, CAP, ERROR };

static const struct {
    const char *words, *remedy;
    enum detail detail;
} reasons[SM_SHORTAGES] = {
    [SM_SHORT_UNKNOWN] = {"no memory, for an unknown reason", "report it", ERROR},
    [SM_SHORT_CAP] = {"the arena is full", "raise SECRETSSL_ARENA_SIZE", CAP},
    [SM_SHORT_BLOCK] = {"one block is larger than the whole arena",
                        "raise SECRETSSL_ARENA_SIZE", CAP},
    [SM_SHORT_FIXED] =
        {"the memory that was reserved before a seccomp filter is used up",
         "allow memfd_secret and mmap in the filter, or raise SECRETSSL_PREFAULT", NOTHING},
    [SM_SHORT_SPACE] = {"no address space for the arena", "raise RLIMIT_AS", NOTHING},
    [SM_SHORT_DATA] = {"the limit on data is reached", "raise RLIMIT_DATA", NOTHING},
    [SM_SHORT_MAPPINGS] = {"the process has the maximum number of mappings",
                           "raise the sysctl vm.max_map_count", NOTHING},
    [SM_SHORT_MEMLOCK] = {"the limit on secret memory is reached", "raise RLIMIT_MEMLOCK",
                          ERROR},
    [SM_SHORT_FORBIDDEN] = {"no secret memory",
                            "allow memfd_secret in the seccomp filter (systemd: "
                            "SystemCallFilter=memfd_secret)",
                            ERROR},
    [SM_SHORT_KERNEL] = {"no secret memory",
                         "use Linux 5.14 or later, before 6.5 with secretmem.enable=1, and no "
                         "filter that hides the call",
                         ERROR},
    [SM_SHORT_ALIGNMENT] = {"the arena has no room for so large an alignment",
                            "raise SECRETSSL_ARENA_SIZE", CAP},
    [SM_SHORT_UNCACHED] =
        {"SECRETSSL_UNCACHED=require: the kernel refuses more uncached memory",
         "boot with secretmem.uncached_all=1, or set SECRETSSL_UNCACHED=prefer", ERROR},
    [SM_SHORT_DESCRIPTORS] = {"no file descriptor is left for secret memory",
                              "raise RLIMIT_NOFILE", ERROR},
    [SM_SHORT_MEMORY] = {"the kernel has no memory", "check the limits of the cgroup", ERROR},
    [SM_SHORT_LOCK] = {"memory cannot be locked", "raise RLIMIT_MEMLOCK", ERROR},
    /*
     * EARLY is reported at the later start, with the number of blocks. ABSURD is no shortage.
     */
    [SM_SHORT_EARLY] = {NULL, NULL, NOTHING},
    [SM_SHORT_ABSURD] = {NULL, NULL, NOTHING},
    [SM_SHORT_FORKING] = {"the process requests its first secret memory in a fork handler",
                          "allocate once before the fork", NOTHING},
    [SM_SHORT_FILE] = {"the limit on the size of files is reached", "raise RLIMIT_FSIZE",
                       NOTHING},
    [SM_SHORT_FILTER] = {"a seccomp filter kills for a system call that secret memory needs",
                         "allow memfd_secret, ftruncate, mmap, mremap, madvise, close and "
                         "rt_sigprocmask in the filter",
                         NOTHING},
};

static bool limited(int resource)
{
    struct rlimit limit = {0};

    return !sm_seccomp_forbids(SM_CALL_PRLIMIT) &&
           sm_sys(SYS_prlimit64, 0, resource, NULL, &limit) == 0 &&
           limit.rlim_cur != RLIM_INFINITY;
}

static char *map(size_t length, int prot, int flags)
{
    long got = sm_sys(SYS_mmap, NULL, length, prot, MAP_ANONYMOUS | flags, -1, 0);

    return (unsigned long)got > (unsigned long)-4096 ? NULL : (char *)got;
}

static bool can_map(size_t length, int prot)
{
    char *got = map(length, prot, MAP_PRIVATE | MAP_NORESERVE);

    if (got)
        sm_pages_unmap(got, length);
    return got != NULL;
}

/* Whether one mapping can be split into three. MAP_SHARED prevents a merge with a neighbour. */
static bool can_split(void)
{
    char *got = map(3 * sm_os_page, PROT_NONE, MAP_SHARED);
    bool good = got && sm_sys(SYS_mprotect, got + sm_os_page, sm_os_page, PROT_READ) == 0;

    if (got)
        sm_pages_unmap(got, 3 * sm_os_page);
    return good;
}

/* ENOMEM is the kernel's answer to four limits, so this function tries them one by one. */
static enum sm_shortage why_no_memory(size_t length)
{
    if (sm_seccomp_forbids(SM_CALL_MMAP) || sm_seccomp_forbids(SM_CALL_MUNMAP) ||
        sm_seccomp_forbids(SM_CALL_MPROTECT))
        return SM_SHORT_FIXED;
    if (limited(RLIMIT_AS) && !can_map(sm_max(length, 4 * sm_os_page), PROT_NONE))
        return SM_SHORT_SPACE;
    if (!can_split())
        return SM_SHORT_MAPPINGS;
    if (limited(RLIMIT_DATA) && !can_map(sm_max(length, sm_os_page), PROT_READ | PROT_WRITE))
        return SM_SHORT_DATA;
    return SM_SHORT_MEMORY;
}

static enum sm_shortage why(long error, size_t length)
{
    switch (-error) {
    case EAGAIN:
    case EFAULT:
        return SM_SHORT_MEMLOCK;
    case EPERM:
    case EACCES:
        return sm_seccomp_forbids_any(SM_CALLS_TO_MAP | SM_CALL_BIT(SM_CALL_MREMAP))
                   ? SM_SHORT_FILTER
                   : SM_SHORT_FORBIDDEN;
    case ENOSYS:
        return SM_SHORT_KERNEL;
    case EMFILE:
    case ENFILE:
        return SM_SHORT_DESCRIPTORS;
    case EFBIG:
        return SM_SHORT_FILE;
    case ENOMEM:
        return why_no_memory(length);
    default:
        return SM_SHORT_MEMORY;
    }
}

bool sm_short_by(long error, size_t length)
{
    sm_short_now = (struct sm_short){.why = why(error, length), .error = (int)error};
    return false;
}

const char *sm_short_remedy(long error)
{
    return reasons[why(error, sm_os_page)].remedy;
}

static sm_flag said[SM_SHORTAGES]; /* a bit for each enum effect */

static bool was_said(enum sm_shortage which, enum effect effect)
{
    return __atomic_load_n(&said[which], __ATOMIC_RELAXED) & 1U << effect;
}

static void shortage_say(struct sm_short now, enum effect effect)
{
    sm_flag bit = 1U << effect;
    const char *more = effect == LOCKED && now.why == SM_SHORT_MEMLOCK ? "more " : "";
    bool secret = now.why == SM_SHORT_FORBIDDEN || now.why == SM_SHORT_KERNEL;
    char detail[64] = "";

    if (!reasons[now.why].words || was_said(now.why, effect) ||
        __atomic_fetch_or(&said[now.why], bit, __ATOMIC_RELAXED) & bit)
        return;
    if (reasons[now.why].detail == CAP)
        sm_format(detail, sizeof(detail), " (SECRETSSL_ARENA_SIZE, %zu bytes)",
                  sm_arena.span ? sm_arena.cap : sm_settings.arena_size);
    else if (reasons[now.why].detail == ERROR)
        sm_format(detail, sizeof(detail), secret ? " (memfd_secret: %s)" : " (%s)",
                  sm_errno_name(now.error));
    sm_log("%s%s: %s%s; %s", reasons[now.why].words, detail, more, effects[effect],
           reasons[now.why].remedy);
}

bool sm_may_fall_back(unsigned part)
{
    struct sm_short now = sm_short_now;
    bool keys = part == SM_PART_BYTES;

    sm_count(&sm_stats.shortages[now.why], 1);
    if (sm_settings.require ||
        (keys && (sm_settings.uncached == SM_UNCACHED_REQUIRE ||
                  (sm_is_sealed(part) && sm_settings.seal == SM_SEALING_REQUIRE)))) {
        sm_count(&sm_stats.failed, 1);
        shortage_say(now, sm_settings.require ? FAILED : KEYS_FAILED);
        return false;
    }
    sm_short_now.to_child = keys && sm_settings.fork == SM_FORK_DENY;
    return true;
}

void sm_short_cached(long error)
{
    struct sm_short now = {.why = SM_SHORT_UNCACHED, .error = (int)error};

    shortage_say(now, sm_settings.require ? FAILED : KEYS_FAILED);
}

bool sm_short_needed(void)
{
    if (!sm_settings.require)
        return sm_may_fall_back(SM_PART_PUBLIC);
    sm_count(&sm_stats.shortages[sm_short_now.why], 1);
    sm_count(&sm_stats.spilled_public, 1);
    return true;
}

void sm_short_spilled(size_t n)
{
    sm_count(&sm_stats.spilled, 1);
    sm_count(&sm_stats.spilled_bytes, n);
    sm_probe(fall_back, n);
    if (!sm_settings.require)
        shortage_say(sm_short_now, sm_short_now.to_child ? INHERITED : SPILLED);
    else if (!was_said(sm_short_now.why, FAILED)) /* The line about what fails is enough. */
        shortage_say(sm_short_now, NEEDED);
}

void sm_short_failed(void)
{
    sm_count(&sm_stats.failed, 1);
    shortage_say(sm_short_now, FAILED);
}

void sm_short_degraded(enum sm_kind kind, long error)
{
    struct sm_short now = {.why =
                               kind == SM_KIND_PLAIN ? SM_SHORT_LOCK : why(error, sm_os_page),
                           .error = (int)error};

    sm_count(&sm_stats.shortages[now.why], 1);
    shortage_say(now, kind == SM_KIND_PLAIN ? PLAIN : LOCKED);
}
