/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The private anonymous memory that the program itself has mapped lately. The C library maps
 * its heap and the stacks of threads by calls that the preload does not see, so none of these
 * is in it.
 */
#ifndef PRELOAD_HOOKS_OWN_MAPS_H
#define PRELOAD_HOOKS_OWN_MAPS_H

#include <stdbool.h>
#include <stddef.h>

#define OWN_MAPS_LARGEST ((size_t)64 << 20) /* bytes */

/* Larger mappings are not remembered. Takes no lock; async-signal-safe, as all functions here.
 */
void own_maps_add(const void *address, size_t length);

/* The range is unmapped, or mapped anew. */
void own_maps_remove(const void *address, size_t length);

/* Returns true if the range lies in one mapping, and is at least a quarter of it. */
bool own_maps_has(const void *address, size_t length);

#endif
