/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/grow.h"
#include "arena/backing.h"
#include "arena/fork_window.h"
#include "arena/sealed.h"
#include "arena/shortage.h"
#include "base/counters.h"
#include "base/probe.h"
#include "base/settings.h"
#include "os/pages.h"
#include <errno.h>

#define COMMIT_PAGES 1024 /* table entries committed at a time */

/* A chunk lies at a multiple of its size in the address space, as the kernel's huge blocks do.
 */
static uint32_t chunk_offset(uint32_t page, uint32_t size)
{
    return (uint32_t)((sm_arena.base >> SM_PAGE_SHIFT) + page) & (size - 1);
}

static uint32_t chunk_pages(uint32_t page)
{
    return sm_arena.pages[page].huge ? (uint32_t)(sm_secretmem_huge_size() >> SM_PAGE_SHIFT)
                                     : sm_arena.chunk;
}

/* The first chunk of a partition is cut short by the page that is never used. */
uint32_t sm_chunk_of(uint32_t page)
{
    uint32_t first = sm_arena.part[sm_part_of(sm_page_address(page))].first;
    uint32_t offset = chunk_offset(page, chunk_pages(page));

    return page - first < offset ? first : page - offset;
}

/* Commits the tables up to a page, in steps: few system calls for every 4 MiB of blocks. */
static int commit(struct sm_partition *part, uint32_t pages)
{
    uint32_t from = part->committed;
    uint32_t last = part->end + SM_PART_TAIL;
    uint32_t to;
    int error = 0;

    if (pages <= part->committed && part->committed > part->first)
        return 0;
    to = (uint32_t)sm_min(sm_round_up(pages + 1, COMMIT_PAGES), last);
    for (unsigned t = 0; t < SM_TABLES && !error; t++) {
        struct sm_table_pages table = sm_table_pages(t, from, to, false);
        error = sm_pages_protect(table.start, table.length, true);
    }
    if (!error)
        part->committed = to - 1;
    return error;
}

bool sm_backing_begin(unsigned p)
{
    struct sm_partition *part = &sm_arena.part[p];

    return part->committed > part->first ||
           (!sm_arena.fixed && commit(part, part->first + 1) == 0);
}

/* What the pages of one mapping are. */
struct memory {
    enum sm_kind kind;
    bool uncached;
};

static int map_some(unsigned p, char *at, size_t length, struct memory *memory)
{
    struct sm_secret_map map = {.address = at, .length = length};
    int error;

    if (!sm_backing_secret(p)) {
        memory->kind = SM_KIND_ORDINARY;
        return sm_pages_map_anonymous(at, length);
    }
    sm_backing_raise_limit();
    memory->kind = SM_KIND_SECRET;
    error = sm_backing_map_secret(p, &map);
    memory->uncached = map.flags == SM_SECRET_UNCACHED;
    return error;
}

/*
 * Returns the bytes of a secret chunk that are whole huge blocks. The blocks begin with the
 * file. Copies keep the blocks.
 */
static size_t in_blocks(uintptr_t start, size_t length)
{
    size_t block = length < SM_HUGE_LEAST ? 0 : sm_secretmem_huge_size();

    return block == 0 || start % block != 0 ? 0 : length & ~(block - 1);
}

/*
 * Records the reason. If uncached memory was refused, that is the reason, whatever was tried
 * afterwards.
 */
static bool backing_note(unsigned part, int error, size_t length)
{
    if (!sm_backing_is_refused(part))
        return sm_short_by(error, length);
    sm_short_now = (struct sm_short){.why = SM_SHORT_UNCACHED, .error = sm_backing_refusal()};
    return false;
}

static void describe(uint32_t page, size_t length, const struct memory *memory)
{
    size_t blocks = memory->kind == SM_KIND_SECRET
                        ? in_blocks((uintptr_t)sm_page_address(page), length)
                        : 0;

    for (size_t i = 0; i < length >> SM_PAGE_SHIFT; i++) {
        struct sm_page *entry = &sm_arena.pages[page + i];
        entry->kind = (uint8_t)memory->kind;
        entry->huge = i << SM_PAGE_SHIFT < blocks;
        entry->uncached = memory->uncached;
        entry->copied = false;
    }
}

