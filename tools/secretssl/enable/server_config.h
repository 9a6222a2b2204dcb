/* SPDX-License-Identifier: Apache-2.0 */
/* The load that a server's own configuration allows. */
#ifndef SECRETSSL_ENABLE_SERVER_CONFIG_H
#define SECRETSSL_ENABLE_SERVER_CONFIG_H

#include <stdint.h>

#include "enable/open.h"

struct server_config {
    uint64_t connections;  /* at one time, in all processes; 0: not known */
    unsigned certificates; /* private keys that the configuration names; 0: not known */
};

/*
 * Asks nginx, Apache, HAProxy or a cluster of PostgreSQL, of which `program` is the file, for
 * what Debian's unit starts it with. Of other programs, and if the server does not answer,
 * nothing is known. processes: those of the service.
 */
struct server_config server_config_of(const struct opened *opened, const char *program,
                                      unsigned processes);

/*
 * Returns what nginx prints of the configuration that it reads, or NULL if it finds a mistake
 * or does not answer. The caller frees the text.
 */
char *nginx_configuration(const char *program);

#endif
