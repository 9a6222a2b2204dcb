/* SPDX-License-Identifier: Apache-2.0 */
#include "blocks.h"
#include "arena/arena.h"
#include "arena/shortage.h"
#include "base/settings.h"
#include "heap/malloc.h"
#include "secretmem.h"
#include <string.h>

enum {
    /* Of a larger block only the ends are filled and checked. */
    WHOLE_MOST = 64 * 1024,
    END = 4096,
};

struct block {
    unsigned char *at; /* NULL: none */
    size_t size;       /* requested */
    unsigned part;
    unsigned char mark;
};

static struct block blocks[BLOCKS];
static unsigned char next_mark[BLOCKS];

bool blocks_scarce;

/* Bytes without a period, and zeros */
static unsigned char pattern[WHOLE_MOST + 256 * 16];
static const unsigned char zeros[WHOLE_MOST];

void blocks_begin(void)
{
    uint32_t random = 7;

    for (size_t i = 0; i < sizeof(pattern); i++) {
        random = random * 1664525 + 1013904223;
        pattern[i] = (unsigned char)(random >> 24);
    }
}

/* The contents of a block begin here in the pattern. */
static const unsigned char *contents_of(const struct block *block)
{
    return pattern + (size_t)block->mark * 16;
}

/* The contents at the end of a block larger than WHOLE_MOST */
static const unsigned char *end_of(const struct block *block)
{
    return contents_of(block) + WHOLE_MOST - END;
}

static void fill(struct block *block)
{
    if (block->size <= WHOLE_MOST) {
        memcpy(block->at, contents_of(block), block->size);
    } else {
        memcpy(block->at, contents_of(block), END);
        memcpy(block->at + block->size - END, end_of(block), END);
    }
}

static void check_same(const unsigned char *at, const unsigned char *wanted, size_t size)
{
    if (memcmp(at, wanted, size) == 0)
        return;
    for (size_t i = 0; i < size; i++)
        EXPECT(at[i] == wanted[i], "byte %zu of %zu changed", i, size);
}

/* Checks the first `size` bytes of the block, as far as they were filled. */
static void check_bytes(const struct block *block, size_t size)
{
    if (block->size <= WHOLE_MOST) {
        check_same(block->at, contents_of(block), size);
        return;
    }
    check_same(block->at, contents_of(block), size < END ? size : END);
    if (size == block->size)
        check_same(block->at + size - END, end_of(block), END);
}

static void check_zero(const unsigned char *at, size_t from, size_t to)
{
    while (from < to) {
        size_t size = to - from < WHOLE_MOST ? to - from : WHOLE_MOST;
        check_same(at + from, zeros, size);
        from += size;
    }
}

/* Only blocks of its own index set are read, as other threads change theirs. */
static void check_apart(unsigned number)
{
    const struct block *block = &blocks[number];

    for (unsigned i = number % 3; i < BLOCKS; i += 3) {
        const struct block *other = &blocks[i];
        EXPECT(i == number || !other->at || other->at + other->size <= block->at ||
                   block->at + block->size <= other->at,
               "two blocks overlap");
    }
}

/* Keys may go to partitions with keys and to PUBLIC when there is no room; nothing else may. */
static void check_part(const struct block *block)
{
    unsigned part = sm_part_of(block->at);

    EXPECT(part == block->part || (part != SM_PART_IO && (block->part == SM_PART_KEY ||
                                                          block->part == SM_PART_BYTES)),
           "a block of partition %u is in %u", block->part, part);
    EXPECT(part == block->part || blocks_scarce,
           "%zu bytes of partition %u are in %u, and there is room: %zu mapped, %u of it by "
           "partition %u, where %u pages are free; reason %d",
           block->size, block->part, part, sm_arena.mapped,
           sm_arena.part[block->part].mapped - sm_arena.part[block->part].first, block->part,
           sm_arena.part[block->part].free_pages, (int)sm_short_now.why);
}

