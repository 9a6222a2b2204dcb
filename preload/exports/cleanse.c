/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OPENSSL_cleanse(), which libcrypto calls through its PLT in distribution builds. The
 * preload's version:
 *
 * - goes through the gate: a child that another thread forks meanwhile must not see a
 *   block half cleared that the child's pointers say is live (docs/fork.md, torn objects);
 * - clears the vector registers too, because the cleared bytes have passed through them.
 */
#include "arena/sealed.h"
#include "exports/crypto_api.h"
#include "heap/thread_cache.h"
#include "os/vector_registers.h"
#include <string.h>

/* As in openssl/crypto.h. Thread-safe. */
SM_EXPORT void OPENSSL_cleanse(void *p, size_t size)
{
    /* A signal handler may interrupt malloc, and must not leave the gate. */
    if (sm_arena_owns(p) && !sm_inside_now()) {
        struct sm_thread_cache *cache = sm_enter();
        bool opened = sm_in_sealed(p) && sm_pku_open();
        memset(p, 0, size);
        sm_pku_close(opened);
        sm_leave(cache);
    } else {
        memset(p, 0, size);
    }
    /* Otherwise the compiler drops stores that no code reads. */
    __asm__ volatile("" ::"r"(p) : "memory");
    sm_clear_vector_registers();
}
