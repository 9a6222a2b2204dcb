/* SPDX-License-Identifier: Apache-2.0 */
/* The libcryptos of this process. */
#ifndef PRELOAD_LIBCRYPTO_H
#define PRELOAD_LIBCRYPTO_H

#include <stdbool.h>

/* Whether any object in the process defines CRYPTO_set_mem_functions. No side effects. */
bool libcrypto_present(void);

/* Whether code at this address is a libcrypto's. */
bool libcrypto_contains(const void *code);

/* Installs the hooks in each. One that allocated already is reported, or ends the process. */
void libcrypto_hook_all(void);

#endif
