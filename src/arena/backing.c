/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/backing.h"
#include "arena/fork_window.h"
#include "arena/shortage.h"
#include "base/counters.h"
#include "base/settings.h"
#include "log/lapse.h"
#include "log/log.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include <errno.h>

#define CHUNK_MOST   (4 * SM_MIB)
#define COMMIT_PAGES 1024 /* table entries committed at a time */

static struct sm_lock present_lock; /* runs share kernel pages larger than SM_PAGE */
bool (*sm_backing_reclaim)(void);

static bool never_uncached; /* this machine has no uncached memory */
static int uncached_error;  /* the error that refused required uncached memory, or 0 */

bool sm_backing_secret(unsigned part)
{
    return sm_settings.route == SM_ROUTE_ALL || part == SM_PART_BYTES || part == SM_PART_KEY;
}

unsigned sm_backing_flags(unsigned part)
{
    if (part != SM_PART_BYTES || sm_settings.uncached == SM_UNCACHED_OFF ||
        __atomic_load_n(&never_uncached, __ATOMIC_RELAXED))
        return 0;
    return SM_SECRET_UNCACHED;
}

void sm_backing_raise_limit(void)
{
    static bool raised;

    /* Twice the arena, because under per-user accounting a child's copy counts as well. */
    if (!__atomic_exchange_n(&raised, true, __ATOMIC_RELAXED))
        sm_pages_raise_limit(2 * (sm_arena.span ? sm_arena.cap : sm_settings.arena_size));
}

/*
 * The error may mean that this kernel or processor has no uncached memory, or that the process
 * lacks a privilege, which it perhaps gave up.
 */
static bool may_mean_flags(int error)
{
    return error == -EINVAL || error == -EOPNOTSUPP || error == -EPERM;
}

static void say_cached(int error)
{
    sm_lapse(SM_LAPSE_CACHED,
             "SECRETSSL_UNCACHED: the kernel refuses uncached "
             "memory (%s): key bytes are in cached secret memory",
             sm_errno_name(error));
    /* A privilege may come back (seteuid); the other causes stay. */
    if (error != -EPERM)
        __atomic_store_n(&never_uncached, true, __ATOMIC_RELAXED);
}

static void refuse_cached(struct sm_secret_map *map, int error)
{
    sm_pages_discard(map->address, map->length);
    map->error = error;
    __atomic_store_n(&uncached_error, error, __ATOMIC_RELAXED);
    sm_short_cached(error);
}

int sm_backing_map_secret(unsigned part, struct sm_secret_map *map)
{
    int refused;

    map->flags = sm_backing_flags(part);
    sm_pages_map_secret(map);
    refused = map->error;
    if (map->flags == 0 || !may_mean_flags(refused))
        return refused;
    map->flags = 0;
    sm_pages_map_secret(map);
    /*
     * A filter gives the same answer to both calls, so the flag was not the cause: there is no
     * secret memory.
     */
    if (map->error)
        return map->error;
    if (sm_settings.uncached == SM_UNCACHED_REQUIRE)
        refuse_cached(map, refused);
    else
        say_cached(refused);
    return map->error;
}

/*
 * Whether uncached memory is required in this partition and was refused. If so, blocks that do
 * not fit any more fail.
 */
static bool is_refused(unsigned part)
{
    return part == SM_PART_BYTES && __atomic_load_n(&uncached_error, __ATOMIC_RELAXED);
}