/* Returns the number of bytes mapped. */
static size_t map_chunk(unsigned p, uint32_t page, size_t need, size_t wish)
{
    struct memory memory = {SM_KIND_NONE, false};
    char *at = sm_page_address(page);
    size_t length = wish;
    int error = map_some(p, at, length, &memory), refused;

    if (error && sm_backing_reclaimed())
        error = map_some(p, at, length, &memory);
    /* Where mapped length counts against the limit, a smaller chunk may still fit. */
    while (error == -EAGAIN && length > need) {
        length = sm_max(need, sm_min(sm_round_up(length / 2, sm_os_page), SM_CHUNK_LEAST));
        error = map_some(p, at, length, &memory);
    }
    if (error && memory.kind == SM_KIND_SECRET && sm_backing_may_degrade(p)) {
        refused = error;
        memory = (struct memory){SM_KIND_LOCKED, false};
        /* Maps little at a time, because secret memory is short now but perhaps not later. */
        length = error == -EAGAIN ? sm_max(need, sm_min(wish, SM_CHUNK_LEAST)) : wish;
        error = sm_pages_map_anonymous(at, length);
        if (!error)
            sm_short_degraded(SM_KIND_LOCKED, refused);
    }
    if (error) {
        backing_note(p, error, length);
        return 0;
    }
    error = sm_sealed_protect(p, at, length);
    if (error) {
        sm_pages_discard(at, length);
        sm_short_by(error, length);
        return 0;
    }
    describe(page, length, &memory);
    /*
     * This thread is in an atfork handler, after the arena was made inheritable for this child.
     */
    if (sm_window_is_mine() && !(sm_settings.fork == SM_FORK_DENY && p == SM_PART_BYTES)) {
        error = sm_pages_inherit(at, length, true);
        if (error)
            return sm_short_by(error, length);
    }
    return length;
}

/*
 * Where the kernel has huge blocks for secret memory, a large partition is mapped in blocks.
 * Returns their size in bytes, or 0. Smaller partitions are not, because the first access to a
 * block populates all of it. From this size on, a child's copy needs the block size too, and it
 * might then be too late to ask the kernel.
 */
static size_t block_size(unsigned p, uint32_t page, size_t bytes)
{
    size_t before = (size_t)(page - sm_arena.part[p].first) << SM_PAGE_SHIFT;

    if (before + bytes < SM_HUGE_LEAST || !sm_backing_secret(p))
        return 0;
    return before < SM_HUGE_LEAST && bytes < SM_HUGE_LEAST ? 0 : sm_secretmem_huge_size();
}

/* Returns the bytes of the file that begins at a page, when so many are wanted and possible. */
static size_t file_length(uint32_t page, size_t wish, size_t block)
{
    uintptr_t at = (uintptr_t)sm_page_address(page);
    size_t chunk = (size_t)sm_arena.chunk << SM_PAGE_SHIFT;

    if (block && at % block == 0 && wish >= block)
        return block;
    return sm_min(wish, chunk - at % chunk);
}

/* Takes back what was mapped of something that does not fit, for others that do. */
static void undo(uint32_t page, size_t length)
{
    if (length == 0 || sm_pages_discard(sm_page_address(page), length) != 0)
        return;
    for (size_t i = 0; i < length >> SM_PAGE_SHIFT; i++) {
        struct sm_page *entry = &sm_arena.pages[page + i];
        entry->kind = SM_KIND_NONE;
        entry->huge = entry->uncached = false;
    }
}

/*
 * Maps files until there is what is needed. Returns the number of bytes mapped, 0 if it is not
 * all to be had.
 */
static size_t map_files(unsigned p, uint32_t page, size_t need, size_t wish)
{
    size_t block = block_size(p, page, wish), done = 0, length, got = 1;

    while (done < need && got != 0) {
        uint32_t at = page + (uint32_t)(done >> SM_PAGE_SHIFT);
        length = file_length(at, wish - done, block);
        got = map_chunk(p, at, sm_min(need - done, length), length);
        done += got;
    }
    if (done >= need)
        return done;
    undo(page, done);
    return 0;
}

static size_t room_left(void)
{
    size_t mapped = __atomic_load_n(&sm_arena.mapped, __ATOMIC_RELAXED);

    return sm_arena.cap > mapped ? sm_arena.cap - mapped : 0;
}

/*
 * Returns the bytes to map from a page on, at most `most`: up to the end of the chunk or block
 * in which what is needed ends.
 */
