/* SPDX-License-Identifier: Apache-2.0 */
/* Finds from /proc why a process is not protected. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/preload_path.h"
#include "doctor/report.h"
#include "process/start.h"

enum {
    /* Sizes in bytes of the allocator's pieces of secret memory: at first, and later */
    PIECE_FIRST = 64 << 10,
    PIECE_MOST = 4 << 20,
};

/*
 * Returns true if the process has a seccomp filter, from systemd, a container runtime or the
 * program itself.
 */
static bool process_below_filter(pid_t pid)
{
    size_t size;
    char *text = process_read_file(pid, "status", &size);
    bool answer = text != NULL && strstr(text, "\nSeccomp:\t2\n") != NULL;

    free(text);
    return answer;
}

/*
 * Returns the hard limit in bytes, because the allocator raises the soft limit to the hard
 * limit.
 */
static uint64_t file_size_limit(pid_t pid)
{
    size_t size;
    uint64_t limit = UINT64_MAX;
    char *text = process_read_file(pid, "limits", &size);
    const char *line = text != NULL ? strstr(text, "\nMax file size") : NULL;

    if (line != NULL)
        (void)sscanf(line, " Max file size %*s %" SCNu64, &limit);
    free(text);
    return limit;
}

/*
 * Returns true if neither a dynamic linker nor a libc.so is mapped. Nothing is preloaded into
 * such a program.
 */
static bool is_static(const struct process_map *map)
{
    for (size_t i = 0; i < map->count; i++) {
        const char *name = mapping_file_name(&map->list[i]);

        if (strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "ld-", 3) == 0 ||
            strncmp(name, "libc.so", 7) == 0)
            return false;
    }
    return true;
}

static void preload_remedy(struct check *check)
{
    char path[PRELOAD_PATH_ROOM];

    if (preload_find(path))
        check_remedy(check, UNIT_FILE, "Environment=LD_PRELOAD=%.190s", path);
    check_remedy(check, "a command line", "secretssl run -- COMMAND");
}

static void remedy_log(struct check *check, pid_t pid)
{
    check_remedy(check, "a shell, to see the message with the reason",
                 "journalctl _PID=%d --grep=libsecretssl", (int)pid);
}

static void examine_unprotected(struct patient *patient)
{
    const struct process_state *process = &patient->process;
    struct check *check = &patient->check;
    const char *name = process->name;
    int asks = process_asks_for_preload(process->thread);

    if (process->stats.count > 0) {
        check_say(check, VERDICT_FAILED,
                  "%s has libsecretssl, but OpenSSL is not hooked: see the messages that the "
                  "process logged at its start",
                  name);
        remedy_log(check, process->pid);
    } else if (process_runs_set_id(process->thread)) {
        check_say(check, VERDICT_FAILED,
                  "%s runs set-id or with file capabilities: ld.so ignores LD_PRELOAD. Remove "
                  "these, and let systemd give the capability",
                  name);
        check_remedy(check, UNIT_FILE, "AmbientCapabilities=CAP_NET_BIND_SERVICE");
    } else if (is_static(&process->map)) {
        check_say(check, VERDICT_FAILED,
                  "%s is linked statically, so nothing can be preloaded into it: use a "
                  "dynamically linked build",
                  name);
        check_remedy(check, "the build of the program, without -static", "-lssl -lcrypto");
    } else if (asks == 1) {
        check_say(check, VERDICT_FAILED,
                  "%s was started with LD_PRELOAD, but ld.so did not load libsecretssl: check "
                  "that the process's user can read the file at that path (ld.so printed the "
                  "reason on stderr)",
                  name);
        preload_remedy(check);
    } else {
        check_say(check, VERDICT_FAILED, "%s was started without libsecretssl%s", name,
                  asks < 0 ? " (its environment may not be read)" : "");
        preload_remedy(check);
    }
}

/* In MiB: the most that SECRETSSL_ARENA_SIZE accepts, and its default. */
enum { ARENA_MOST = 1 << 20, ARENA_DEFAULT = 256 };

/* Recommends a limit of twice the arena, because a forked child's copy counts too. */
static void process_remedy_limit(struct check *check, uint64_t arena)
{
    if (arena < ARENA_DEFAULT)
        arena = ARENA_DEFAULT;
    check_remedy(check, UNIT_FILE, "LimitMEMLOCK=%" PRIu64 "M",
                 2 * (arena < ARENA_MOST ? arena : ARENA_MOST));
}

