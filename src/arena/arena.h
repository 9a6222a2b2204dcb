/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arena: one reserved range, cut into partitions, in which page runs come and go.
 *
 *   base                                                          tables, elsewhere
 *   | partition 0 | partition 1 | ... |   <- off / 16 ->  state[]: one uint16_t a granule
 *     ^mapped..^                          <- off / 4096 -> pages[]: one sm_page a page
 *                                                          bins[]: one byte a page
 *
 * A partition's pages lie in [0, top): given out, on its free lists, or holes, whose memory
 * went back to the kernel (scavenge.h); [top, mapped): secret memory not used yet; from mapped
 * on: nothing. The reservation behind a partition's last page is its guard.
 *
 * Memory is mapped in chunks: aligned ranges with a secret file each, because the kernel takes
 * back whole files only.
 */
#ifndef SM_ARENA_ARENA_H
#define SM_ARENA_ARENA_H

#include "arena/size_class.h"
#include "base/common.h"
#include "base/memory_kind.h"
#include "os/futex_lock.h"
#include "os/pages.h"

/*
 * BODY: a further page of a slab or a large block. GUARD: a page without access, which belongs
 * to the run before it. RETAINED: a large block that was freed and keeps its guard page for the
 * next large block. HOLE: the first and the last page of free address space without memory.
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
    SM_USE_HOLE,
};

struct sm_page {
    union {
        uint64_t free_slots[SM_SLOTS_MAX / 64]; /* SLAB: a bit for each slot */
        uint64_t size;                          /* LARGE: the requested size in bytes */
    };
    uint32_t next, prev; /* page numbers in a list of runs, 0: none */
    uint32_t pages;      /* length of the run, at its first and last page; without the guard */
    uint16_t free_count; /* SLAB */
    uint8_t class;       /* SLAB */
    uint8_t kind;        /* enum sm_kind */
    uint8_t use;         /* enum sm_use */
    uint8_t back;        /* BODY of a slab: distance in pages to the slab's first page */
    uint8_t shard;       /* SLAB */
    bool present;        /* may be touched */
    bool listed;         /* SLAB: on its class's list of slabs with free slots */
    bool moved;          /* while a child makes its copy */
    /* Of the page's chunk: */
    bool huge : 1;     /* the kernel backs it with whole huge blocks */
    bool uncached : 1; /* it was mapped uncached, if the page is still secret */
    bool copied : 1;   /* it is no file of its own, but part of a copy made at a fork */
};
/* There is an entry for each page of address space, so every added byte costs. */
_Static_assert(sizeof(struct sm_page) == SM_SLOTS_MAX / 8 + 24, "no padding, and no more");

#define SM_CHUNK_LEAST (64 * SM_KIB) /* bytes */
#define SM_CHUNKS_MOST 4096          /* of an arena as large as its cap; each is a mapping */
#define SM_COPIED_MOST 256           /* the same, where the kernel copies chunks at fork */

#define SM_RUN_LISTS      24
#define SM_BANDS          8  /* of addresses in a partition, see sm_band_of() */
#define SM_RETAINED_PAGES 32 /* the largest run that is retained with its guard */

struct sm_partition {
    struct sm_lock lock;
    uint32_t first; /* page numbers */
    bool shrunk;    /* an address space limit took the rest */
    uint32_t end;   /* behind the last usable page; a guard fits behind it */
    uint32_t top, mapped;
    uint32_t committed; /* the tables are committed up to this page */
    uint32_t free_pages, hole_pages;
    uint32_t free_low;        /* the fewest free and retained pages since sm_scavenge_plan() */
    uint32_t surplus;         /* pages to be given back to the kernel */
    unsigned surplus_kinds;   /* the kinds of memory that may be: bits of enum sm_kind */
    uint32_t ahead;           /* pages that were asked for ahead of use, and stay */
    bool may_empty;           /* a free run became as long as a chunk */
    uint32_t lists[SM_BANDS]; /* a bit for each list that has runs */
    uint32_t free[SM_BANDS][SM_RUN_LISTS]; /* of 1, 2, ... 16 pages, then by powers of two */
    uint32_t holes[SM_BANDS];
    uint32_t retained[SM_RETAINED_PAGES + 1]; /* retained runs by length */
    uint32_t retained_pages;                  /* retained pages, including guards */
};

struct sm_arena {
    /*
     * Every malloc and free reads these fields. They are read-only once known (sm_heap_seal).
     */
    union {
        struct {
            uintptr_t base;       /* 0: no arena yet */
            size_t span;          /* bytes, all partitions */
            uintptr_t state_bias; /* see sm_state_of() */
            uint8_t *bins; /* a byte a page: the thread cache's bin of the page's slots, or 0 */
            uint16_t *state;
            struct sm_page *pages;
            unsigned part_shift;
        };
        char own_page[SM_SEAL_PAGE];
    };

    size_t cap;        /* bytes that all partitions together may map */
    size_t mapped;     /* bytes */
    uint32_t chunk;    /* pages, a power of two */
    bool fixed;        /* a seccomp filter forbids to map more memory */
    uint32_t external; /* secret ranges outside the arena (fork/external_pages.c) */
    struct sm_partition part[SM_PARTS];
} __attribute__((aligned(SM_SEAL_PAGE)));

