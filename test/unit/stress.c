/* SPDX-License-Identifier: Apache-2.0 */
#include "stress.h"
#include "base/settings.h"
#include "heap/malloc.h"
#include "os/pages.h"
#include "os/valgrind.h"
#include "support.h"
#include <string.h>

/* Most blocks are small, as OpenSSL's are. */
static size_t random_size(uint64_t *random, size_t most)
{
    uint64_t r = next_random(random);
    size_t size = (size_t)(r >> 32);

    switch (r & 15) {
    case 0:
        size %= most;
        break;
    case 1:
    case 2:
        size %= 8300;
        break;
    default:
        size %= 300;
        break;
    }
    return size < most ? size : most;
}

static void fill(struct stress_block *block, size_t from)
{
    if (block->size > from)
        memset(block->at + from, block->mark, block->size - from);
}

/* No more can be mapped for so many bytes, in pages of the kernel and with a guard. */
static bool full(size_t bytes)
{
    return sm_arena.cap < sm_arena.mapped + bytes + 2 * sm_os_page - SM_PAGE;
}

/* Only when the arena is full may keys be elsewhere, and never among records. */
static bool right_part(const void *p, unsigned part, size_t bytes)
{
    if (sm_part_of(p) == part)
        return true;
    return full(bytes) && sm_part_of(p) != SM_PART_IO &&
           (part == SM_PART_KEY || part == SM_PART_BYTES);
}

struct stress_block stress_alloc(uint64_t *random, size_t most)
{
    uint64_t r = next_random(random);
    struct stress_block block = {NULL, random_size(random, most), (unsigned char)(1 + r % 255)};
    unsigned part = r >> 8 & 3;
    size_t align = r >> 16 & 15 ? 1 : (size_t)1 << (r >> 20 & 15);

    block.at =
        align > 1 ? sm_aligned_malloc(align, block.size, part) : sm_malloc(block.size, part);
    CHECK(block.at != NULL);
    CHECK((uintptr_t)block.at % (align > SM_GRANULE ? align : SM_GRANULE) == 0);
    CHECK(sm_usable_size(block.at) >= block.size);
    CHECK(sm_arena_owns(block.at) ? right_part(block.at, part, block.size + align)
                                  : full(align + block.size));
    /* Memory that was never used, and what was freed, is zero. */
    if (sm_settings.zero && sm_arena_owns(block.at) && !sm_on_valgrind())
        CHECK(all_bytes(block.at, 0, block.size));
    fill(&block, 0);
    return block;
}

void stress_check(const struct stress_block *block)
{
    CHECK(all_bytes(block->at, block->mark, block->size));
}

void stress_free(struct stress_block *block)
{
    stress_check(block);
    sm_free(block->at);
    block->at = NULL;
}

static void stress_realloc(struct stress *stress, struct stress_block *block)
{
    struct stress_block moved = *block;

    moved.size = random_size(&stress->random, stress->most) + 1;
    moved.at = sm_realloc(block->at, moved.size);
    CHECK(moved.at != NULL);
    CHECK((uintptr_t)moved.at % SM_GRANULE == 0);
    CHECK(sm_usable_size(moved.at) >= moved.size);
    CHECK(all_bytes(moved.at, moved.mark, block->size < moved.size ? block->size : moved.size));
    fill(&moved, block->size);
    *block = moved;
}

void stress_run(struct stress *stress, unsigned steps)
{
    while (steps--) {
        uint64_t r = next_random(&stress->random);
        struct stress_block *block = &stress->blocks[r % STRESS_BLOCKS];
        if (!block->at)
            *block = stress_alloc(&stress->random, stress->most);
        else if (r >> 32 & 3)
            stress_free(block);
        else
            stress_realloc(stress, block);
    }
}

void stress_end(struct stress *stress)
{
    for (int i = 0; i < STRESS_BLOCKS; i++) {
        if (stress->blocks[i].at)
            stress_free(&stress->blocks[i]);
    }
}