static size_t wish_for(unsigned p, uint32_t page, size_t need, size_t most)
{
    size_t unit = (size_t)sm_arena.chunk << SM_PAGE_SHIFT, block;
    uintptr_t at = (uintptr_t)sm_page_address(page);
    size_t before = (size_t)(page - sm_arena.part[p].first) << SM_PAGE_SHIFT;

    block = block_size(p, page, need);
    /* Chunks up to the next block, if they are enough, so that whole blocks follow. */
    if (block && (at % block == 0 || sm_round_up(at, block) - at < need))
        unit = block;
    else /* Large chunks are filled little by little, so that nobody takes a whole limit at
            once. */
        unit = sm_min(unit, sm_max(before, SM_CHUNK_LEAST));
    /* All partitions share the arena, so a small arena is mapped in small chunks. */
    unit = sm_min(unit, sm_round_up(sm_arena.cap / 16, sm_os_page));
    if (unit & (unit - 1))
        return sm_min(sm_max(unit, need), most);
    return sm_min(sm_round_up(at + need, unit) - at, most);
}

uint32_t sm_backing_fill(unsigned p, uint32_t page, uint32_t pages, uint32_t most)
{
    struct sm_partition *part = &sm_arena.part[p];
    size_t need = sm_round_up((size_t)pages << SM_PAGE_SHIFT, sm_os_page);
    size_t room = room_left() & ~(sm_os_page - 1), wish, got;
    int error;

    if (sm_arena.fixed)
        return sm_short_of(SM_SHORT_FIXED);
    if (need > room)
        return sm_short_of(SM_SHORT_CAP);
    if (pages > most)
        return sm_short_of(part->shrunk ? SM_SHORT_SPACE : SM_SHORT_CAP);
    wish = wish_for(p, page, need, sm_min(room, (size_t)most << SM_PAGE_SHIFT));
    error = commit(part, page + (uint32_t)(wish >> SM_PAGE_SHIFT));
    if (error)
        return sm_short_by(error, wish);
    /*
     * Other partitions grow at the same time, so the size is claimed before memory is mapped.
     */
    if (__atomic_add_fetch(&sm_arena.mapped, wish, __ATOMIC_RELAXED) > sm_arena.cap) {
        __atomic_fetch_sub(&sm_arena.mapped, wish, __ATOMIC_RELAXED);
        return sm_short_of(SM_SHORT_CAP);
    }
    got = map_files(p, page, need, wish);
    __atomic_fetch_sub(&sm_arena.mapped, wish - got, __ATOMIC_RELAXED);
    sm_count(&sm_stats.mapped, got);
    sm_probe(grow, got);
    return (uint32_t)(got >> SM_PAGE_SHIFT);
}

bool sm_backing_grow(unsigned p, uint32_t pages)
{
    struct sm_partition *part = &sm_arena.part[p];
    uint32_t end = (uint32_t)sm_min(part->first + (sm_arena.cap >> SM_PAGE_SHIFT), part->end);
    uint32_t got =
        sm_backing_fill(p, part->mapped, pages, end - (uint32_t)sm_min(end, part->mapped));

    part->mapped += got;
    return got >= pages;
}

static void count_range(unsigned p, uint32_t page, uint32_t end, int sign)
{
    for (; page < end; page++) {
        if (sm_arena.pages[page].present)
            sm_backing_count(p, &sm_arena.pages[page], sign);
    }
}

bool sm_backing_empty(unsigned p, uint32_t page, uint32_t pages)
{
    size_t length = (size_t)pages << SM_PAGE_SHIFT;
    char *at = sm_page_address(page);

    /* First, because figures that claim more than the kernel has mapped would be false. */
    count_range(p, page, page + pages, -1);
    if (sm_pages_discard(at, length) != 0) {
        count_range(p, page, page + pages, 1);
        return false;
    }
    /* A program that locks its future memory has locked the address space too. */
    sm_pages_unlock(at, length);
    for (uint32_t i = page; i < page + pages; i++) {
        struct sm_page *entry = &sm_arena.pages[i];
        entry->kind = SM_KIND_NONE;
        entry->present = entry->huge = entry->uncached = false;
    }
    __atomic_fetch_sub(&sm_arena.mapped, length, __ATOMIC_RELAXED);
    sm_count(&sm_stats.mapped, -length);
    sm_count(&sm_stats.returned_bytes, length);
    return true;
}
