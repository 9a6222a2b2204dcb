/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocator of BoringSSL and AWS-LC. Both call these functions if the process has them
 * (weak symbols), and the C library's allocator otherwise. They pass no file names, so all
 * blocks belong to the partition of keys. Thread-safe, not async-signal-safe.
 */
#include "base/common.h"
#include "base/settings.h"
#include "exports/crypto_api.h"
#include "heap/malloc.h"
#include "hooks/mem_hooks.h"
#include <string.h>

/* Returns a block for size 0 too, because some callers take NULL for a failure. */
SM_EXPORT void *OPENSSL_memory_alloc(size_t size)
{
    return crypto_take(size + (size == 0), NULL, 0);
}

/*
 * Both libraries leave it to this function to clear the block, so SECRETSSL_ZERO=0 does not
 * hold here. A block from before the start is the C library's, as the hook sees by its address.
 */
SM_EXPORT void OPENSSL_memory_free(void *p)
{
    if (p && !sm_settings.zero)
        OPENSSL_cleanse(p, sm_usable_size(p));
    hook_free(p, NULL, 0);
}

SM_EXPORT size_t OPENSSL_memory_get_size(void *p)
{
    return p ? sm_usable_size(p) : 0;
}

/* Only AWS-LC looks for this one. The block moves, so that the old place is cleared. */
SM_EXPORT void *OPENSSL_memory_realloc(void *p, size_t size)
{
    void *to = OPENSSL_memory_alloc(size);

    if (!p || !to)
        return to;
    memcpy(to, p, sm_min(size, sm_usable_size(p)));
    OPENSSL_memory_free(p);
    return to;
}
