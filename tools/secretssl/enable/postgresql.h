/* SPDX-License-Identifier: Apache-2.0 */
/* Debian's clusters of PostgreSQL, whose servers do not get the unit's environment. */
#ifndef SECRETSSL_ENABLE_POSTGRESQL_H
#define SECRETSSL_ENABLE_POSTGRESQL_H

#include <stdbool.h>
#include <stddef.h>

#include "enable/open.h"

/* Returns true if pg_ctlcluster starts the unit's server. */
bool postgresql_starts(const struct unit *unit);

/*
 * Of postgresql@15-main.service: "15" and "main". Returns false for the name of another unit,
 * and if there is no room.
 */
bool postgresql_cluster(const char *unit, char *version, size_t version_room, char *cluster,
                        size_t cluster_room);

/*
 * Returns true unless pg_ctlcluster starts the unit's server and the cluster's file for the
 * environment lacks LD_PRELOAD. Then prints the lines that are missing.
 */
bool postgresql_is_prepared(const struct opened *opened, const char *object);

#endif
