/* SPDX-License-Identifier: Apache-2.0 */
/* Restarts services, and waits until their processes are protected. */
#ifndef SECRETSSL_ENABLE_SERVICE_H
#define SECRETSSL_ENABLE_SERVICE_H

#include <stdbool.h>

#include "enable/open.h"
#include "enable/processes.h"

/* Makes systemd read its files again. Returns false after a message. */
bool manager_reload(const char *command);

/* Runs `systemctl VERB NAME`, which prints its own messages. */
bool service_do(const char *verb, const char *name);

/*
 * Prints that the service does not start, with what libsecretssl wrote to the journal about the
 * start, if it wrote anything.
 */
void service_say_failed(struct opened *opened);

/*
 * Restarts the service. Returns true if it is still active after a second: a service of
 * Type=simple counts as started before its program runs.
 */
bool service_restarts(const char *command, struct opened *opened);

/* The state of the service before a change */
struct service_state {
    bool active, failed;
};

struct service_state service_state_of(const struct unit *unit);

/*
 * Brings the service into the state from before, with the files as they are now. Returns false
 * if it does not get there.
 */
bool service_restore(const char *command, struct opened *opened,
                     const struct service_state *state);

/*
 * Waits until the service is protected and stays so for a second. look: what was seen last; the
 * caller calls look_free() in every case. Returns false after a message.
 */
bool service_wait_protected(struct opened *opened, struct look *look);

/* From now on an interrupt (SIGINT, SIGTERM, SIGHUP) ends no waiting but is remembered. */
void interrupts_catch(void);
bool interrupted(void);

#endif
