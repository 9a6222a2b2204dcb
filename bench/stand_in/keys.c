/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In place of src/os/protection_key.c, for processors without protection keys: everything runs
 * that seals and opens, and nothing is protected.
 */
#include "os/protection_key.h"

#define NUMBER 1

SM_FROM_ASM uint32_t sm_pku_mask;
SM_FROM_ASM SM_LOCAL uint32_t sm_pku_stand_in = ~0U;

int sm_pku_take(void)
{
    return NUMBER;
}

void sm_pku_give(int key)
{
    (void)key;
}

void sm_pku_begin(int key)
{
    sm_pku_mask = 3U << (2 * key);
}

int sm_pku_key(void)
{
    return NUMBER;
}

int sm_pku_protect(void *address, size_t length)
{
    (void)address, (void)length;
    return 0;
}

uint32_t *sm_pku_saved(void *context)
{
    (void)context;
    return NULL;
}