static void check_place(unsigned number, size_t alignment)
{
    const struct block *block = &blocks[number];
    size_t usable = sm_usable_size(block->at);

    EXPECT((uintptr_t)block->at % (alignment > SM_GRANULE ? alignment : SM_GRANULE) == 0,
           "alignment of %zu", alignment);
    EXPECT(usable >= block->size, "%zu bytes of %zu are usable", usable, block->size);
    EXPECT(secretmem_usable_size(block->at) == usable, "two sizes");
    if (sm_arena_owns(block->at))
        check_part(block);
    else
        EXPECT(blocks_scarce, "a block of the C library, and there is room");
    check_apart(number);
}

static void begin(unsigned number, void *p, const struct request *request)
{
    struct block *block = &blocks[number];

    if (!p) {
        EXPECT(blocks_scarce, "no block of %zu, and there is room", request->size);
        return;
    }
    *block = (struct block){p, request->size, request->part, 0};
    block->mark = next_mark[number] = (unsigned char)(next_mark[number] + number * 5 + 1);
    check_place(number, request->alignment);
    /* All of it: what is usable is the program's too. */
    check_zero(p, 0, sm_arena_owns(p) ? sm_usable_size(p) : request->size);
    fill(block);
}

void blocks_malloc(unsigned number, const struct request *request)
{
    blocks_free(number);
    begin(number,
          request->alignment > 1
              ? sm_aligned_malloc(request->alignment, request->size, request->part)
              : sm_malloc(request->size, request->part),
          request);
}

void blocks_calloc(unsigned number, const struct request *request)
{
    struct request all = *request;
    void *p;

    blocks_free(number);
    p = secretmem_calloc(request->count, request->size);
    if (__builtin_mul_overflow(request->count, request->size, &all.size)) {
        EXPECT(p == NULL, "%zu times %zu bytes", request->count, request->size);
        return;
    }
    all.part = SM_PART_KEY;
    all.alignment = 1;
    begin(number, p, &all);
}

void blocks_realloc(unsigned number, size_t size)
{
    struct block *block = &blocks[number], before = *block;
    bool owned = sm_arena_owns(block->at);
    size_t usable;
    void *p;

    if (!block->at)
        return;
    check_bytes(block, block->size);
    usable = sm_usable_size(block->at);
    p = secretmem_realloc(block->at, size);
    if (size == 0) {
        EXPECT(p == NULL, "a block of no bytes");
        block->at = NULL;
        return;
    }
    if (!p) {
        EXPECT(blocks_scarce, "no block of %zu, and there is room", size);
        check_bytes(block, block->size);
        return;
    }
    /* The old contents, then zeros: the bytes between the two sizes were the program's. */
    before.at = p;
    check_bytes(&before, size < before.size ? size : before.size);
    block->at = p;
    block->size = size;
    check_place(number, 1);
    if (owned && sm_arena_owns(p) && size > usable)
        check_zero(p, usable, size);
    fill(block);
}

void blocks_free(unsigned number)
{
    struct block *block = &blocks[number];

    if (!block->at)
        return;
    check_bytes(block, block->size);
    sm_free(block->at);
    block->at = NULL;
}

void blocks_check(unsigned first, unsigned step)
{
    for (unsigned i = first; i < BLOCKS; i += step) {
        const struct block *block = &blocks[i];
        if (!block->at)
            continue;
        check_bytes(block, block->size);
        EXPECT(sm_usable_size(block->at) >= block->size, "a size changed");
    }
}

void blocks_end(void)
{
    struct secretmem_stats stats = {0};

    for (unsigned i = 0; i < BLOCKS; i++)
        blocks_free(i);
    secretmem_get_stats(&stats, sizeof(stats));
    EXPECT(stats.live_bytes == 0, "%zu bytes are counted as live", (size_t)stats.live_bytes);
    EXPECT(stats.allocations == stats.frees, "%zu blocks and %zu frees",
           (size_t)stats.allocations, (size_t)stats.frees);
}

void *blocks_any(size_t *size)
{
    for (unsigned i = 0; i < BLOCKS; i++) {
        /* A larger block may end at a guard page, a smaller one before another's address. */
        if (blocks[i].at && blocks[i].size > SM_GRANULE &&
            sm_usable_size(blocks[i].at) <= SM_SMALL_MAX && sm_arena_owns(blocks[i].at)) {
            *size = sm_usable_size(blocks[i].at);
            return blocks[i].at;
        }
    }
    return NULL;
}
