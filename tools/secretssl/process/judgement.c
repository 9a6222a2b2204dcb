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

static bool has_no_secret_memory(const struct process_state *process)
{
    return process->stats.sum.pages[SM_KIND_SECRET] != 0 && process->kernel_secret == 0;
}

static void say_no_secret_memory(struct process_state *process, enum protection_state state)
{
    judgement_set(process, state,
                  "the kernel knows of no secret memory here: a child of a raw fork, which has "
                  "none, or false figures");
}

static bool is_not_hooked(const struct process_state *process)
{
    return process->tls.openssl != NULL && process->stats.sum.hooks == 0 &&
           process->stats.sum.hooks_late == 0;
}

static void say_not_hooked(struct process_state *process, enum protection_state state)
{
    judgement_set(process, state, "the OpenSSL in %s is not hooked",
                  process->tls.openssl->name);
}

static bool hooked_none(const struct process_state *process)
{
    return process->stats.sum.hooks == 0 && process->stats.sum.hooks_late != 0;
}

static void say_hooked_none(struct process_state *process, enum protection_state state)
{
    judgement_set(process, state,
                  "of %" PRIu64
                  " libcrypto none could be hooked; the process logged the reason",
                  process->stats.sum.hooks_late);
}

static bool hooked_late(const struct process_state *process)
{
    return process->stats.sum.hooks_late != 0;
}

static void say_hooked_late(struct process_state *process, enum protection_state state)
{
    judgement_set(process, state, "%" PRIu64 " libcrypto could not be hooked",
                  process->stats.sum.hooks_late);
}

static bool has_unhooked(const struct process_state *process)
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

static uint64_t weak_pages(const struct process_state *process)
{
    return process->stats.sum.pages[SM_KIND_LOCKED] + process->stats.sum.pages[SM_KIND_PLAIN];
}

static bool is_weak(const struct process_state *process)
{
    return weak_pages(process) != 0;
}

static void say_weak(struct process_state *process, enum protection_state state)
{
    judgement_set(process, state, "%" PRIu64 " KiB are in memory that is not secret",
                  weak_pages(process) * (SM_PAGE / 1024));
}

static bool has_spilled(const struct process_state *process)
{
    return process->stats.sum.spilled != 0;
}

static void say_spilled(struct process_state *process, enum protection_state state)
{
    judgement_set(process, state, "%" PRIu64 " allocations went to the C library",
                  process->stats.sum.spilled);
}

/* The counted pages are freed by now, and were not secret while they held secrets. */
static bool was_weak(const struct process_state *process)
{
    return process->stats.sum.degraded != 0;
}

static void say_was_weak(struct process_state *process, enum protection_state state)
{
    judgement_set(process, state, "%" PRIu64 " KiB were in memory that is not secret",
                  process->stats.sum.degraded * (SM_PAGE / 1024));
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

static bool has_refused(const struct process_state *process)
{
    return refused(process) != 0;
}

static void say_refused(struct process_state *process, enum protection_state state)
{
    judgement_set(process, state,
                  "%" PRIu64 " allocations were refused, for lack of secret memory",
                  refused(process));
}

static bool has_given_up(const struct process_state *process)
{
    return process->stats.sum.fork_failed != 0;
}

static void say_given_up(struct process_state *process, enum protection_state state)
{
    judgement_set(process, state, "%" PRIu64 " forked children were abandoned",
                  process->stats.sum.fork_failed);
}

static const struct {
    enum sm_harm harm;
    const char *what;
} lapses[SM_LAPSES] = {
#define LAPSE(name, harm, what) [SM_LAPSE_##name] = {SM_HARM_##harm, what},
    SM_LAPSE_LIST(LAPSE)
#undef LAPSE
};

/* Returns the first lapse with this harm, or SM_LAPSES. */
static int lapse_of(const struct process_state *process, enum sm_harm harm)
{
    int i = 0;

    while (i < SM_LAPSES && (process->stats.sum.lapses[i] == 0 || lapses[i].harm != harm))
        i++;
    return i;
}

static bool has_exposed(const struct process_state *process)
{
    return lapse_of(process, SM_HARM_EXPOSED) < SM_LAPSES;
}

static void say_exposed(struct process_state *process, enum protection_state state)
{
    judgement_set(process, state, "%s", lapses[lapse_of(process, SM_HARM_EXPOSED)].what);
}

static bool has_lapsed(const struct process_state *process)
{
    return lapse_of(process, SM_HARM_REFUSED) < SM_LAPSES;
}

static void say_lapsed(struct process_state *process, enum protection_state state)
{
    judgement_set(process, state, "%s", lapses[lapse_of(process, SM_HARM_REFUSED)].what);
}

static bool has_nothing(const struct process_state *process)
{
    uint64_t any = process->stats.sum.hooks;

    for (int kind = 0; kind < KINDS; kind++)
        any |= process->stats.sum.pages[kind];
    return any == 0;
}

static bool has_only_others(const struct process_state *process)
{
    return has_nothing(process) && process->tls.count > 0;
}

static void say_only_others(struct process_state *process, enum protection_state state)
{
    judgement_set(process, state,
                  "libsecretssl is loaded, but cannot reach the TLS in this process");
}

static void say_nothing(struct process_state *process, enum protection_state state)
{
    judgement_set(process, state, "libsecretssl is loaded, but has not been used so far");
}

/*
 * The states of a process with libsecretssl. The first line that holds gives the state: lines
 * about false figures come first, then from bad to better. src/log/lapse.h says which lapses do
 * not speak against protection.
 */
static const struct {
    bool (*holds)(const struct process_state *process);
    enum protection_state state;
    void (*say)(struct process_state *process, enum protection_state state);
} lines[] = {
    {has_no_secret_memory, STATE_UNKNOWN, say_no_secret_memory},
    {judgement_false, STATE_UNKNOWN, say_false},
    {is_not_hooked, STATE_UNPROTECTED, say_not_hooked},
    {hooked_none, STATE_UNPROTECTED, say_hooked_none},
    {hooked_late, STATE_DEGRADED, say_hooked_late},
    {has_unhooked, STATE_DEGRADED, say_copies},
    {is_weak, STATE_DEGRADED, say_weak},
    {has_spilled, STATE_DEGRADED, say_spilled},
    {was_weak, STATE_DEGRADED, say_was_weak},
    {has_exposed, STATE_DEGRADED, say_exposed},
    {has_refused, STATE_REFUSING, say_refused},
    {has_given_up, STATE_REFUSING, say_given_up},
    {has_lapsed, STATE_REFUSING, say_lapsed},
    {has_only_others, STATE_UNREACHED, say_only_others},
    {has_nothing, STATE_UNUSED, say_nothing},
};

void judgement_make(struct process_state *process)
{
    if (process->stats.count == 0) {
        judge_without_library(process);
        return;
    }
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (lines[i].holds(process)) {
            lines[i].say(process, lines[i].state);
            return;
        }
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
