/* SPDX-License-Identifier: Apache-2.0 */
/* A planter process, and what the tool says of it. */
#ifndef SECRETSSL_TEST_PLANT_H
#define SECRETSSL_TEST_PLANT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "places.h"

struct planter {
    pid_t pid;
    char pid_text[16];
    int in, out;
};

struct planter start_planter(void);

/* Returns the address of the (first) copy. */
uint64_t plant(struct planter *planter, enum place place, const void *bytes, size_t size,
               unsigned repeat);

void stop_planter(struct planter *planter);

/* Searches with --json for the key in the file; checks the exit status. */
json_t *scan_json(const char *key_file, const char *pid, int status);

/* The object of the only process. */
json_t *only_process(json_t *root);

/* How many copies the process object has in [from, from + size); NULL: of any. */
size_t copies_at(const json_t *process, uint64_t from, size_t size, const char *component,
                 const char *encoding);
size_t copies_in_all(const json_t *process);

/* How many of all its copies are whole. */
size_t whole_copies(const json_t *process);

#endif
