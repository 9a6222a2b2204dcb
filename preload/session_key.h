/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SECRETSSL_SESSIONS=sealed: the key by which sessions are sealed that a program puts into a
 * cache of its processes. The design is in docs/sessions.md.
 */
#ifndef PRELOAD_SESSION_KEY_H
#define PRELOAD_SESSION_KEY_H

#include "base/common.h"

#define SESSION_KEY 32 /* bytes */

/* In secret memory; NULL: nothing is sealed. Written once, at start. */
extern SM_LOCAL unsigned char *session_key;

/* At start, with the start lock: makes the key, which children of fork then have as well. */
void session_key_make(void);

/* As many random bytes from the kernel. */
bool session_random(unsigned char *to, size_t n);

#endif
