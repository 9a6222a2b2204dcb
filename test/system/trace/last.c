/* SPDX-License-Identifier: Apache-2.0 */
/* A library whose destructor frees what the program gave it. */
#include <stddef.h>

void free_at_last(void (*give)(void *), void *block);

static void (*give_it)(void *);
static void *given;

__attribute__((visibility("default"))) void free_at_last(void (*give)(void *), void *block)
{
    give_it = give;
    given = block;
}

__attribute__((destructor)) static void last(void)
{
    if (give_it)
        give_it(given);
}
