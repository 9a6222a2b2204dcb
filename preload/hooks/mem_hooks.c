/* SPDX-License-Identifier: Apache-2.0 */
#include "hooks/mem_hooks.h"
#include "arena/sealed.h"
#include "heap/fallback.h"
#include "heap/malloc_fast.h"
#include "hooks/job_stack.h"
#include "hooks/partition.h"
#include "hooks/secure_blocks.h"

__attribute__((noinline)) void *mem_take(const struct sm_c_library *library, size_t size,
                                         const char *file)
{
    unsigned part;

    if (size == 0)
        return NULL;
    part = partition_for(file, size);
    return part == PARTITION_STACK ? job_stack(library, size)
                                   : sm_malloc_by(library, size, part, partition_needed(file));
}

static inline void before_free(const struct sm_c_library *library, void *p)
{
    if (sm_unlikely(__atomic_load_n(&job_stacks, __ATOMIC_RELAXED)) && !sm_arena_owns(p))
        job_stack_end(library, p);
}

void mem_give(const struct sm_c_library *library, void *p)
{
    bool opened;

    if (!p)
        return;
    opened = sm_in_sealed(p) && sm_pku_open();
    secure_bits_free(p);
    before_free(library, p);
    if (sm_arena_owns(p))
        sm_free(p);
    else
        sm_fallback_free_by(library, p);
    sm_pku_close(opened);
}

/*
 * A secure block becomes an ordinary one, because OpenSSL has no realloc for secure blocks. The
 * mark is removed first, because another thread may get the old place at once. A block that
 * stays on failure gets its mark back.
 */
void *mem_retake(const struct sm_c_library *library, void *p, size_t size, const char *file)
{
    bool secure;
    void *to;

    if (!p)
        return mem_take(library, size, file);
    if (size == 0) {
        mem_give(library, p);
        return NULL;
    }
    secure = secure_bits_drop(p);
    to = sm_realloc_by(library, p, size);
    if (sm_unlikely(secure) && !to)
        secure_bits_set(p);
    return to;
}

void *hook_malloc(size_t size, const char *file, int line)
{
    uint64_t part = partition_fast(file);

    (void)line;
    if (sm_unlikely(size == 0 || part >= SM_PARTS))
        return mem_take(&sm_own_library, size, file);
    return sm_malloc_fast(size, (unsigned)part);
}

void *hook_realloc(void *p, size_t size, const char *file, int line)
{
    (void)line;
    return mem_retake(&sm_own_library, p, size, file);
}

void hook_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    if (!p)
        return;
    if (sm_unlikely(__atomic_load_n(&secure_frees, __ATOMIC_RELAXED))) {
        mem_give(&sm_own_library, p);
        return;
    }
    before_free(&sm_own_library, p);
    sm_free_fast(p);
}
