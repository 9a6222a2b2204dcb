/* SPDX-License-Identifier: Apache-2.0 */
/* The preload object as LD_PRELOAD names it in a unit. */
#ifndef SECRETSSL_ENABLE_OBJECT_H
#define SECRETSSL_ENABLE_OBJECT_H

/*
 * Returns the value for LD_PRELOAD: the object's path with "$LIB" in the place of the libdir,
 * if ld.so finds the object by that, so that programs for other machines look in their own
 * libdir. Otherwise returns the path itself. Returns NULL if ld.so cannot load the object, or
 * memory runs out. The caller frees the string.
 */
char *object_for_unit(const char *object);

#endif
