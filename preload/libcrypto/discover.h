/* SPDX-License-Identifier: Apache-2.0 */
/* The libcryptos of this process: which there are, whose they are, and their hooks. */
#ifndef PRELOAD_LIBCRYPTO_DISCOVER_H
#define PRELOAD_LIBCRYPTO_DISCOVER_H

#include "libcrypto/registry.h"

/* At start, while there is one thread: notes those that are there. Whether there is any. */
bool libcrypto_present(void);

/* Installs the hooks in each. One that cannot be hooked is reported, or ends the process. */
void libcrypto_hook_all(void);

/* After a dlopen() of this thread: starts if there is any libcrypto, and hooks the new ones. */
void libcrypto_discover(void);

/* The same for what is in the name space of a handle that dlmopen() gave. */
void libcrypto_discover_namespace(void *handle);

/*
 * With the start lock: its blocks are not to be ours from now on, because they cross to a
 * libcrypto that is not hooked (engine.h). Reported, or ends the process.
 */
void libcrypto_is_shared(struct libcrypto *lib);

#endif
