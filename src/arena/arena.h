/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arena: one reserved range, cut into partitions, in which page runs come and go.
 *
 *   base                                                          tables, elsewhere
 *   | partition 0 | partition 1 | ... |   <- off / 16 ->  state[]: one uint16_t a granule
 *     ^mapped..^                          <- off / 4096 -> pages[]: one sm_page a page
 *                                                          bins[]: one byte a page
 *
 * A partition's pages lie in [0, top): given out or on its free lists; [top,
 * mapped): secret memory not used yet; from mapped on: nothing. The reservation behind a
 * partition's last page is its guard.
 */
#ifndef SM_ARENA_ARENA_H
#define SM_ARENA_ARENA_H

#include "arena/size_class.h"
#include "base/common.h"
#include "base/memory_kind.h"
#include "os/futex_lock.h"

/*
 * BODY: of a slab or a large block. GUARD: no access; belongs to the run before it. RETAINED: a
 * large block that was freed and keeps its guard for the next one.
 */
enum sm_use {
    SM_USE_NONE,
    SM_USE_FREE,
    SM_USE_SLAB,
    SM_USE_LARGE,
    SM_USE_BODY,
    SM_USE_WITHHELD,
    SM_USE_GUARD,
    SM_USE_RETAINED,
};

struct sm_page {
    union {
        uint64_t free_slots[SM_SLOTS_MAX / 64]; /* SLAB: a bit for each */
        uint64_t size;                          /* LARGE: bytes asked for */
    };
    uint32_t next, prev; /* in a list of runs; page numbers, 0: none */
    uint32_t pages;      /* of the run, at its first and last page; without its guard */
    uint16_t free_count; /* SLAB */
    uint8_t class;       /* SLAB */
    uint8_t kind;        /* enum sm_kind */
    uint8_t use;         /* enum sm_use */
    uint8_t back;        /* BODY of a slab: pages back to its first */
    uint8_t shard;       /* SLAB */
    bool present;        /* may be touched */
    bool listed;         /* SLAB: on its class's list of those with room */
    bool moved;          /* while a child makes its copy */
    bool huge;           /* in a chunk of the kernel's whole blocks */
    bool uncached; /* in a chunk that the kernel gave as uncached, if it is secret still */
};
/* One for each page of address space: what is added to it costs. */
_Static_assert(sizeof(struct sm_page) == SM_SLOTS_MAX / 8 + 24, "no padding, and no more");

#define SM_RUN_LISTS      24
#define SM_RETAINED_PAGES 32 /* the largest run that is retained with its guard */

struct sm_partition {
    struct sm_lock lock;
    uint32_t first; /* page numbers */
    bool shrunk;    /* a limit on address space took the rest */
    uint32_t end;   /* behind the last that may be used: there is room for a guard */
    uint32_t top, mapped;
    uint32_t committed; /* tables are there up to this page */
    uint32_t free_pages;
    uint32_t free[SM_RUN_LISTS]; /* runs of 1, 2, ... 16 pages, then by powers of two */
    uint32_t retained[SM_RETAINED_PAGES + 1]; /* by length */
    uint32_t retained_pages;                  /* with their guards */
};

struct sm_arena {
    /* What every malloc and free reads; read-only once it is known (sm_heap_seal) */
    union {
        struct {
            uintptr_t base;       /* 0: none yet */
            size_t span;          /* bytes, all partitions */
            uintptr_t state_bias; /* see sm_state_of() */
            uint8_t *bins;        /* a byte a page: the thread cache's bin of its slots, or 0 */
            uint16_t *state;
            struct sm_page *pages;
            unsigned part_shift;
        };
        char own_page[SM_SEAL_PAGE];
    };

    size_t cap;        /* bytes of all partitions that may be mapped */
    size_t mapped;     /* bytes */
    bool fixed;        /* a seccomp filter forbids to map more */
    uint32_t external; /* ranges of secret memory outside, which fork/external_pages.c keeps */
    struct sm_partition part[SM_PARTS];
} __attribute__((aligned(SM_SEAL_PAGE)));

extern SM_LOCAL struct sm_arena sm_arena;

/*
 * State of a granule. At the start of a live block the requested size, or LARGE, EMPTY (the
 * size is 0), or WITHHELD (a child was not given the contents); 0: never given out, or
 * interior. A state outlives its page run until a slab takes the pages, so that a late second
 * free is recognised.
 */
#define SM_STATE_EMPTY     0x7ffd
#define SM_STATE_WITHHELD  0x7ffe
#define SM_STATE_LARGE     0x7fff
#define SM_STATE_FREE      0x8000
#define SM_STATES_PER_PAGE (SM_PAGE / SM_GRANULE)

static inline bool sm_state_live(uint16_t state)
{
    return state && !(state & SM_STATE_FREE);
}

/* Of a live block in a slab */
static inline size_t sm_state_size(uint16_t state)
{
    return state == SM_STATE_EMPTY ? 0 : state;
}

static inline bool sm_arena_owns(const void *p)
{
    size_t span = __atomic_load_n(&sm_arena.span, __ATOMIC_ACQUIRE);

    return (uintptr_t)p - sm_arena.base < span;
}

static inline size_t sm_offset(const void *p)
{
    return (uintptr_t)p - sm_arena.base;
}

static inline uint32_t sm_page_number(const void *p)
{
    return (uint32_t)(sm_offset(p) >> SM_PAGE_SHIFT);
}

static inline char *sm_page_address(uint32_t page)
{
    return (char *)(sm_arena.base + ((uintptr_t)page << SM_PAGE_SHIFT));
}

/* Pages behind a partition's end that are never used */
#define SM_PART_TAIL (3 * (uint32_t)(sm_os_page >> SM_PAGE_SHIFT))

/* Of all that it has in the reservation */
static inline uint32_t sm_part_pages(void)
{
    return (uint32_t)(((size_t)1 << sm_arena.part_shift) >> SM_PAGE_SHIFT);
}

static inline unsigned sm_part_of(const void *p)
{
    return (unsigned)(sm_offset(p) >> sm_arena.part_shift);
}

/* p is aligned to a granule. A 16th of the offset, 2 bytes each: an eighth of the address. */
static inline uint16_t *sm_state_at(const void *p)
{
    return (uint16_t *)(sm_arena.state_bias + ((uintptr_t)p >> (SM_GRANULE_SHIFT - 1)));
}

static inline uint16_t *sm_state_of(const void *p)
{
    return sm_state_at((const void *)((uintptr_t)p & ~(uintptr_t)(SM_GRANULE - 1)));
}

/* The bin of the page that p is in */
static inline unsigned sm_bin_at(const void *p)
{
    return sm_arena.bins[sm_offset(p) >> SM_PAGE_SHIFT];
}

static inline size_t sm_large_size(uint32_t page)
{
    return sm_arena.pages[page].size;
}

/* From now on, or as soon as there is an arena, where it lies is read-only. */
void sm_arena_seal(void);

/* Reserves the range. Once, under the heap's start lock. False: no address space. */
bool sm_arena_init(void);

/*
 * After mlockall(): what is reserved and the tables are not to count as locked memory. What is
 * mapped stays as it is. Not inside.
 */
void sm_arena_unlock(void);

/*
 * The program is about to allow itself no more address space than this: what the arena has
 * reserved beyond an eighth of it, and does not use, is given back for good. Inside.
 */
void sm_arena_shrink(size_t allowed);

#endif
