/* SPDX-License-Identifier: Apache-2.0 */
/* Whether children get the mappings of secret memory. */
#ifndef SM_FORK_FORK_INHERIT_H
#define SM_FORK_FORK_INHERIT_H

#include "base/common.h"

/*
 * Sets whether the next child inherits the arena (its key bytes only if SECRETSSL_FORK=copy).
 * Returns false if the kernel or a filter refuses the change.
 */
bool sm_arena_inherit(bool on);

/*
 * The same for partitions without secret pages alone, which the kernel copies on write. The
 * others are not inherited.
 */
bool sm_arena_inherit_ordinary(bool on);

#endif
