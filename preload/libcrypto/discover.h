/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the libcryptos of this process and installs the hooks in them. */
#ifndef PRELOAD_LIBCRYPTO_DISCOVER_H
#define PRELOAD_LIBCRYPTO_DISCOVER_H

#include "libcrypto/registry.h"

/*
 * Called at start, while there is one thread. Registers the loaded libcryptos. Returns true if
 * there is any.
 */
bool libcrypto_present(void);

/*
 * Installs the hooks in each libcrypto. A libcrypto that cannot be hooked is reported or, with
 * REQUIRE=1, ends the process.
 */
void libcrypto_hook_all(void);

/*
 * Called after a dlopen() of this thread. Starts the allocator if there is any libcrypto, and
 * hooks the new ones.
 */
void libcrypto_discover(void);

/* The same for the namespace of a dlmopen() handle. */
void libcrypto_discover_namespace(void *handle);

/*
 * Called when all libcryptos that there are have been hooked, and whenever objects were loaded
 * since. Returns false if it has to be called again, because an object was still being loaded.
 * Set by the seal layer; NULL: there is nothing to do.
 */
extern SM_LOCAL bool (*libcrypto_changed)(void);

/*
 * Called with the start lock held. Stops serving lib, because its blocks cross to a libcrypto
 * that is not hooked (engine.h). Reports the fact or, with REQUIRE=1, ends the process.
 */
void libcrypto_is_shared(struct libcrypto *lib);

#endif
