/* SPDX-License-Identifier: Apache-2.0 */
#include "process/selection.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/message.h"
#include "cli/options.h"
#include "cli/suggest.h"
#include "process/control_group.h"
#include "process/list.h"
#include "process/maps.h"
#include "process/start.h"

enum { COMM_LENGTH = 15 }; /* The kernel keeps so many letters of a process's name. */

/* The names of one process. */
struct names {
    char comm[64];           /* set by the process: any bytes */
    char file[NAME_MAX + 1]; /* the last component of its program's path; "" if not known */
    char *group;             /* its control group; NULL if not known */
};

static bool is_a_number(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

bool selection_add(struct selection *selection, const char *command, const char *text)
{
    struct wanted *more = list_grown(selection->list, selection->count, sizeof(*more));
    struct wanted wanted = {.text = text};

    if (more == NULL) {
        say("%s: out of memory", command);
        return false;
    }
    selection->list = more;
    if (is_a_number(text)) {
        if (!parse_pid(command, text, &wanted.pid))
            return false;
    } else if (text[0] == '\0' || strchr(text, '/') != NULL) {
        say("%s: '%s' names no processes; give a process number, the name of a program, or a "
            "unit as nginx.service",
            command, text);
        return false;
    }
    selection->list[selection->count++] = wanted;
    return true;
}

bool selection_has_names(const struct selection *selection)
{
    for (size_t i = 0; i < selection->count; i++) {
        if (selection->list[i].pid == 0)
            return true;
    }
    return false;
}

void selection_free(struct selection *selection)
{
    free(selection->list);
    *selection = (struct selection){NULL, 0};
}

/* Returns false if the thread has no program: it has ended, or is the kernel's own. */
static bool file_name_read(pid_t thread, char name[NAME_MAX + 1])
{
    char program[PATH_MAX];
    const char *slash;

    if (!process_program(thread, program))
        return errno != ENOENT;
    slash = strrchr(program, '/');
    snprintf(name, NAME_MAX + 1, "%.*s", NAME_MAX, slash != NULL ? slash + 1 : program);
    return true;
}

/*
 * Returns false for a process that has ended, or is the kernel's own. Where the first thread
 * has ended, /proc has the program and the control group of another one only.
 */
static bool names_read(pid_t pid, struct names *names)
{
    size_t size;
    char *comm = process_read_file(pid, "comm", &size);
    pid_t thread = process_thread(pid);

    *names = (struct names){.group = NULL};
    if (comm == NULL)
        return false;
    snprintf(names->comm, sizeof(names->comm), "%.*s", (int)strcspn(comm, "\n"), comm);
    free(comm);
    names->group = control_group_of(thread);
    return file_name_read(thread, names->file);
}

static bool has_program_name(const struct names *names, const char *text)
{
    return strcmp(names->file, text) == 0 || strcmp(names->comm, text) == 0 ||
           (strlen(text) > COMM_LENGTH && strlen(names->comm) == COMM_LENGTH &&
            strncmp(names->comm, text, COMM_LENGTH) == 0);
}

/*
 * Any process can take any name, so that a name that can be a unit's is a unit's only, and no
 * program can hide a service of its name.
 */
static bool is_meant(const struct names *names, const char *text)
{
    const char *group = names->group != NULL ? names->group : "";

    if (is_unit_name(text))
        return control_group_is_in_unit(group, text);
    return has_program_name(names, text) || control_group_is_in_service(group, text);
}

static int starts_with_digit(const struct dirent *entry)
{
    return isdigit((unsigned char)entry->d_name[0]);
}

/* Calls a function for each process but this one, in order, until it returns false. */
static bool for_each_process(const char *command,
                             bool (*function)(pid_t pid, const struct names *names, void *),
                             void *argument)
{
    struct dirent **entries;
    int count = scandir("/proc", &entries, starts_with_digit, versionsort);
    bool good = count > 0;

    if (!good)
        say("%s: no processes in /proc: %s; mount it", command,
            count < 0 ? strerror(errno) : "empty");
    for (int i = 0; i < count; i++) {
        pid_t pid = (pid_t)strtol(entries[i]->d_name, NULL, 10);
        struct names names = {.group = NULL};

        if (good && pid != getpid() && names_read(pid, &names))
            good = function(pid, &names, argument);
        free(names.group);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return good;
}

static bool found_add(struct found_list *found, const char *command, pid_t pid,
                      const struct wanted *by)
{
    struct found *more = list_grown(found->list, found->count, sizeof(*more));
    size_t at = found->count;

    if (more == NULL) {
        say("%s: out of memory", command);
        return false;
    }
    found->list = more;
    /* Behind what there is of the same process */
    for (size_t i = 0; i < found->count; i++) {
        if (found->list[i].pid == pid)
            at = i + 1;
    }
    memmove(&more[at + 1], &more[at], (found->count - at) * sizeof(*more));
    more[at] = (struct found){pid, by};
    found->count++;
    return true;
}

bool found_by(const struct found_list *found, const struct wanted *wanted)
{
    for (size_t i = 0; i < found->count; i++) {
        if (found->list[i].by == wanted)
            return true;
    }
    return false;
}

bool found_is_first(const struct found_list *found, size_t number)
{
    return number == 0 || found->list[number - 1].pid != found->list[number].pid;
}

bool found_has_names_only(const struct found_list *found, size_t number)
{
    pid_t pid = found->list[number].pid;

    for (size_t i = 0; i < found->count; i++) {
        if (found->list[i].pid == pid && found->list[i].by->pid != 0)
            return false;
    }
    return true;
}

const char *selection_name_without(const struct selection *selection,
                                   const struct found_list *found,
                                   bool (*has)(pid_t pid, const void *argument),
                                   const void *argument)
{
    for (size_t i = 0; i < selection->count; i++) {
        const struct wanted *wanted = &selection->list[i];
        bool any = false, good = false;

        for (size_t k = 0; wanted->pid == 0 && k < found->count; k++) {
            if (found->list[k].by == wanted) {
                any = true;
                good = good || has(found->list[k].pid, argument);
            }
        }
        if (any && !good)
            return wanted->text;
    }
    return NULL;
}

struct search {
    const struct selection *selection;
    const char *command;
    struct found_list *found;
};

static bool search_one(pid_t pid, const struct names *names, void *argument)
{
    const struct search *search = argument;

    for (size_t i = 0; i < search->selection->count; i++) {
        const struct wanted *wanted = &search->selection->list[i];

        if (wanted->pid == 0 && is_meant(names, wanted->text) &&
            !found_add(search->found, search->command, pid, wanted))
            return false;
    }
    return true;
}

bool selection_find(const struct selection *selection, const char *command,
                    struct found_list *found)
{
    struct search search = {selection, command, found};

    for (size_t i = 0; i < selection->count; i++) {
        if (selection->list[i].pid != 0 &&
            !found_add(found, command, selection->list[i].pid, &selection->list[i]))
            return false;
    }
    return !selection_has_names(selection) || for_each_process(command, search_one, &search);
}

void found_list_free(struct found_list *found)
{
    free(found->list);
    *found = (struct found_list){NULL, 0};
}

size_t selection_missing(const struct selection *selection, const struct found_list *found)
{
    size_t missing = 0;

    for (size_t i = 0; i < selection->count; i++)
        missing += !found_by(found, &selection->list[i]);
    return missing;
}

/* The name like a text that a process has. kept: the memory of suggestion.best */
struct near {
    struct suggestion suggestion;
    char kept[NAME_MAX + 1];
};

static void near_compare(struct near *near, const char *name)
{
    const char *before = near->suggestion.best;

    if (name[0] == '\0')
        return;
    suggestion_compare(&near->suggestion, name);
    if (near->suggestion.best != before) {
        snprintf(near->kept, sizeof(near->kept), "%s", name);
        near->suggestion.best = near->kept;
    }
}

static bool near_add(pid_t pid, const struct names *names, void *argument)
{
    struct near *near = argument;
    char unit[UNIT_NAME_ROOM] = "";
    size_t length;

    (void)pid;
    if (names->group != NULL)
        control_group_unit(names->group, unit);
    near_compare(near, names->comm);
    near_compare(near, names->file);
    near_compare(near, unit);
    /* A user may write a unit's name without its kind. */
    length = strcspn(unit, ".");
    if (strcmp(unit + length, ".service") == 0 && !is_unit_name(near->suggestion.text)) {
        unit[length] = '\0';
        near_compare(near, unit);
    }
    return true;
}

size_t selection_say_missing(const struct selection *selection, const char *command,
                             const struct found_list *found)
{
    for (size_t i = 0; i < selection->count; i++) {
        const struct wanted *wanted = &selection->list[i];
        struct near near = {.suggestion = suggestion_begin(wanted->text)};

        if (wanted->pid != 0 || found_by(found, wanted))
            continue;
        for_each_process(command, near_add, &near);
        if (near.suggestion.best != NULL)
            say("%s: no process has the program or unit '%s'; did you mean '%s'?", command,
                wanted->text, near.suggestion.best);
        else
            say("%s: no process has the program or unit '%s'; give a number, a program or a "
                "unit as 'systemctl status' shows it",
                command, wanted->text);
    }
    return selection_missing(selection, found);
}
