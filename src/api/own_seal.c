/* SPDX-License-Identifier: Apache-2.0 */
#include "api/own_seal.h"
#include "os/page_key.h"
#include "os/pages.h"
#include "stacktrace/fatal.h"
#include <errno.h>

/* How often this thread has opened each arena. */
static __thread uint8_t opened_here[SM_OWN_ARENAS] __attribute__((tls_model("initial-exec")));

static uint8_t *opened_by_thread(const struct secretmem_arena *arena)
{
    return &opened_here[arena - sm_own_arenas];
}

bool sm_own_is_open(const struct secretmem_arena *arena)
{
    return *opened_by_thread(arena) != 0;
}

int sm_own_seal_new(struct secretmem_arena *arena, char *start, size_t length)
{
    int error;

    arena->seal = SM_OWN_SEALED_BY_MPROTECT;
    arena->key = sm_page_key_alloc();
    if (arena->key < 0)
        return sm_pages_protect(start, length, false);
    arena->seal = SM_OWN_SEALED_BY_KEY;
    error = sm_page_key_assign(start, length, arena->key);
    if (error)
        sm_own_seal_forget(arena);
    return error;
}

void sm_own_seal_forget(struct secretmem_arena *arena)
{
    if (arena->seal == SM_OWN_SEALED_BY_KEY)
        sm_page_key_free(arena->key);
    arena->seal = SM_OWN_NOT_SEALED;
}

int sm_own_open(struct secretmem_arena *arena)
{
    uint8_t *mine = opened_by_thread(arena);
    int error = 0;

    if (arena->seal == SM_OWN_NOT_SEALED)
        return 0;
    if (*mine == UINT8_MAX)
        return -EOVERFLOW;
    /*
     * The register is set at each level: in a signal handler the kernel has taken the access
     * that the interrupted code had.
     */
    if (arena->seal == SM_OWN_SEALED_BY_KEY)
        sm_page_key_allow(arena->key, true);
    else if (arena->opened == 0)
        error = sm_pages_protect(arena->start, arena->length, true);
    if (error)
        return error;
    ++*mine;
    __atomic_fetch_add(&arena->opened, 1, __ATOMIC_RELAXED);
    return 0;
}

int sm_own_close(struct secretmem_arena *arena)
{
    uint8_t *mine = opened_by_thread(arena);
    int error = 0;

    if (arena->seal == SM_OWN_NOT_SEALED)
        return 0;
    if (*mine == 0)
        return -EPERM;
    if (arena->seal == SM_OWN_SEALED_BY_MPROTECT && arena->opened == 1)
        error = sm_pages_protect(arena->start, arena->length, false);
    else if (arena->seal == SM_OWN_SEALED_BY_KEY && *mine == 1)
        sm_page_key_allow(arena->key, false);
    if (error)
        return error;
    --*mine;
    __atomic_fetch_sub(&arena->opened, 1, __ATOMIC_RELAXED);
    return 0;
}

void sm_own_seal_lift(struct secretmem_arena *arena)
{
    int error = 0;

    if (arena->seal == SM_OWN_SEALED_BY_MPROTECT && arena->opened == 0)
        error = sm_pages_protect(arena->start, arena->length, true);
    else if (arena->seal == SM_OWN_SEALED_BY_KEY)
        error = sm_page_key_assign(arena->start, arena->length, 0);
    if (error)
        sm_fatal("a sealed arena cannot be opened to copy or unmap it (mprotect is refused)",
                 NULL);
}

void sm_own_seal_restore(struct secretmem_arena *arena)
{
    int error = 0;

    arena->opened = *opened_by_thread(arena);
    if (arena->seal == SM_OWN_SEALED_BY_KEY)
        error = sm_page_key_assign(arena->start, arena->length, arena->key);
    else if (arena->seal == SM_OWN_SEALED_BY_MPROTECT)
        error = sm_pages_protect(arena->start, arena->length, arena->opened != 0);
    if (error)
        sm_fatal("a sealed arena cannot be closed in a child (mprotect is refused)", NULL);
}
