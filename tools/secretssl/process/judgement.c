/* SPDX-License-Identifier: Apache-2.0 */
#include "process/judgement.h"
#include "arena/shortage.h"
#include "log/lapse.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { KINDS = sizeof(((struct sm_stats *)0)->pages) / sizeof(uint64_t) };

static const char *const kind_names[KINDS] = {
    [SM_KIND_SECRET] = "secret",
    [SM_KIND_LOCKED] = "locked",
    [SM_KIND_PLAIN] = "plain",
    [SM_KIND_ORDINARY] = "ordinary",
};

void judgement_set(struct process_state *process, enum protection_state state,
                   const char *format, ...)
{
    va_list args;

    process->state = state;
    va_start(args, format);
    vsnprintf(process->reason, sizeof(process->reason), format, args);
    va_end(args);
}

static void judge_without_library(struct process_state *process)
{
    if (process->stats.other_version != 0)
        judgement_set(process, STATE_UNKNOWN,
                      "its libsecretssl keeps figures of version %" PRIu32
                      ", this tool reads version %d; use the tool of its release",
                      process->stats.other_version, SM_STATS_VERSION);
    else if (process->tls.openssl != NULL)
        judgement_set(process, STATE_UNPROTECTED, "OpenSSL without libsecretssl, in %s",
                      process->tls.openssl->name);
    else if (process->tls.hooked != NULL)
        judgement_set(process, STATE_UNPROTECTED, "TLS without libsecretssl, in %s",
                      process->tls.hooked->name);
    else if (process->tls.count > 0)
        judgement_set(process, STATE_UNREACHED, "TLS that libsecretssl cannot reach: %s",
                      process->tls.list[0].what);
    else if (process->tls.stuck > 0)
        judgement_set(process, STATE_UNKNOWN, "%u of its files gave no answer in %d seconds",
                      process->tls.stuck, UNREACHED_PATIENCE);
    else if (process->tls.closed > 0)
        judgement_set(process, STATE_UNKNOWN,
                      "%u of its files could not be read, the first is %s", process->tls.closed,
                      process->tls.closed_first->name);
    else if (process->tls.locking != NULL)
        judgement_set(process, STATE_NO_TLS,
                      "no TLS library was found in it; if it has keys in %s, libsecretssl can "
                      "protect them",
                      process->tls.locking);
    else
        judgement_set(process, STATE_NO_TLS,
                      "no TLS library was found in it, so there is nothing to protect");
}

static uint64_t pages_most(const struct process_state *process, int kind)
{
    return (kind == SM_KIND_SECRET ? process->secret_most : process->mapped) / SM_PAGE;
}

/* Returns the first kind of memory with more pages claimed than mapped, or KINDS. */
static int false_kind(const struct process_state *process)
{
    int kind = SM_KIND_SECRET;

    while (kind < KINDS && process->stats.sum.pages[kind] <= pages_most(process, kind))
        kind++;
    return kind;
}

bool judgement_false(const struct process_state *process)
{
    return false_kind(process) < KINDS;
}

static void say_false(struct process_state *process, enum protection_state state)
{
    int kind = false_kind(process);

    judgement_set(process, state,
                  "false figures: %" PRIu64 " pages of %s memory, where the kernel has %" PRIu64
                  " mapped",
                  process->stats.sum.pages[kind], kind_names[kind], pages_most(process, kind));
}

static uint64_t false_figures(const struct process_state *process)
{
    return judgement_false(process);
}

static uint64_t no_secret_memory(const struct process_state *process)
{
    return process->stats.sum.pages[SM_KIND_SECRET] != 0 && process->kernel_secret == 0;
}

static uint64_t not_hooked(const struct process_state *process)
{
    return process->tls.openssl != NULL && process->stats.sum.hooks == 0 &&
           process->stats.sum.hooks_late == 0;
}

static void say_not_hooked(struct process_state *process, enum protection_state state)
{
    judgement_set(process, state, "the OpenSSL in %s is not hooked",
                  process->tls.openssl->name);
}

static uint64_t hooked_late(const struct process_state *process)
{
    return process->stats.sum.hooks_late;
}

static uint64_t hooked_none(const struct process_state *process)
{
    return process->stats.sum.hooks == 0 ? process->stats.sum.hooks_late : 0;
}

static void say_hooked_none(struct process_state *process, enum protection_state state)
{
    judgement_set(process, state,
                  "of %" PRIu64
                  " libcrypto none could be hooked; the process logged the reason",
                  process->stats.sum.hooks_late);
}

static uint64_t unhooked_copies(const struct process_state *process)
{
    const struct sm_stats *sum = &process->stats.sum;

    return process->tls.copy_count > sum->hooks &&
           process->tls.copy_count - sum->hooks > sum->hooks_late;
}

/* Lists all copies, because the figures do not show which copy is not hooked. */
static void say_copies(struct process_state *process, enum protection_state state)
{
    const struct unreached_list *tls = &process->tls;
    size_t length;

    judgement_set(process, state,
                  "%zu copies of OpenSSL, %" PRIu64 " hooked: ", tls->copy_count,
                  process->stats.sum.hooks);
    for (size_t i = 0; i < tls->copy_count; i++) {
        length = strlen(process->reason);
        snprintf(process->reason + length, sizeof(process->reason) - length, "%s%s",
                 i > 0 ? ", " : "", mapping_file_name(tls->copies[i]));
    }
}

static uint64_t weak_kibibytes(const struct process_state *process)
{
    const uint64_t *pages = process->stats.sum.pages;

    return (pages[SM_KIND_LOCKED] + pages[SM_KIND_PLAIN]) * (SM_PAGE / 1024);
}

