/* SPDX-License-Identifier: Apache-2.0 */
/* The control groups of processes in systemd's hierarchy, and the units that they belong to. */
#ifndef SECRETSSL_PROCESS_CONTROL_GROUP_H
#define SECRETSSL_PROCESS_CONTROL_GROUP_H

#include <stdbool.h>
#include <sys/types.h>

/* As systemd's UNIT_NAME_MAX */
enum { UNIT_NAME_ROOM = 256 };

/*
 * Returns the control group of a process, or NULL. Of a process whose first thread has ended,
 * another thread must be given: see process_thread(). The caller frees the string.
 */
char *control_group_of(pid_t thread);

/* Returns true if the path is the group, or below it. */
bool control_group_contains(const char *group, const char *path);

/*
 * Sets unit to the name of the service or scope of the machine's own systemd that the path
 * belongs to, "" if there is none: the outermost one, because the names of those below are
 * given by users and containers, whose own systemd can make any.
 */
void control_group_unit(const char *path, char unit[UNIT_NAME_ROOM]);

/* Returns true if the path belongs to this service or scope, or is below this slice. */
bool control_group_is_in_unit(const char *path, const char *unit);

/* The same for a service without ".service", and for all instances of a template of that name.
 */
bool control_group_is_in_service(const char *path, const char *name);

/* Returns true if this is the name of a unit with processes: of a service, a scope or a slice.
 */
bool is_unit_name(const char *name);

#endif
