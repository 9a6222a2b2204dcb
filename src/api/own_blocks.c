/* SPDX-License-Identifier: Apache-2.0 */
#include "api/own_blocks.h"

#define WORD_BITS 64

static bool bit_is_set(const uint64_t *bits, size_t at)
{
    return bits[at / WORD_BITS] >> (at % WORD_BITS) & 1;
}

static size_t words_of(size_t granules)
{
    return (granules + WORD_BITS - 1) / WORD_BITS;
}

size_t sm_own_blocks_memory(size_t granules)
{
    return 2 * words_of(granules) * sizeof(uint64_t);
}

void sm_own_blocks_init(struct sm_own_blocks *blocks, void *memory, size_t granules)
{
    *blocks = (struct sm_own_blocks){.used = memory, .granules = granules};
    blocks->first = blocks->used + words_of(granules);
}

/* Returns the first unused granule from one on, or the number of granules. */
static size_t skip_used(const struct sm_own_blocks *blocks, size_t at)
{
    while (at < blocks->granules) {
        uint64_t free_ones = ~blocks->used[at / WORD_BITS] >> (at % WORD_BITS);
        if (free_ones)
            return sm_min(at + (size_t)__builtin_ctzll(free_ones), blocks->granules);
        at = (at / WORD_BITS + 1) * WORD_BITS;
    }
    return blocks->granules;
}

/* Returns the first used granule from one on, at most end. */
static size_t skip_unused(const struct sm_own_blocks *blocks, size_t at, size_t end)
{
    while (at < end) {
        uint64_t used_ones = blocks->used[at / WORD_BITS] >> (at % WORD_BITS);
        if (used_ones)
            return sm_min(at + (size_t)__builtin_ctzll(used_ones), end);
        at = (at / WORD_BITS + 1) * WORD_BITS;
    }
    return end;
}

static size_t find_room(const struct sm_own_blocks *blocks, size_t from, size_t granules)
{
    size_t at = from, end;

    while (at < blocks->granules) {
        at = skip_used(blocks, at);
        if (at >= blocks->granules || granules > blocks->granules - at)
            return SM_OWN_NO_BLOCK;
        end = skip_unused(blocks, at, at + granules);
        if (end == at + granules)
            return at;
        at = end;
    }
    return SM_OWN_NO_BLOCK;
}

static void set_used(struct sm_own_blocks *blocks, size_t at, size_t granules, bool used)
{
    for (size_t i = at; i < at + granules; i++) {
        uint64_t bit = 1ULL << (i % WORD_BITS);
        if (used)
            blocks->used[i / WORD_BITS] |= bit;
        else
            blocks->used[i / WORD_BITS] &= ~bit;
    }
}

size_t sm_own_blocks_take(struct sm_own_blocks *blocks, size_t granules)
{
    size_t at = find_room(blocks, blocks->next, granules);

    if (at == SM_OWN_NO_BLOCK)
        at = find_room(blocks, 0, granules);
    if (at == SM_OWN_NO_BLOCK)
        return at;
    set_used(blocks, at, granules, true);
    blocks->first[at / WORD_BITS] |= 1ULL << (at % WORD_BITS);
    blocks->next = at + granules;
    blocks->in_use += granules;
    blocks->count++;
    return at;
}

size_t sm_own_blocks_extent(const struct sm_own_blocks *blocks, size_t at)
{
    size_t end = at + 1;

    if (at >= blocks->granules || !bit_is_set(blocks->first, at))
        return 0;
    while (end < blocks->granules && bit_is_set(blocks->used, end) &&
           !bit_is_set(blocks->first, end))
        end++;
    return end - at;
}

void sm_own_blocks_give(struct sm_own_blocks *blocks, size_t at)
{
    size_t granules = sm_own_blocks_extent(blocks, at);

    set_used(blocks, at, granules, false);
    blocks->first[at / WORD_BITS] &= ~(1ULL << (at % WORD_BITS));
    blocks->in_use -= granules;
    blocks->count--;
}
