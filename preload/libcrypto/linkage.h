/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects linked with a libcrypto other than the default one, noted once a libcrypto is not
 * served. Lookups take no lock.
 */
#ifndef PRELOAD_LIBCRYPTO_LINKAGE_H
#define PRELOAD_LIBCRYPTO_LINKAGE_H

#include "base/common.h"
#include "libcrypto/registry.h"
#include "loader/elf_symbols.h"

/* Returns the number of the libcrypto noted for the caller's object, or LIBCRYPTO_NONE. */
unsigned linkage_find(const void *caller);

/* Returns the number of the libcrypto that an object names in DT_NEEDED, or LIBCRYPTO_NONE. */
unsigned linkage_of(const struct elf_object *object);

/* Called at start if there are libcryptos and none is served: the first becomes the default. */
void linkage_default_to_first(void);

/*
 * Called with the start lock held, once a libcrypto is not served. Notes anew which libcrypto
 * each loaded object is linked with, and forgets unloaded objects.
 */
void linkage_refresh(void);

/*
 * Returns the libcrypto of callers that name none in DT_NEEDED; LIBCRYPTO_NONE stands for the
 * preload's functions.
 */
unsigned linkage_default(void);

#endif
