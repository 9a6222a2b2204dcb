/* SPDX-License-Identifier: Apache-2.0 */
/* The processes that a user names: by number, by program, or by unit. */
#ifndef SECRETSSL_PROCESS_SELECTION_H
#define SECRETSSL_PROCESS_SELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct wanted {
    const char *text;
    pid_t pid; /* 0: text is the name of a program or a unit */
};

struct selection {
    struct wanted *list;
    size_t count;
};

/* A process, and the element of the selection that it was found by. */
struct found {
    pid_t pid;
    const struct wanted *by;
};

struct found_list {
    struct found *list;
    size_t count;
};

/*
 * Adds an argument of a command, whose text is kept. Returns false after a message if the
 * argument is no process number and cannot be a name.
 */
bool selection_add(struct selection *selection, const char *command, const char *text);

/* Returns true if some processes are named by program or unit. */
bool selection_has_names(const struct selection *selection);

/*
 * Finds the processes, each once: those given by number, whether they exist or not, and then
 * those in order of their numbers whose program or unit has one of the names. The name of a
 * program is that of its file or the one that the process gave itself. This process and ended
 * ones are left out. A name that no program has is that of a service without ".service", or of
 * a template, whose instances are meant.
 * Returns false after a message if memory runs out or /proc cannot be read. The caller calls
 * found_list_free() in every case.
 */
bool selection_find(const struct selection *selection, const char *command,
                    struct found_list *found);
void found_list_free(struct found_list *found);

/* Returns true if one of the processes was found by this element. */
bool found_by(const struct found_list *found, const struct wanted *wanted);

/*
 * Prints a message for each name that no process was found by, with the name that the user may
 * have meant. Returns the number of such names.
 */
size_t selection_say_missing(const struct selection *selection, const char *command,
                             const struct found_list *found);

void selection_free(struct selection *selection);

#endif
