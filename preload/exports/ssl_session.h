/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SECRETSSL_SESSIONS=sealed: a session that a program serialises, for a cache that its
 * processes share, is encrypted with a key that lies in secret memory. The design is in
 * docs/sessions.md.
 */
#ifndef PRELOAD_SESSION_H
#define PRELOAD_SESSION_H

/* At start, with the start lock: makes the key, which children of fork then have as well. */
void session_start(void);

#endif
