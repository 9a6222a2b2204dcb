/* SPDX-License-Identifier: Apache-2.0 */
/* Seals private keys (SECRETSSL_SEAL): docs/sealing.md has the design. */
#ifndef PRELOAD_SEAL_SEAL_H
#define PRELOAD_SEAL_SEAL_H

#include "base/common.h"

/* Called by the preload's constructor. Nothing happens without the setting. */
void seal_init(void);

/*
 * Returns what dlsym() gives in place of this function, or NULL.
 */
void *seal_instead(const char *name, void *function);

#endif