static uint64_t spilled(const struct process_state *process)
{
    return process->stats.sum.spilled;
}

/* The counted pages are freed by now, and were not secret while they held secrets. */
static uint64_t once_weak_kibibytes(const struct process_state *process)
{
    return process->stats.sum.degraded * (SM_PAGE / 1024);
}

/*
 * Returns the number of refused allocations, without requests that no allocator could serve,
 * because such requests say nothing about this allocator.
 */
static uint64_t refused(const struct process_state *process)
{
    uint64_t failed = process->stats.sum.failed;
    uint64_t absurd = process->stats.sum.shortages[SM_SHORT_ABSURD];

    return failed > absurd ? failed - absurd : 0;
}

static uint64_t given_up(const struct process_state *process)
{
    return process->stats.sum.fork_failed;
}

static const struct {
    enum sm_harm harm;
    const char *what;
} lapses[SM_LAPSES] = {
#define LAPSE(name, harm, what) [SM_LAPSE_##name] = {SM_HARM_##harm, what},
    SM_LAPSE_LIST(LAPSE)
#undef LAPSE
};

/* Returns the text of the first lapse with this harm, or NULL. */
static const char *lapse_of(const struct process_state *process, enum sm_harm harm)
{
    for (int i = 0; i < SM_LAPSES; i++) {
        if (process->stats.sum.lapses[i] != 0 && lapses[i].harm == harm)
            return lapses[i].what;
    }
    return NULL;
}

static uint64_t exposed(const struct process_state *process)
{
    return lapse_of(process, SM_HARM_EXPOSED) != NULL;
}

static uint64_t lapsed(const struct process_state *process)
{
    return lapse_of(process, SM_HARM_REFUSED) != NULL;
}

static void say_lapse(struct process_state *process, enum protection_state state)
{
    enum sm_harm harm = state == STATE_DEGRADED ? SM_HARM_EXPOSED : SM_HARM_REFUSED;

    judgement_set(process, state, "%s", lapse_of(process, harm));
}

static uint64_t nothing_used(const struct process_state *process)
{
    uint64_t any = process->stats.sum.hooks;

    for (int kind = 0; kind < KINDS; kind++)
        any |= process->stats.sum.pages[kind];
    return any == 0;
}

static uint64_t only_others(const struct process_state *process)
{
    return nothing_used(process) && process->tls.count > 0;
}

/*
 * The states of a process with libsecretssl. The first line whose count is not 0 gives the
 * state and the reason: `say`, or the count and `counted`, or `text`. Lines about false figures
 * come first, then from bad to better. src/log/lapse.h says which lapses do not speak against
 * protection.
 */
static const struct {
    uint64_t (*count)(const struct process_state *process);
    enum protection_state state;
    void (*say)(struct process_state *process, enum protection_state state);
    const char *counted, *text;
} lines[] = {
    {.count = no_secret_memory,
     .state = STATE_UNKNOWN,
     .text = "the kernel knows of no secret memory here: a child of a raw fork, which has "
             "none, or false figures"},
    {.count = false_figures, .state = STATE_UNKNOWN, .say = say_false},
    {.count = not_hooked, .state = STATE_UNPROTECTED, .say = say_not_hooked},
    {.count = hooked_none, .state = STATE_UNPROTECTED, .say = say_hooked_none},
    {.count = hooked_late, .state = STATE_DEGRADED, .counted = "libcrypto could not be hooked"},
    {.count = unhooked_copies, .state = STATE_DEGRADED, .say = say_copies},
    {.count = weak_kibibytes,
     .state = STATE_DEGRADED,
     .counted = "KiB are in memory that is not secret"},
    {.count = spilled, .state = STATE_DEGRADED, .counted = "allocations went to the C library"},
    {.count = once_weak_kibibytes,
     .state = STATE_DEGRADED,
     .counted = "KiB were in memory that is not secret"},
    {.count = exposed, .state = STATE_DEGRADED, .say = say_lapse},
    {.count = refused,
     .state = STATE_REFUSING,
     .counted = "allocations were refused, for lack of secret memory"},
    {.count = given_up, .state = STATE_REFUSING, .counted = "forked children were abandoned"},
    {.count = lapsed, .state = STATE_REFUSING, .say = say_lapse},
    {.count = only_others,
     .state = STATE_UNREACHED,
     .text = "libsecretssl is loaded, but cannot reach the TLS in this process"},
    {.count = nothing_used,
     .state = STATE_UNUSED,
     .text = "libsecretssl is loaded, but has not been used so far"},
};

void judgement_make(struct process_state *process)
{
    if (process->stats.count == 0) {
        judge_without_library(process);
        return;
    }
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        uint64_t count = lines[i].count(process);

        if (count == 0)
            continue;
        if (lines[i].say != NULL)
            lines[i].say(process, lines[i].state);
        else if (lines[i].counted != NULL)
            judgement_set(process, lines[i].state, "%" PRIu64 " %s", count, lines[i].counted);
        else
            judgement_set(process, lines[i].state, "%s", lines[i].text);
        return;
    }
    judgement_set(process, STATE_PROTECTED, "%s", "");
}

bool judgement_is_whole(const struct process_state *process, const char **missing)
{
    if (process->state != STATE_PROTECTED)
        *missing = process->reason;
    else if (process->tls.count > 0)
        *missing = process->tls.list[0].what;
    else if (process->stats.cut_short)
        *missing = "some of its figures could not be read";
    else if (process->tls.closed + process->tls.stuck > 0)
        *missing = "some of its files could not be read";
    else
        *missing = NULL;
    return *missing == NULL;
}
