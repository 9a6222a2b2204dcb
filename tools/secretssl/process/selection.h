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

/* A process, and an element of the selection that it was found by. It may have several. */
struct found {
    pid_t pid;
    const struct wanted *by;
};

struct found_list {
    struct found *list; /* those of one process stand together */
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
 * Finds the processes: those given by number, whether they exist or not, and then those in
 * order of their numbers that have one of the names. The name of a unit stands for the
 * processes in its control group. Another name is that of a program (its file's, or the one
 * that the process gave itself), and also that of a service without ".service" or of a
 * template. This process and ended ones are left out. The list is empty before. Returns false
 * after a message if memory runs out or /proc cannot be read. The caller calls
 * found_list_free() in every case.
 */
bool selection_find(const struct selection *selection, const char *command,
                    struct found_list *found);
void found_list_free(struct found_list *found);

/* Returns true for the first element of a process, so that each process is looked at once. */
bool found_is_first(const struct found_list *found, size_t number);

/* Returns true if the process of this element was found by names only. */
bool found_has_names_only(const struct found_list *found, size_t number);

/* Returns true if some process was found by this element of the selection. */
bool found_by(const struct found_list *found, const struct wanted *wanted);

/*
 * Returns a name all of whose processes lack something, or NULL. has: says whether a process
 * has it; argument: passed to it.
 */
const char *selection_name_without(const struct selection *selection,
                                   const struct found_list *found,
                                   bool (*has)(pid_t pid, const void *argument),
                                   const void *argument);

/* Returns the number of names that no process was found by. */
size_t selection_missing(const struct selection *selection, const struct found_list *found);

/*
 * Prints a message for each name that no process was found by, with the name that the user may
 * have meant. Returns their number.
 */
size_t selection_say_missing(const struct selection *selection, const char *command,
                             const struct found_list *found);

void selection_free(struct selection *selection);

#endif
