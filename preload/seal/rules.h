/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of libcrypto that work on keys: sealed memory is open while they run. */
#ifndef PRELOAD_SEAL_RULES_H
#define PRELOAD_SEAL_RULES_H

#include "base/common.h"

/*
 * Whether calls of a function of libcrypto are windows. inner: whether calls by libcrypto
 * itself are, where it makes them by name.
 */
bool seal_is_window(const char *name, bool inner);

/* Whether it frees its first argument, by its name. */
bool seal_frees(const char *name);

#endif
