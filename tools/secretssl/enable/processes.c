/* SPDX-License-Identifier: Apache-2.0 */
#include "enable/processes.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena/size_class.h"
#include "process/control_group.h"
#include "process/judgement.h"
#include "process/list.h"
#include "process/start.h"

/* Comparing the lines of /proc needs no knowledge of where the hierarchy is mounted. */
static bool in_group(pid_t pid, const char *group)
{
    char *path = control_group_of(process_thread(pid));
    bool found = path != NULL && control_group_contains(group, path);

    free(path);
    return found;
}

/* A process with libsecretssl and without secrets, or without TLS, has nothing to protect. */
static bool nothing_to_protect(const struct process_state *process)
{
    return process->state == STATE_UNUSED || process->state == STATE_NO_TLS ||
           process->state == STATE_GONE;
}

static const char *start_reason(const struct process_state *process)
{
    if (process->state != STATE_UNPROTECTED || process->stats.count > 0)
        return "";
    if (process_runs_set_id(process->thread))
        return "; it runs set-id or with file capabilities, so that ld.so ignored LD_PRELOAD";
    if (process_asks_for_preload(process->thread) == 0)
        return "; its environment has no LD_PRELOAD: whatever started it cleared the "
               "environment, or it runs since before";
    return "";
}

/*
 * Other TLS speaks against a process only if it has no OpenSSL: PostgreSQL has GnuTLS, because
 * a library that it uses for something else is linked with it.
 */
static bool is_whole_but_for_others(const struct process_state *process, const char **missing)
{
    return judgement_is_whole(process, missing) ||
           (process->state == STATE_PROTECTED && process->tls.count > 0 &&
            *missing == process->tls.list[0].what);
}

static bool look_add(struct look *look, pid_t pid)
{
    pid_t *more = list_grown(look->pids, look->count, sizeof(*more));
    struct process_state process;
    const char *missing;

    if (more == NULL)
        return false;
    look->pids = more;
    process_state_read(pid, &process);
    look->states[process.state]++;
    look->secret += process.stats.sum.pages[SM_KIND_SECRET] * SM_PAGE;
    if (process.state != STATE_GONE)
        look->pids[look->count++] = pid;
    if (process.tls.count > 0 && process.tls.openssl != NULL)
        snprintf(look->other, sizeof(look->other), "%s", process.tls.list[0].what);
    if (look->bad == 0 && !nothing_to_protect(&process) &&
        !is_whole_but_for_others(&process, &missing)) {
        look->bad = pid;
        look->bad_state = process.state;
        snprintf(look->bad_name, sizeof(look->bad_name), "%s", process.name);
        snprintf(look->reason, sizeof(look->reason), "%s%s", missing, start_reason(&process));
    }
    process_state_free(&process);
    return true;
}

bool look_at(const char *control_group, struct look *look)
{
    DIR *directory = opendir("/proc");
    bool good = directory != NULL;
    const struct dirent *entry;

    *look = (struct look){.count = 0};
    while (good && control_group[0] != '\0' && (entry = readdir(directory)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (pid > 0 && in_group(pid, control_group))
            good = look_add(look, pid);
    }
    if (directory != NULL)
        closedir(directory);
    return good;
}

void look_free(struct look *look)
{
    free(look->pids);
    look->pids = NULL;
}

bool look_is_good(const struct look *look)
{
    return look->bad == 0 && look->states[STATE_PROTECTED] > 0;
}
