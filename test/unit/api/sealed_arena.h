/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of sealed arenas share. */
#ifndef UNIT_API_SEALED_ARENA_H
#define UNIT_API_SEALED_ARENA_H

#include "api.h"
#include <criterion/criterion.h>
#include <stdio.h>

#define SEALED (SECRETMEM_ARENA_SEALED | SECRETMEM_ARENA_REQUIRE)

/* The kernel's word: this process may use protection keys. */
static inline bool has_keys(void)
{
    char line[8192];
    FILE *file = fopen("/proc/cpuinfo", "r");
    bool found = false;

    while (!found && fgets(line, sizeof(line), file))
        found = strncmp(line, "flags", 5) == 0 && strstr(line, " ospke");
    fclose(file);
    return found;
}

/* Takes all protection keys, so that none is left for arenas. */
static inline void take_keys(void)
{
    while (syscall(SYS_pkey_alloc, 0, 0) > 0)
        ;
}

/* A block of a sealed arena. */
static inline char *secret_in(secretmem_arena *arena)
{
    char *p = secretmem_arena_malloc(arena, 100);

    cr_assert_eq(secretmem_begin(arena), 0);
    strcpy(p, "a secret");
    cr_assert_eq(secretmem_end(arena), 0);
    return p;
}

#endif
