/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each needle has anchors: pieces of 8 bytes, so close together that every run long enough to
 * count contains a whole anchor. The search hashes the 8 bytes at each place and looks the hash
 * up in a small bit set. The set stays in the processor's cache and excludes nearly all places.
 */
#include "scan/matcher.h"

#include <string.h>

#include "secretmem.h"

enum { ANCHOR = 8, SET_BITS = 17, NEAR = 64 };

struct anchor {
    uint64_t word;
    uint32_t needle;
    uint32_t skip; /* offset in the needle */
};

/* The whole matcher is in secret memory, because it is made of key bytes. */
struct matcher {
    const struct needles *needles;
    struct anchor *anchors; /* a table of slots, open addressing; free: used is 0 */
    uint8_t *used;
    unsigned slot_bits;
    uint8_t *set;
};

static inline uint64_t word_at(const uint8_t *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

static inline uint64_t matcher_hash_of(uint64_t word)
{
    return word * UINT64_C(0x9e3779b97f4a7c15);
}

static void insert(struct matcher *matcher, const struct needle *needle, size_t index,
                   size_t skip)
{
    uint64_t word = word_at(needle->bytes + skip);
    uint64_t hash = matcher_hash_of(word);
    size_t bit = hash >> (64 - SET_BITS);
    size_t mask = ((size_t)1 << matcher->slot_bits) - 1;
    size_t slot = hash >> (64 - matcher->slot_bits);

    matcher->set[bit / 8] |= (uint8_t)(1u << bit % 8);
    while (matcher->used[slot])
        slot = (slot + 1) & mask;
    matcher->used[slot] = 1;
    matcher->anchors[slot] =
        (struct anchor){.word = word, .needle = (uint32_t)index, .skip = (uint32_t)skip};
}

/*
 * Returns the number of different bytes in an anchor. An anchor with few would occur all over
 * memory.
 */
static unsigned variety(const uint8_t *at)
{
    unsigned count = 0;

    for (unsigned i = 0; i < ANCHOR; i++)
        count += memchr(at + i + 1, at[i], ANCHOR - 1 - i) == NULL;
    return count;
}

/* Returns the best place for an anchor, at `last` or a little before it. */
static size_t place(const struct needle *needle, size_t last, size_t stride)
{
    size_t first = stride / 2 < NEAR ? stride / 2 : NEAR, best = last;

    first = last > first ? last - first : 0;
    for (size_t at = first; at < last; at++) {
        if (variety(needle->bytes + at) > variety(needle->bytes + best))
            best = at;
    }
    return best;
}

/* Counts the anchors of a needle, and calls insert() for each once the table exists. */
static size_t anchors_of(struct matcher *matcher, size_t index)
{
    const struct needle *needle = &matcher->needles->list[index];
    size_t stride = needle->least - ANCHOR + 1;
    size_t count = 0;

    for (size_t last = stride - 1; last + ANCHOR <= needle->size; count++) {
        size_t skip = place(needle, last, stride);

        if (matcher->anchors != NULL)
            insert(matcher, needle, index, skip);
        last = skip + stride;
    }
    return count;
}

struct matcher *matcher_make(const struct needles *needles)
{
    struct matcher *matcher = secretmem_calloc(1, sizeof(*matcher));
    size_t count = 0;

    if (matcher == NULL)
        return NULL;
    *matcher = (struct matcher){.needles = needles, .slot_bits = 6};
    for (size_t i = 0; i < needles->count; i++)
        count += anchors_of(matcher, i);
    while ((size_t)1 << matcher->slot_bits < 2 * count)
        matcher->slot_bits++;

    matcher->set = secretmem_calloc(1, (size_t)1 << (SET_BITS - 3));
    matcher->used = secretmem_calloc(1, (size_t)1 << matcher->slot_bits);
    matcher->anchors = secretmem_calloc(1, sizeof(struct anchor) << matcher->slot_bits);
    if (matcher->set == NULL || matcher->used == NULL || matcher->anchors == NULL) {
        matcher_free(matcher);
        return NULL;
    }
    for (size_t i = 0; i < needles->count; i++)
        anchors_of(matcher, i);
    return matcher;
}

void matcher_free(struct matcher *matcher)
{
    if (matcher == NULL)
        return;
    secretmem_free(matcher->set);
    secretmem_free(matcher->used);
    secretmem_free(matcher->anchors);
    secretmem_free(matcher);
}

size_t matcher_context(const struct matcher *matcher)
{
    return matcher->needles->longest + DER_HEAD_MOST;
}

static void extend(const struct matcher *matcher, const struct anchor *anchor,
                   const uint8_t *text, size_t size, size_t at, match_fn *found, void *context)
{
    const struct needle *needle = &matcher->needles->list[anchor->needle];
    size_t skip = anchor->skip;
    size_t start = at;
    size_t end = at + ANCHOR;

    while (skip > 0 && start > 0 && needle->bytes[skip - 1] == text[start - 1]) {
        skip--;
        start--;
    }
    while (end < size && skip + (end - start) < needle->size &&
           needle->bytes[skip + (end - start)] == text[end])
        end++;
    if (end - start < needle->least)
        return;

    struct match match = {
        .needle = anchor->needle, .at = start, .skip = skip, .size = end - start};

    found(context, &match);
}

static void candidates(const struct matcher *matcher, uint64_t word, uint64_t hash,
                       const uint8_t *text, size_t size, size_t at, match_fn *found,
                       void *context)
{
    size_t mask = ((size_t)1 << matcher->slot_bits) - 1;

    for (size_t slot = hash >> (64 - matcher->slot_bits); matcher->used[slot];
         slot = (slot + 1) & mask) {
        if (matcher->anchors[slot].word == word)
            extend(matcher, &matcher->anchors[slot], text, size, at, found, context);
    }
}

void matcher_search(const struct matcher *matcher, const uint8_t *text, size_t size,
                    size_t from, size_t to, match_fn *found, void *context)
{
    const uint8_t *set = matcher->set;

    if (size < ANCHOR)
        return;
    if (to > size - ANCHOR + 1)
        to = size - ANCHOR + 1;
    for (size_t at = from; at < to; at++) {
        uint64_t word = word_at(text + at);
        uint64_t hash = matcher_hash_of(word);
        size_t bit = hash >> (64 - SET_BITS);

        if (set[bit / 8] & (1u << bit % 8))
            candidates(matcher, word, hash, text, size, at, found, context);
    }
}
