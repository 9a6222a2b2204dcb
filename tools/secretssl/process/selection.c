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

/* Returns false if the process has ended, or waits for its parent to look at its end. */
static bool names_read(pid_t pid, struct names *names)
{
    static const char deleted[] = " (deleted)";
    char path[32], program[PATH_MAX];
    const char *slash;
    size_t size;
    char *comm = process_read_file(pid, "comm", &size);

    *names = (struct names){.group = NULL};
    if (comm == NULL)
        return false;
    snprintf(names->comm, sizeof(names->comm), "%.*s", (int)strcspn(comm, "\n"), comm);
    free(comm);
    names->group = control_group_of(pid);

    snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    ssize_t length = readlink(path, program, sizeof(program) - 1);

    if (length < 0)
        return errno != ENOENT;
    program[length] = '\0';
    slash = strrchr(program, '/');
    snprintf(names->file, sizeof(names->file), "%.*s", NAME_MAX,
             slash != NULL ? slash + 1 : program);

    size_t end = strlen(names->file), shorter = sizeof(deleted) - 1;

    if (end > shorter && strcmp(names->file + end - shorter, deleted) == 0)
        names->file[end - shorter] = '\0';
    return true;
}

static bool has_program_name(const struct names *names, const char *text)
{
    return strcmp(names->file, text) == 0 || strcmp(names->comm, text) == 0 ||
           (strlen(text) > COMM_LENGTH && strlen(names->comm) == COMM_LENGTH &&
            strncmp(names->comm, text, COMM_LENGTH) == 0);
}

/* Whether a text is taken for the name of a program or unit, or for a service's short name. */
enum reading { AS_NAME, AS_SERVICE };

static bool is_meant(const struct names *names, const char *text, enum reading reading)
{
    const char *group = names->group != NULL ? names->group : "";

    if (reading == AS_SERVICE)
        return control_group_is_in_service(group, text);
    return has_program_name(names, text) ||
           (is_unit_name(text) && control_group_is_in_unit(group, text));
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

static bool found_add(struct found_list *found, pid_t pid, const struct wanted *by)
{
    struct found *more;

    for (size_t i = 0; i < found->count; i++) {
        if (found->list[i].pid == pid)
            return true;
    }
    more = list_grown(found->list, found->count, sizeof(*more));
    if (more == NULL)
        return false;
    found->list = more;
    found->list[found->count++] = (struct found){pid, by};
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

struct search {
    const struct selection *selection;
    const bool *given_up; /* for each name: it is not looked for in this pass */
    struct found_list *found;
    enum reading reading;
};

static bool search_one(pid_t pid, const struct names *names, void *argument)
{
    const struct search *search = argument;

    for (size_t i = 0; i < search->selection->count; i++) {
        const struct wanted *wanted = &search->selection->list[i];

        if (wanted->pid == 0 && !search->given_up[i] &&
            is_meant(names, wanted->text, search->reading) &&
            !found_add(search->found, pid, wanted)) {
            say("out of memory");
            return false;
        }
    }
    return true;
}

/* Looks for the names that no process has been found by. */
static bool search_names(const struct selection *selection, const char *command,
                         enum reading reading, struct found_list *found)
{
    bool *given_up = calloc(selection->count, sizeof(*given_up));
    struct search search = {selection, given_up, found, reading};
    bool any = false, good = given_up != NULL;

    if (!good)
        say("%s: out of memory", command);
    for (size_t i = 0; good && i < selection->count; i++) {
        given_up[i] = selection->list[i].pid != 0 || found_by(found, &selection->list[i]);
        any |= !given_up[i];
    }
    good = good && (!any || for_each_process(command, search_one, &search));
    free(given_up);
    return good;
}

bool selection_find(const struct selection *selection, const char *command,
                    struct found_list *found)
{
    *found = (struct found_list){NULL, 0};
    for (size_t i = 0; i < selection->count; i++) {
        if (selection->list[i].pid != 0 &&
            !found_add(found, selection->list[i].pid, &selection->list[i])) {
            say("%s: out of memory", command);
            return false;
        }
    }
    return !selection_has_names(selection) ||
           (search_names(selection, command, AS_NAME, found) &&
            search_names(selection, command, AS_SERVICE, found));
}

void found_list_free(struct found_list *found)
{
    free(found->list);
    *found = (struct found_list){NULL, 0};
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
    size_t missing = 0;

    for (size_t i = 0; i < selection->count; i++) {
        const struct wanted *wanted = &selection->list[i];
        struct near near = {.suggestion = suggestion_begin(wanted->text)};

        if (wanted->pid != 0 || found_by(found, wanted))
            continue;
        missing++;
        for_each_process(command, near_add, &near);
        if (near.suggestion.best != NULL)
            say("%s: no process has the program or unit '%s'; did you mean '%s'?", command,
                wanted->text, near.suggestion.best);
        else
            say("%s: no process has the program or unit '%s'; give a number, a program or a "
                "unit as 'systemctl status' shows it",
                command, wanted->text);
    }
    return missing;
}
