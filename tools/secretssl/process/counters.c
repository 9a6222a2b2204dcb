/* SPDX-License-Identifier: Apache-2.0 */
#include "process/counters.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/pagemap.h"

enum {
    WINDOW = 1 << 18,
    /* Bounds against false data, far above the values of any real process. */
    MOST_CACHES = 1 << 17,
    SIZE_MOST = 1 << 16,
};

static const uint64_t most_searched = UINT64_C(1) << 30; /* bytes */

/* Before the first counter */
static const size_t head_size = offsetof(struct sm_stats, pages);

struct search {
    pid_t pid;
    int mem;
    struct presence *presence; /* NULL: not available, all pages are read */
    char *window;
    uint64_t searched;
    struct process_stats *stats;
};

static bool read_memory(int mem, void *into, size_t size, uint64_t address)
{
    return address <= INT64_MAX - size &&
           pread(mem, into, size, (off_t)address) == (ssize_t)size;
}

/* Adds the counts of live threads, which are in the threads' caches. */
static void add_caches(struct search *search, const struct sm_stats *one)
{
    struct process_stats *stats = search->stats;
    uint64_t at = one->caches, next;
    struct {
        uint64_t allocations, frees;
        int64_t live_bytes;
    } counts;

    for (size_t i = 0; at != 0; i++) {
        if (i == MOST_CACHES || at % sizeof(uint64_t) != 0 || one->cache_counts > SIZE_MOST ||
            one->cache_next > SIZE_MOST || at > INT64_MAX - SIZE_MOST ||
            !read_memory(search->mem, &counts, sizeof(counts), at + one->cache_counts) ||
            !read_memory(search->mem, &next, sizeof(next), at + one->cache_next)) {
            stats->cut_short = true;
            return;
        }
        stats->allocations += counts.allocations;
        stats->frees += counts.frees;
        stats->live_bytes =
            (int64_t)((uint64_t)stats->live_bytes + (uint64_t)counts.live_bytes);
        at = next;
    }
}

/* Adds all fields from the first counter to the end. They are 64-bit numbers. */
static void add_up(struct sm_stats *sum, const struct sm_stats *one)
{
    for (size_t at = head_size; at < sizeof(*sum); at += sizeof(uint64_t)) {
        uint64_t a, b;

        memcpy(&a, (const char *)sum + at, sizeof(a));
        memcpy(&b, (const char *)one + at, sizeof(b));
        a += b;
        memcpy((char *)sum + at, &a, sizeof(a));
    }
}

static void counters_take(struct search *search, const struct mapping *mapping,
                          uint64_t address)
{
    struct process_stats *stats = search->stats;
    struct sm_stats one = {0};

    if (!read_memory(search->mem, &one, head_size, address) || one.magic != SM_STATS_MAGIC ||
        one.size < head_size || one.size > SIZE_MOST || one.version == 0)
        return;
    if (one.version != SM_STATS_VERSION) {
        stats->other_version = one.version;
        return;
    }
    if (stats->count == STATS_MOST) {
        stats->cut_short = true;
        return;
    }

    /* An older build has fewer fields, and a newer build has more. Missing fields are 0. */
    size_t size = one.size < sizeof(one) ? one.size : sizeof(one);

    memset(&one, 0, sizeof(one));
    if (!read_memory(search->mem, &one, size, address))
        return;
    stats->found[stats->count++] = mapping;
    stats->allocations += one.allocations;
    stats->frees += one.frees;
    stats->live_bytes = (int64_t)((uint64_t)stats->live_bytes + (uint64_t)one.live_bytes);
    add_up(&stats->sum, &one);
    add_caches(search, &one);
}

static void look_through(struct search *search, const struct mapping *mapping, uint64_t from,
                         uint64_t end)
{
    static const uint64_t magic = SM_STATS_MAGIC;

    while (from < end) {
        size_t wish = end - from < WINDOW ? (size_t)(end - from) : WINDOW;
        ssize_t got =
            from <= INT64_MAX ? pread(search->mem, search->window, wish, (off_t)from) : -1;

        if (got < (ssize_t)sizeof(magic))
            return;
        search->searched += (uint64_t)got;
        if (search->searched > most_searched) {
            search->stats->cut_short = true;
            return;
        }
        for (size_t at = 0; at + sizeof(magic) <= (size_t)got; at += sizeof(magic)) {
            if (memcmp(search->window + at, &magic, sizeof(magic)) == 0)
                counters_take(search, mapping, from + at);
        }
        from += (uint64_t)got & ~(sizeof(magic) - 1);
    }
}

/*
 * Reads resident pages only, because reading others would populate pages in the process or wait
 * for its files.
 */
static void counters_look_at(struct search *search, const struct mapping *mapping)
{
    uint64_t at = mapping->start, start, stop;

    if (search->presence == NULL) {
        look_through(search, mapping, mapping->start, mapping->end);
        return;
    }
    while (!search->stats->cut_short &&
           presence_next(search->presence, at, mapping->end, &start, &stop) == 1 && stop > at) {
        look_through(search, mapping, start, stop);
        at = stop;
    }
}

void stats_read(pid_t pid, int mem, const struct process_map *map, struct process_stats *stats)
{
    struct search search = {.pid = pid, .mem = mem, .stats = stats};

    *stats = (struct process_stats){0};
    search.window = malloc(WINDOW);
    if (search.window == NULL) {
        stats->cut_short = true;
        return;
    }
    search.presence = presence_open(pid);
    for (size_t i = 0; i < map->count && !stats->cut_short; i++) {
        const struct mapping *mapping = &map->list[i];

        /*
         * The figures are initialised variables of an object, in its private, writable pages.
         */
        if (mapping->own_data && !mapping->anonymous && !mapping->kernel)
            counters_look_at(&search, mapping);
    }
    if (search.presence != NULL)
        presence_close(search.presence);
    free(search.window);
}
