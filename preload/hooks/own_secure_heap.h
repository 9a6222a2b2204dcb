/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A secure heap that a libcrypto makes by itself, because the calls of its code do not reach
 * the preload's CRYPTO_secure_malloc_init(). Its memory becomes secret when libcrypto locks it
 * (exports/mlock.c), unless libcrypto was opened with RTLD_DEEPBIND or in another link-map
 * namespace: then mlock() does not reach the preload either. libcrypto allocates the tables of
 * such a heap through the hooks, just before it locks the heap.
 */
#ifndef PRELOAD_HOOKS_OWN_SECURE_HEAP_H
#define PRELOAD_HOOKS_OWN_SECURE_HEAP_H

/* The calling thread allocates a table of such a heap. */
void own_secure_heap_begins(void);

/* The preload has seen the heap being locked, and has replaced or reported its memory. */
void own_secure_heap_seen(void);

/*
 * Another allocation: if the calling thread has made a heap that the preload did not see,
 * reports it, or ends the process with SECRETSSL_REQUIRE=1.
 */
void own_secure_heap_check(void);

#endif