bool sm_backing_may_degrade(unsigned part)
{
    return !sm_settings.require && !is_refused(part);
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

/* The properties of a chunk. */
struct chunk {
    enum sm_kind kind;
    bool uncached;
};

static int map_some(unsigned p, size_t length, struct chunk *chunk)
{
    char *at = sm_page_address(sm_arena.part[p].mapped);
    struct sm_secret_map map = {.address = at, .length = length};
    int error;

    if (!sm_backing_secret(p)) {
        chunk->kind = SM_KIND_ORDINARY;
        return sm_pages_map_anonymous(at, length);
    }
    sm_backing_raise_limit();
    chunk->kind = SM_KIND_SECRET;
    error = sm_backing_map_secret(p, &map);
    chunk->uncached = map.flags == SM_SECRET_UNCACHED;
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
    if (!is_refused(part))
        return sm_short_by(error, length);
    sm_short_now = (struct sm_short){
        .why = SM_SHORT_UNCACHED, .error = __atomic_load_n(&uncached_error, __ATOMIC_RELAXED)};
    return false;
}

static bool reclaim(void)
{
    return sm_backing_reclaim && sm_backing_reclaim();
}

/* Returns the number of bytes mapped. */
static size_t map_chunk(unsigned p, size_t need, size_t wish)
{
    struct sm_partition *part = &sm_arena.part[p];
    struct chunk chunk = {SM_KIND_NONE, false};
    size_t length = wish, blocks = 0;
    int error = map_some(p, length, &chunk), refused;

    if (error && reclaim())
        error = map_some(p, length, &chunk);
    /* Where mapped length counts against the limit, a smaller chunk may still fit. */
    while (error == -EAGAIN && length > need) {
        length = sm_max(need, sm_round_up(length / 2, sm_os_page));
        error = map_some(p, length, &chunk);
    }
    if (error && chunk.kind == SM_KIND_SECRET && sm_backing_may_degrade(p)) {
        refused = error;
        chunk = (struct chunk){SM_KIND_LOCKED, false};
        /* Maps little at a time, because secret memory is short now but perhaps not later. */
        length = error == -EAGAIN ? sm_max(need, sm_min(wish, SM_CHUNK_FIRST)) : wish;
        error = sm_pages_map_anonymous(sm_page_address(part->mapped), length);
        if (!error)
            sm_short_degraded(SM_KIND_LOCKED, refused);
    }
    if (error) {
        backing_note(p, error, length);
        return 0;
    }
    if (chunk.kind == SM_KIND_SECRET)
        blocks = in_blocks((uintptr_t)sm_page_address(part->mapped), length);
    for (size_t i = 0; i < length >> SM_PAGE_SHIFT; i++) {
        struct sm_page *page = &sm_arena.pages[part->mapped + i];
        page->kind = (uint8_t)chunk.kind;
        page->huge = i << SM_PAGE_SHIFT < blocks;
        page->uncached = chunk.uncached;
    }
    /*
     * This thread is in an atfork handler, after the arena was made inheritable for this child.
     */
    if (sm_window_is_mine() && !(sm_settings.fork == SM_FORK_DENY && p == SM_PART_BYTES)) {
        error = sm_pages_inherit(sm_page_address(part->mapped), length, true);
        if (error)
            return sm_short_by(error, length);
    }
    part->mapped += (uint32_t)(length >> SM_PAGE_SHIFT);
    return length;
}

/*
 * Where the kernel has huge blocks for secret memory, a chunk as large as a block begins and
 * ends at block boundaries. Smaller chunks stay unaligned, because the first access to a block
 * populates all of it.
 */
static size_t whole_blocks(unsigned p, size_t need, size_t wish)
{
    const struct sm_partition *part = &sm_arena.part[p];
    size_t have = (size_t)(part->mapped - part->first) << SM_PAGE_SHIFT;
    uintptr_t at = (uintptr_t)sm_page_address(part->mapped);
    size_t block;

    /*
     * From this size on, a child's copy needs the block size too, and it might then be too late
     * to ask the kernel.
     */
    if (have + wish < SM_HUGE_LEAST || !sm_backing_secret(p))
        return wish;
    block = sm_secretmem_huge_size();
    if (block == 0 || wish < block)
        return wish;
    /*
     * Maps the rest up to the next block boundary, if that is enough, so that whole blocks
     * follow.
     */
    if (at % block != 0 && sm_round_up(at, block) - at >= need)
        return sm_round_up(at, block) - at;
    return sm_round_up(at + wish, block) - at;
}

static size_t room_left(void)
{
    size_t mapped = __atomic_load_n(&sm_arena.mapped, __ATOMIC_RELAXED);

    return sm_arena.cap > mapped ? sm_arena.cap - mapped : 0;
}

bool sm_backing_grow(unsigned p, uint32_t pages)
{
    struct sm_partition *part = &sm_arena.part[p];
    size_t need = sm_round_up((size_t)pages << SM_PAGE_SHIFT, sm_os_page);
    size_t room = room_left();
    size_t have = (size_t)(part->mapped - part->first) << SM_PAGE_SHIFT;
    size_t wish = sm_min(sm_max(have, SM_CHUNK_FIRST), CHUNK_MOST);
    uint32_t end = (uint32_t)sm_min(part->first + (sm_arena.cap >> SM_PAGE_SHIFT), part->end);
    size_t got;
    int error;

    if (sm_arena.fixed)
        return sm_short_of(SM_SHORT_FIXED);
    if (need > room)
        return sm_short_of(SM_SHORT_CAP);
    if (part->mapped + (need >> SM_PAGE_SHIFT) > end)
        return sm_short_of(part->shrunk ? SM_SHORT_SPACE : SM_SHORT_CAP);
    /* All partitions share the arena, so a small arena is mapped in small chunks. */
    wish = sm_min(wish, sm_round_up(sm_arena.cap / 16, sm_os_page));
    wish = whole_blocks(p, need, sm_max(wish, need));
    wish = sm_min(wish, room & ~(sm_os_page - 1));
    wish = sm_min(wish, (size_t)(end - part->mapped) << SM_PAGE_SHIFT);
    error = commit(part, part->mapped + (uint32_t)(wish >> SM_PAGE_SHIFT));
    if (error)
        return sm_short_by(error, wish);
    /*
     * Other partitions grow at the same time, so the size is claimed before memory is mapped.
     */
    if (__atomic_add_fetch(&sm_arena.mapped, wish, __ATOMIC_RELAXED) > sm_arena.cap) {
        __atomic_fetch_sub(&sm_arena.mapped, wish, __ATOMIC_RELAXED);
        return sm_short_of(SM_SHORT_CAP);
    }
    got = map_chunk(p, need, wish);
    __atomic_fetch_sub(&sm_arena.mapped, wish - got, __ATOMIC_RELAXED);
    sm_count(&sm_stats.mapped, got);
    return got != 0;
}

static int lock_page(struct sm_page *page, char *at)
{
    int error = sm_pages_lock(at, sm_os_page, false);

    if (error) {
        page->kind = SM_KIND_PLAIN;
        sm_short_degraded(SM_KIND_PLAIN, error);
    }
    sm_count(&sm_stats.degraded, 1);
    return 0;
}

int sm_backing_present(struct sm_page *page, char *at)
{
    int error;

    switch (page->kind) {
    case SM_KIND_SECRET:
        error = sm_pages_populate(at);
        if (error && reclaim())
            error = sm_pages_populate(at);
        if (error == 0)
            return 0;
        if (sm_settings.require || sm_pages_map_anonymous(at, sm_os_page) != 0)
            return error;
        sm_short_degraded(SM_KIND_LOCKED, error);
        page->kind = SM_KIND_LOCKED;
        return lock_page(page, at);
    case SM_KIND_LOCKED:
        return lock_page(page, at);
    default:
        return 0;
    }
}

/* Returns false for a secret page after a filter that would kill for populating it. */
static bool may_present(const struct sm_page *page)
{
    return page->kind != SM_KIND_SECRET || !sm_seccomp_forbids(SM_CALL_SIGPROCMASK);
}

static bool backing_make_present(struct sm_page *page, char *at)
{
    int error;

    if (!may_present(page))
        return sm_short_of(SM_SHORT_FIXED);
    error = sm_backing_present(page, at);
    return error ? sm_short_by(error, sm_os_page) : true;
}

bool sm_backing_uncached(const struct sm_page *page)
{
    return page->kind == SM_KIND_SECRET && page->uncached;
}

static void count_present(unsigned part, const struct sm_page *page, uint32_t pages)
{
    sm_stats_pages(part, page->kind, pages);
    if (sm_backing_uncached(page))
        sm_count(&sm_stats.uncached_pages, pages);
}

bool sm_backing_populate(uint32_t first, uint32_t pages)
{
    uint32_t per_os = (uint32_t)(sm_os_page >> SM_PAGE_SHIFT);
    bool good = true;

    if (per_os > 1)
        sm_lock_take(&present_lock);
    for (uint32_t i = first; i < first + pages && good; i++) {
        uint32_t os = i & ~(per_os - 1);
        struct sm_page *page = &sm_arena.pages[os];
        if (sm_arena.pages[i].present)
            continue;
        good = backing_make_present(page, sm_page_address(os));
        sm_count(&sm_stats.faults, good);
        for (uint32_t j = os; good && j < os + per_os; j++) {
            sm_arena.pages[j].kind = page->kind;
            sm_arena.pages[j].present = true;
        }
        if (good)
            count_present(sm_part_of(sm_page_address(os)), page, per_os);
    }
    if (per_os > 1)
        sm_lock_drop(&present_lock);
    return good;
}
