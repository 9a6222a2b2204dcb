/* SPDX-License-Identifier: Apache-2.0 */
#include "stat/look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/message.h"
#include "process/judgement.h"
#include "process/list.h"

/* Makes room for one process more. Returns it, or NULL after a message. */
static struct process_state *stat_room(struct stat_result *result)
{
    struct process_state *list = list_grown(result->list, result->count, sizeof(*list));
    const struct wanted **by = NULL;

    if (list != NULL) {
        result->list = list;
        by = list_grown(result->by, result->count, sizeof(*by));
    }
    if (by == NULL) {
        say("stat: out of memory");
        return NULL;
    }
    result->by = by;
    return &list[result->count];
}

/* by: what the process was found by; NULL: it is one of all */
static bool stat_add(struct stat_result *result, pid_t pid, const struct wanted *by)
{
    struct process_state *process = stat_room(result);

    if (process == NULL)
        return false;
    process_state_read(pid, process);
    /* What has ended meanwhile does not have the name any more. */
    if (by != NULL && by->pid == 0 && process->state == STATE_GONE) {
        process_state_free(process);
        return true;
    }
    result->states[process->state]++;
    /* Of all processes, lists only those that have to do with TLS, and no ended ones. */
    if (by != NULL || process->state < STATE_NO_TLS || process->stats.count > 0 ||
        process->stats.other_version != 0)
        result->by[result->count++] = by;
    else
        process_state_free(process);
    return true;
}

static int is_number(const struct dirent *entry)
{
    return entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
}

struct file {
    uint64_t inode;
    unsigned major, minor;
};

/* Identifies the file without a request to its file system, which may never answer (FUSE). */
static bool program_of(const char *process, struct file *file)
{
    char path[32];
    struct statx status;

    snprintf(path, sizeof(path), "/proc/%.16s/exe", process);
    if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO, &status) != 0)
        return false;
    *file = (struct file){status.stx_ino, status.stx_dev_major, status.stx_dev_minor};
    return true;
}

/* Compares the files, because any process can have any name. */
static bool runs_this_tool(const char *process)
{
    struct file own, its;

    return program_of("self", &own) && program_of(process, &its) && own.inode == its.inode &&
           own.major == its.major && own.minor == its.minor;
}

static bool add_all(struct stat_result *result)
{
    struct dirent **entries;
    int count = scandir("/proc", &entries, is_number, versionsort);
    bool good = count > 0;

    if (count <= 0)
        say("stat: no processes in /proc: %s; mount it", count < 0 ? strerror(errno) : "empty");
    for (int i = 0; i < count; i++) {
        pid_t pid = (pid_t)strtol(entries[i]->d_name, NULL, 10);

        /*
         * Skips this process and other runs of this tool, because their libcrypto holds no
         * application's keys.
         */
        if (good && pid != getpid() && !runs_this_tool(entries[i]->d_name))
            good = stat_add(result, pid, NULL);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return good;
}

bool stat_look(const struct selection *selection, struct stat_result *result)
{
    *result = (struct stat_result){.all = selection->count == 0};
    if (result->all)
        return add_all(result);

    bool good = selection_find(selection, "stat", &result->found);

    for (size_t i = 0; good && i < result->found.count; i++)
        good = stat_add(result, result->found.list[i].pid, result->found.list[i].by);
    return good;
}

void stat_free(struct stat_result *result)
{
    for (size_t i = 0; i < result->count; i++)
        process_state_free(&result->list[i]);
    free(result->list);
    free(result->by);
    found_list_free(&result->found);
    *result = (struct stat_result){.list = NULL};
}

void stat_say_unknown(const struct stat_result *result)
{
    if (result->all && result->states[STATE_UNKNOWN] > 0)
        say("stat: %zu processes could not be looked at; %s", result->states[STATE_UNKNOWN],
            privilege_hint());
    for (size_t i = 0; !result->all && i < result->count; i++) {
        if (result->list[i].state >= STATE_UNKNOWN)
            say("stat: process %d: %s", (int)result->list[i].pid, result->list[i].reason);
    }
}

static bool is_one_of_several(const struct stat_result *result, size_t number)
{
    return result->by[number] == NULL || result->by[number]->pid == 0;
}

/*
 * Returns false for a process that has nothing to protect, and is one of all, or of several
 * that a name stands for. A service may have a shell that waits.
 */
static bool counts(const struct stat_result *result, size_t number)
{
    enum protection_state state = result->list[number].state;

    return !is_one_of_several(result, number) ||
           (state != STATE_UNUSED && state != STATE_NO_TLS);
}

/* Returns true if a process that was found by this name is protected. */
static bool has_protected(const struct stat_result *result, const struct wanted *wanted)
{
    for (size_t i = 0; i < result->count; i++) {
        if (result->by[i] == wanted && result->list[i].state <= STATE_REFUSING)
            return true;
    }
    return false;
}

/* Returns a name whose processes all have nothing to protect, or NULL. */
static const char *name_without_protected(const struct stat_result *result,
                                          const struct selection *selection)
{
    for (size_t i = 0; i < selection->count; i++) {
        const struct wanted *wanted = &selection->list[i];

        if (wanted->pid == 0 && found_by(&result->found, wanted) &&
            !has_protected(result, wanted))
            return wanted->text;
    }
    return NULL;
}

static int strict_status(const struct stat_result *result, const struct selection *selection,
                         size_t missing)
{
    bool unseen = result->all && result->states[STATE_UNKNOWN] > 0;
    int status = missing > 0 || unseen ? SOME_NOT : ALL_PROTECTED;
    const char *lack, *name = name_without_protected(result, selection);

    for (size_t i = 0; i < result->count; i++) {
        const struct process_state *process = &result->list[i];

        if (!counts(result, i) || judgement_is_whole(process, &lack))
            continue;
        status = SOME_NOT;
        say("stat: process %d is not fully protected (%s): %s", (int)process->pid,
            state_names[process->state], lack);
    }
    if (status == ALL_PROTECTED && name != NULL) {
        status = SOME_NOT;
        say("stat: no process of '%s' is protected", name);
    }
    return status;
}

int stat_status(const struct stat_result *result, const struct selection *selection,
                size_t missing, bool strict)
{
    const size_t *states = result->states;
    bool some_not = name_without_protected(result, selection) != NULL;

    if (strict)
        return strict_status(result, selection, missing);
    for (size_t i = 0; i < result->count; i++) {
        enum protection_state state = result->list[i].state;

        some_not |= state > STATE_REFUSING && state < STATE_UNKNOWN && counts(result, i);
    }
    if (some_not)
        return SOME_NOT;
    if (missing > 0 || states[STATE_UNKNOWN] > 0 || (!result->all && states[STATE_GONE] > 0))
        return COULD_NOT_LOOK;
    return ALL_PROTECTED;
}

bool stat_is_worth_waiting(const struct stat_result *result, const struct selection *selection,
                           bool strict)
{
    bool lacks_some = name_without_protected(result, selection) != NULL;
    const char *lack;

    for (size_t i = 0; i < selection->count; i++)
        lacks_some |= !found_by(&result->found, &selection->list[i]);
    for (size_t i = 0; i < result->count; i++) {
        const struct process_state *process = &result->list[i];

        if (process->state == STATE_GONE)
            return false;
        if (counts(result, i))
            lacks_some |=
                strict ? !judgement_is_whole(process, &lack) : process->state > STATE_REFUSING;
    }
    return lacks_some;
}
