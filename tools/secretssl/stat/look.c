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
#include "process/known_files.h"
#include "process/list.h"

static bool say_no_memory(void)
{
    say("stat: out of memory");
    return false;
}

/* Moves a process to the end of a list. */
static bool list_append(struct process_state **list, size_t *count,
                        const struct process_state *process)
{
    struct process_state *more = list_grown(*list, *count, sizeof(*more));

    if (more == NULL)
        return say_no_memory();
    *list = more;
    more[(*count)++] = *process;
    return true;
}

/* One of all processes: lists those that have to do with TLS, and no ended ones. */
static bool stat_add_any(struct stat_result *result, pid_t pid)
{
    struct process_state process;

    process_state_read(pid, &process);
    result->states[process.state]++;
    if (process.state < STATE_NO_TLS || process.stats.count > 0 ||
        process.stats.other_version != 0)
        return list_append(&result->list, &result->count, &process);
    if (process.state == STATE_UNKNOWN)
        return list_append(&result->unseen, &result->unseen_count, &process);
    process_state_free(&process);
    return true;
}

static bool stat_add_found(struct stat_result *result, size_t number)
{
    bool *named = list_grown(result->named, result->count, sizeof(*named));
    struct process_state process;

    if (named == NULL)
        return say_no_memory();
    result->named = named;
    named[result->count] = found_has_names_only(&result->found, number);
    process_state_read(result->found.list[number].pid, &process);
    /* What has ended meanwhile does not have the name any more. */
    if (named[result->count] && process.state == STATE_GONE) {
        process_state_free(&process);
        return true;
    }
    result->states[process.state]++;
    return list_append(&result->list, &result->count, &process);
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
            good = stat_add_any(result, pid);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return good;
}

bool stat_look(const struct selection *selection, struct stat_result *result)
{
    *result = (struct stat_result){.all = selection->count == 0};
    known_files_forget(); /* Files may have changed since the last look. */
    if (result->all)
        return add_all(result);

    bool good = selection_find(selection, "stat", &result->found);

    for (size_t i = 0; good && i < result->found.count; i++) {
        if (found_is_first(&result->found, i))
            good = stat_add_found(result, i);
    }
    return good;
}

void stat_free(struct stat_result *result)
{
    for (size_t i = 0; i < result->count; i++)
        process_state_free(&result->list[i]);
    for (size_t i = 0; i < result->unseen_count; i++)
        process_state_free(&result->unseen[i]);
    free(result->list);
    free(result->unseen);
    free(result->named);
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

/*
 * Returns false for a process that has nothing to protect, and is one of all, or of several
 * that a name stands for. A service may have a shell that waits.
 */
static bool counts(const struct stat_result *result, size_t number)
{
    enum protection_state state = result->list[number].state;

    return (!result->all && !result->named[number]) ||
           (state != STATE_UNUSED && state != STATE_NO_TLS);
}

static bool is_protected(pid_t pid, const void *argument)
{
    const struct stat_result *result = argument;

    for (size_t i = 0; i < result->count; i++) {
        if (result->list[i].pid == pid)
            return result->list[i].state <= STATE_REFUSING;
    }
    return false;
}

/* Returns a name whose processes all have nothing to protect, or NULL. */
static const char *name_without_protected(const struct stat_result *result,
                                          const struct selection *selection)
{
    return selection_name_without(selection, &result->found, is_protected, result);
}

static int strict_status(const struct stat_result *result, const struct selection *selection)
{
    bool unseen = result->all && result->states[STATE_UNKNOWN] > 0;
    bool missing = selection_missing(selection, &result->found) > 0;
    int status = missing || unseen ? SOME_NOT : ALL_PROTECTED;
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
                bool strict)
{
    const size_t *states = result->states;
    bool some_not = name_without_protected(result, selection) != NULL;

    if (strict)
        return strict_status(result, selection);
    for (size_t i = 0; i < result->count; i++) {
        enum protection_state state = result->list[i].state;

        some_not |= state > STATE_REFUSING && state < STATE_UNKNOWN && counts(result, i);
    }
    if (some_not)
        return SOME_NOT;
    if (selection_missing(selection, &result->found) > 0 || states[STATE_UNKNOWN] > 0 ||
        (!result->all && states[STATE_GONE] > 0))
        return COULD_NOT_LOOK;
    return ALL_PROTECTED;
}

bool stat_is_worth_waiting(const struct stat_result *result, const struct selection *selection,
                           bool strict)
{
    bool lacks_some = name_without_protected(result, selection) != NULL ||
                      selection_missing(selection, &result->found) > 0;
    const char *lack;

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