extern SM_LOCAL struct sm_arena sm_arena;

/*
 * State of a granule. At the start of a live block: the requested size, or LARGE, EMPTY (the
 * size is 0), NOTHING (the same, at an address without memory), or WITHHELD (a child was not
 * given the contents). 0: never given out, or in the
 * interior of a block. A state outlives its page run until a slab takes the pages, so that a
 * late second free is recognised.
 */
#define SM_STATE_NOTHING   0x7ffc
#define SM_STATE_EMPTY     0x7ffd
#define SM_STATE_WITHHELD  0x7ffe
#define SM_STATE_LARGE     0x7fff
#define SM_STATE_FREE      0x8000
#define SM_STATES_PER_PAGE (SM_PAGE / SM_GRANULE)

static inline bool sm_state_live(uint16_t state)
{
    return state && !(state & SM_STATE_FREE);
}

/* The requested size of a live block in a slab. */
static inline size_t sm_state_size(uint16_t state)
{
    return state == SM_STATE_EMPTY || state == SM_STATE_NOTHING ? 0 : state;
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

/* The number of SM_PAGE pages in one page of the kernel */
static inline uint32_t sm_pages_per_os(void)
{
    return (uint32_t)(sm_os_page >> SM_PAGE_SHIFT);
}

/* Pages behind a partition's end that are never used */
#define SM_PART_TAIL (3 * sm_pages_per_os())

/* All pages of a partition in the reservation, usable or not. */
static inline uint32_t sm_part_pages(void)
{
    return (uint32_t)(((size_t)1 << sm_arena.part_shift) >> SM_PAGE_SHIFT);
}

static inline unsigned sm_part_of(const void *p)
{
    return (unsigned)(sm_offset(p) >> sm_arena.part_shift);
}

/*
 * The state entry for p, which is aligned to a granule. The entry's offset is an eighth of the
 * address: a 16th of the offset, 2 bytes each.
 */
static inline uint16_t *sm_state_at(const void *p)
{
    return (uint16_t *)(sm_arena.state_bias + ((uintptr_t)p >> (SM_GRANULE_SHIFT - 1)));
}

static inline uint16_t *sm_state_of(const void *p)
{
    return sm_state_at((const void *)((uintptr_t)p & ~(uintptr_t)(SM_GRANULE - 1)));
}

/* The bin of the page that contains p. */
static inline unsigned sm_bin_at(const void *p)
{
    return sm_arena.bins[sm_offset(p) >> SM_PAGE_SHIFT];
}

static inline size_t sm_large_size(uint32_t page)
{
    return sm_arena.pages[page].size;
}

/*
 * The band of a page. Memory is given out from the lowest band that has any, so that the
 * highest bands become empty. Each band is as long as all bands below it.
 */
static inline unsigned sm_band_of(uint32_t page)
{
    unsigned log = sm_arena.part_shift - SM_PAGE_SHIFT;
    uint32_t unit = (page & (sm_part_pages() - 1)) >> sm_min(log - (SM_BANDS - 1), 9U);

    return unit == 0 ? 0 : sm_min(32U - (unsigned)__builtin_clz(unit), SM_BANDS - 1U);
}

/* Add a run to a list and remove it: *list is the number of its first page, 0: none. */
static inline void sm_list_add(uint32_t *list, uint32_t page)
{
    sm_arena.pages[page].prev = 0;
    sm_arena.pages[page].next = *list;
    if (*list)
        sm_arena.pages[*list].prev = page;
    *list = page;
}

static inline void sm_list_remove(uint32_t *list, uint32_t page)
{
    const struct sm_page *run = &sm_arena.pages[page];

    *(run->prev ? &sm_arena.pages[run->prev].next : list) = run->next;
    if (run->next)
        sm_arena.pages[run->next].prev = run->prev;
}

#define SM_TABLES 3 /* pages, state and bins */

struct sm_table_pages {
    void *start;
    size_t length; /* bytes; 0: none */
};

/*
 * Returns the kernel pages that hold a table's entries from page `from` to before page `to`;
 * with whole, only the kernel pages that hold no other entries.
 */
struct sm_table_pages sm_table_pages(unsigned table, uint32_t from, uint32_t to, bool whole);

/* Makes the base of the arena read-only now, or as soon as there is an arena. */
void sm_arena_seal(void);

/*
 * Reserves the range. Called once, with the heap's arena_lock held. Returns false if there is
 * no address space.
 */
bool sm_arena_init(void);

/*
 * Called after mlockall(), so that the reservation and the tables do not count as locked
 * memory. Mapped memory stays as it is. Called outside the allocator.
 */
void sm_arena_unlock(void);

/*
 * Called before the program limits its address space to allowed bytes. Gives back for good the
 * unused part of the reservation beyond an eighth of that limit. Called inside the allocator.
 */
void sm_arena_shrink(size_t allowed);

#endif