static void spilled_remedies(struct check *check, uint64_t cap)
{
    uint64_t arena = (cap >> 19) + (cap >> 19 == 0);

    check_remedy(check, UNIT_FILE, "Environment=SECRETSSL_ARENA_SIZE=%" PRIu64 "M",
                 arena < ARENA_MOST ? arena : ARENA_MOST);
    process_remedy_limit(check, arena);
}

/*
 * Returns true if RLIMIT_FSIZE is the cause. If the process has secret pages and then pages
 * that could be locked, no other limit was the cause.
 */
static bool files_limited(const struct process_state *process, uint64_t most)
{
    const uint64_t *pages = process->stats.sum.pages;

    return most < PIECE_FIRST ||
           (most < PIECE_MOST && pages[SM_KIND_SECRET] > 0 && pages[SM_KIND_LOCKED] > 0);
}

/*
 * Pages that could be locked were within RLIMIT_MEMLOCK, so only the call for secret memory
 * failed.
 */
static void weak_remedies(struct check *check, const struct process_state *process,
                          const struct facts *facts)
{
    const uint64_t *pages = process->stats.sum.pages;
    bool refused = facts->secret_works && pages[SM_KIND_SECRET] == 0 &&
                   process_below_filter(process->thread);

    if (refused && pages[SM_KIND_LOCKED] > 0)
        check_remedy_filter(check);
    process_remedy_limit(check, process->stats.sum.cap >> 20);
    if (refused && pages[SM_KIND_LOCKED] == 0)
        check_remedy_filter(check);
}

static void examine_degraded(struct patient *patient, const struct facts *facts)
{
    const struct sm_stats *sum = &patient->process.stats.sum;
    struct check *check = &patient->check;

    bool weak = sum->pages[SM_KIND_LOCKED] + sum->pages[SM_KIND_PLAIN] > 0;
    uint64_t most = weak ? file_size_limit(patient->process.thread) : UINT64_MAX;

    if (files_limited(&patient->process, most)) {
        check_say(check, VERDICT_FAILED,
                  "%s: degraded: %s: its limit on the size of files (RLIMIT_FSIZE), %" PRIu64
                  " bytes, prevents secret memory",
                  patient->process.name, patient->process.reason, most);
        check_remedy_file_size(check);
        return;
    }
    check_say(check, VERDICT_FAILED, "%s: degraded: %s", patient->process.name,
              patient->process.reason);
    if (weak)
        weak_remedies(check, &patient->process, facts);
    else if (sum->spilled > 0 && sum->cap > 0)
        spilled_remedies(check, sum->cap);
    else
        remedy_log(check, patient->process.pid);
}

/* The process has only secret memory. It needs more, or a limit that allows more. */
static void examine_refusing(struct patient *patient)
{
    const struct process_state *process = &patient->process;
    struct check *check = &patient->check;

    check_say(check, VERDICT_FAILED, "%s: refusing: %s", process->name, process->reason);
    if (process->stats.sum.failed > 0)
        spilled_remedies(check, process->stats.sum.cap);
    else
        process_remedy_limit(check, process->stats.sum.cap >> 20);
    remedy_log(check, process->pid);
}

void patient_examine(struct patient *patient, const struct facts *facts)
{
    const struct process_state *process = &patient->process;
    struct check *check = &patient->check;

    check->name = "process";
    switch (process->state) {
    case STATE_PROTECTED:
        check_say(check, process->tls.count == 0 ? VERDICT_OK : VERDICT_WARNING,
                  process->tls.count == 0
                      ? "%s: protected"
                      : "%s: protected, except for TLS that cannot be reached",
                  process->name);
        break;
    case STATE_DEGRADED:
        examine_degraded(patient, facts);
        break;
    case STATE_REFUSING:
        examine_refusing(patient);
        break;
    case STATE_UNPROTECTED:
        examine_unprotected(patient);
        break;
    case STATE_UNREACHED:
        check_say(check, VERDICT_FAILED, "%s: %s", process->name, process->reason);
        check_remedy(check,
                     "the build of the program, for 64 bits and with the shared libraries "
                     "of OpenSSL",
                     "-lssl -lcrypto");
        break;
    case STATE_UNUSED:
    case STATE_NO_TLS:
        check_say(check, VERDICT_NOTE, "%s: %s", process->name, process->reason);
        break;
    default:
        check_say(check, VERDICT_UNKNOWN, "%s", process->reason);
        break;
    }
}
