/* SPDX-License-Identifier: Apache-2.0 */
#include "hooks/mem_hooks.h"
#include "heap/malloc_fast.h"
#include "hooks/job_stack.h"
#include "hooks/partition.h"
#include "hooks/secure_blocks.h"

static __attribute__((noinline)) void *malloc_slow(size_t size, const char *file)
{
    unsigned part;

    if (size == 0)
        return NULL;
    if (sm_unlikely(partition_needed(file)))
        return sm_malloc_needed(size, SM_PART_PUBLIC);
    part = partition_for(file, size);
    return part == PARTITION_STACK ? job_stack(size) : sm_malloc(size, part);
}

void *hook_malloc(size_t size, const char *file, int line)
{
    uint64_t part = partition_fast(file);

    (void)line;
    if (sm_unlikely(size == 0 || part >= SM_PARTS))
        return malloc_slow(size, file);
    return sm_malloc_fast(size, (unsigned)part);
}

/*
 * A secure block becomes an ordinary one, because OpenSSL has no realloc for secure blocks. The
 * mark is removed first, because another thread may get the old place at once. A block that
 * stays on failure gets its mark back.
 */
void *hook_realloc(void *p, size_t size, const char *file, int line)
{
    bool secure;
    void *to;

    if (!p)
        return hook_malloc(size, file, line);
    if (size == 0) {
        hook_free(p, file, line);
        return NULL;
    }
    secure = secure_bits_drop(p);
    to = sm_realloc(p, size);
    if (sm_unlikely(secure) && !to)
        secure_bits_set(p);
    return to;
}

void hook_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    if (!p)
        return;
    secure_bits_free(p);
    if (sm_unlikely(__atomic_load_n(&job_stacks, __ATOMIC_RELAXED)) && !sm_arena_owns(p))
        job_stack_end(p);
    sm_free_fast(p);
}
