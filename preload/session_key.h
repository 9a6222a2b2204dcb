/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SECRETSSL_SESSIONS=sealed: the key that seals the sessions which a program puts into a cache
 * shared by its processes. docs/sessions.md has the design.
 */
#ifndef PRELOAD_SESSION_KEY_H
#define PRELOAD_SESSION_KEY_H

#include "base/common.h"

#define SESSION_KEY 32 /* bytes */

/* In secret memory. NULL: sessions are not sealed. Written once, at start. */
extern SM_LOCAL unsigned char *session_key;

/* Called at start with the start lock held. Makes the key, which children of fork inherit. */
void session_key_make(void);

/*
 * Writes n random bytes from the kernel. Returns false if the kernel gives fewer or a filter
 * forbids the call.
 */
bool session_random(unsigned char *to, size_t n);

#endif
