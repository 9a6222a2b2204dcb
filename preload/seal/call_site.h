/* SPDX-License-Identifier: Apache-2.0 */
/* Names for the code that a fault interrupted, for messages. */
#ifndef PRELOAD_SEAL_CALL_SITE_H
#define PRELOAD_SEAL_CALL_SITE_H

#include "base/common.h"

#define CALL_SITE_NAME 128 /* bytes */

/*
 * Writes "function+offset" of the code, or "file+offset" where no exported function is there.
 * Returns the address of that function or file. Takes locks of the dynamic linker.
 */
const void *call_site_name(const void *code, char name[CALL_SITE_NAME]);

/*
 * Returns the exported function of libcrypto through which the code at the top of this stack
 * was called from outside libcrypto, as far as the instructions before the return addresses
 * tell; or NULL.
 */
const char *call_site_entry(const uintptr_t *stack);

#endif
