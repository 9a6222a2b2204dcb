/* SPDX-License-Identifier: Apache-2.0 */
/* The live view of `secretssl stat --watch`. */
#ifndef SECRETSSL_STAT_WATCH_H
#define SECRETSSL_STAT_WATCH_H

#include "process/selection.h"

/*
 * Shows the processes again and again, until SIGINT or SIGTERM, or until all processes that
 * were given by number have ended. On a terminal the view stays in its place, otherwise an
 * empty line follows each. Returns the exit status, which is that of the last look.
 */
int stat_watch(const struct selection *selection, unsigned seconds);

#endif
