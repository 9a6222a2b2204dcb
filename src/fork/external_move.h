/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of external pages, and how they get into their place. */
#ifndef SM_FORK_EXTERNAL_MOVE_H
#define SM_FORK_EXTERNAL_MOVE_H

#include "base/common.h"

/* Makes pages resident. progress: counts pages, or NULL. Returns 0, or a negative errno value.
 */
int sm_external_populate(char *pages, size_t length, volatile uint32_t *progress);

/*
 * Copies pages that differ, also those that the program may not read at the moment. Returns 1
 * if any differed, 0 if none did, or a negative errno value.
 */
int sm_external_refresh(char *to, char *from, size_t length);

/*
 * Moves pages to their place, over the pages there, whose protection they get. Returns the
 * number of bytes that were moved.
 */
size_t sm_external_place(char *pages, char *place, size_t length, bool secret);

#endif
