/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/backing.h"
#include "fork/external_pages.h"
#include "fork/fork.h"
#include "heap/slab.h"
#include "os/pages.h"
#include <string.h>

#define PASSES_MAX 64
#define STEP       (256 * SM_KIB) /* bytes after which the parent is shown progress */

static bool copy_is_secret(uint32_t page)
{
    return sm_arena.pages[page].kind == SM_KIND_SECRET;
}

static bool part_has_secrets(unsigned p)
{
    for (uint32_t page = sm_arena.part[p].first; page < sm_arena.part[p].mapped; page++) {
        if (copy_is_secret(page))
            return true;
    }
    return false;
}

bool sm_fork_has_secrets(void)
{
    for (unsigned p = 0; sm_arena.span && p < SM_PARTS; p++) {
        if (part_has_secrets(p))
            return true;
    }
    return sm_external_pages(SM_KIND_SECRET) != 0;
}

static size_t part_length(unsigned p)
{
    return (size_t)(sm_arena.part[p].mapped - sm_arena.part[p].first) << SM_PAGE_SHIFT;
}

/* The address of a page's copy. */
static char *temp_of(unsigned p, uint32_t page, char *temp)
{
    return temp + ((size_t)(page - sm_arena.part[p].first) << SM_PAGE_SHIFT);
}

struct pass {
    struct sm_fork_copy *copy;
    char *from, *to; /* the partition, and the place of its copy */
    size_t since;    /* bytes copied since the parent was shown progress */
    bool failed, changed;
};

/*
 * Makes the whole run resident, because its free slots may be given out without a further
 * check.
 */
static void present_block(char *block, size_t size, size_t extent, void *arg)
{
    struct pass *pass = arg;
    uint32_t per_os = sm_pages_per_os();
    uint32_t page = sm_run_of(block), end;

    (void)size, (void)extent;
    end = page + sm_arena.pages[page].pages;
    for (page &= ~(per_os - 1); page < end && !pass->failed; page += per_os) {
        struct sm_page *entry = &sm_arena.pages[page];
        if (!entry->moved || entry->present)
            continue;
        pass->failed =
            sm_backing_present(entry, pass->to + (sm_page_address(page) - pass->from)) != 0;
        for (uint32_t i = 0; i < per_os; i++) {
            entry[i].present = true;
            entry[i].kind = entry->kind;
        }
        pass->copy->pages += per_os;
        ++*pass->copy->progress;
    }
}

static void copy_block(char *block, size_t size, size_t extent, void *arg)
{
    struct pass *pass = arg;

    (void)size;
    /* Copied page by page, because a block may lie in pages of two kinds. */
    while (extent) {
        size_t here = sm_min(extent, SM_PAGE - ((uintptr_t)block & (SM_PAGE - 1)));
        char *to = pass->to + (block - pass->from);
        if (sm_arena.pages[sm_page_number(block)].moved && memcmp(to, block, here) != 0) {
            memcpy(to, block, here);
            pass->changed = true;
        }
        block += here;
        extent -= here;
        /* Gigabytes take longer than the parent waits for a child without progress. */
        pass->since += here;
        if (pass->since >= STEP) {
            pass->since = 0;
            ++*pass->copy->progress;
        }
    }
}

/* The size of the kernel's huge blocks if it matters to a copy, else 0. */
static size_t block_for(unsigned p)
{
    return part_length(p) < SM_HUGE_LEAST ? 0 : sm_secretmem_huge_size();
}

static bool is_hole(uint32_t page)
{
    return sm_arena.pages[page].kind == SM_KIND_NONE;
}

/*
 * The end of the file that holds the copy of page, its first page. Where a file is long enough
 * for a huge block, the kernel may take and charge a whole block, asked for or not. So the copy
 * has whole blocks where the parent has them, and the parent's single pages go to files that
 * are too short for a block. A file ends at a hole, too.
 */
static uint32_t file_end(unsigned p, uint32_t page, size_t block)
{
    uint32_t most = sm_arena.part[p].mapped, end = page + 1;
    bool whole = sm_arena.pages[page].huge, hole = is_hole(page);

    if (block != 0 && !whole && !hole)
        most = (uint32_t)sm_min(most, page + (block >> (SM_PAGE_SHIFT + 1)));
    while (end < most && is_hole(end) == hole && sm_arena.pages[end].huge == whole)
        end++;
    return end;
}

/*
 * Reserves address space for a copy, with the block alignment of the partition, because only
 * such space can be mapped in whole blocks.
 */
static char *reserve_temp(unsigned p, size_t block)
{
    size_t length = part_length(p), before;
    char *from = sm_page_address(sm_arena.part[p].first);
    char *temp = sm_pages_reserve_anywhere(length + block);

    if (!temp || block == 0)
        return temp;
    before = (size_t)(from - temp) & (block - 1);
    if (before)
        sm_pages_unmap(temp, before);
    sm_pages_unmap(temp + before + length, block - before);
    return temp + before;
}

/*
 * Maps a file for the secret pages of a range, or other memory where there is no secret memory.
 */
static bool temp_file(unsigned p, uint32_t first, uint32_t end, char *at)
{
    struct sm_secret_map map = {
        .address = at, .length = (size_t)(end - first) << SM_PAGE_SHIFT, .to_move = true};
    enum sm_kind kind = SM_KIND_SECRET;

    if (sm_backing_map_secret(p, &map) != 0) {
        if (!sm_backing_may_degrade(p) || sm_pages_map_anonymous(at, map.length) != 0)
            return false;
        sm_short_degraded(SM_KIND_LOCKED, map.error);
        kind = SM_KIND_LOCKED;
    }
    for (uint32_t page = first; page < end; page++) {
        struct sm_page *entry = &sm_arena.pages[page];
        entry->moved = copy_is_secret(page);
        if (entry->moved) {
            entry->kind = (uint8_t)kind;
            /* the property of the copy, not of the original */
            entry->uncached = map.flags == SM_SECRET_UNCACHED;
            entry->present = false;
        }
    }
    return true;
}

/* Maps the copy of a partition's secret pages. None of these pages is resident. */
static bool temp_map(unsigned p, struct sm_fork_copy *copy)
{
    struct sm_partition *part = &sm_arena.part[p];
    size_t block = block_for(p);
    uint32_t page = part->first, end;
    bool good = true;

    copy->temp[p] = reserve_temp(p, block);
    if (!copy->temp[p])
        return false;
    for (; page < part->mapped && good; page = end) {
        end = file_end(p, page, block);
        good = is_hole(page) || temp_file(p, page, end, temp_of(p, page, copy->temp[p]));
    }
    return good;
}

/*
 * Copies, then compares until nothing changed. Other threads of the parent may write to live
 * blocks, but soon wait in malloc or free. A pass without a difference means that the whole
 * copy is the memory of one moment.
 */
static void copy_all(struct pass *passes, const struct sm_fork_copy *copy)
{
    bool changed = true;

    for (int i = 0; i < PASSES_MAX && changed; i++) {
        changed = false;
        for (unsigned p = 0; p < SM_PARTS; p++) {
            passes[p].changed = false;
            if (passes[p].to)
                sm_visit_live(p, copy_block, &passes[p]);
            changed = changed || passes[p].changed;
        }
        ++*copy->progress;
        changed = changed && copy->threads;
    }
}

const char *sm_fork_copy_make(struct sm_fork_copy *copy)
{
    struct pass passes[SM_PARTS] = {0};

    for (unsigned p = 0; p < SM_PARTS; p++) {
        struct pass *pass = &passes[p];
        if (!part_has_secrets(p) || (copy->deny && p == SM_PART_BYTES))
            continue;
        if (!temp_map(p, copy))
            return "no memory for a child's copy of the secrets";
        pass->copy = copy;
        pass->from = sm_page_address(sm_arena.part[p].first);
        pass->to = copy->temp[p];
        /* The slow part comes first, so that the copying is short. */
        sm_visit_live(p, present_block, pass);
        if (pass->failed)
            return "no secret memory for a child's copy of the secrets";
    }
    copy_all(passes, copy);
    return copy->deny ? NULL : sm_external_fork_copy(copy->progress, copy->threads);
}

/* The pages are of one kind. */
static bool move_range(uint32_t page, uint32_t end, char *temp)
{
    char *to = sm_page_address(page);
    size_t length = (size_t)(end - page) << SM_PAGE_SHIFT;
    bool secret = sm_arena.pages[page].kind == SM_KIND_SECRET;

    if (sm_pages_move(temp, to, length, secret) == 0)
        return true;
    /* Anonymous pages may be several mappings. */
    for (size_t at = 0; at < length; at += sm_os_page) {
        if (sm_pages_move(temp + at, to + at, sm_os_page, secret) != 0)
            return false;
    }
    return true;
}

/* Moves the pages of one file to their place. */
static bool place_file(unsigned p, uint32_t page, uint32_t stop, char *temp)
{
    bool good = true;
    uint32_t end;

    for (; page < stop && good; page = end) {
        struct sm_page *entry = &sm_arena.pages[page];
        end = page + 1;
        if (!entry->moved)
            continue;
        while (end < stop && sm_arena.pages[end].moved &&
               sm_arena.pages[end].kind == entry->kind)
            end++;
        good = move_range(page, end, temp_of(p, page, temp));
    }
    return good;
}

static bool place_part(unsigned p, char *temp)
{
    struct sm_partition *part = &sm_arena.part[p];
    size_t block = block_for(p);
    uint32_t page = part->first, end;
    bool good = true;

    for (; page < part->mapped && good; page = end) {
        end = file_end(p, page, block);
        good = place_file(p, page, end, temp);
    }
    for (page = part->first; page < part->mapped; page++)
        sm_arena.pages[page].moved = false;
    sm_pages_unmap(temp, part_length(p));
    return good;
}

static void lose_block(char *block, size_t size, size_t extent, void *arg)
{
    (void)size, (void)extent, (void)arg;
    *sm_state_of(block) = SM_STATE_WITHHELD;
}

bool sm_fork_withhold_keys(unsigned p)
{
    struct sm_partition *part = &sm_arena.part[p];

    if (part->mapped == part->first)
        return true;
    sm_visit_live(p, lose_block, NULL);
    for (uint32_t page = part->first; page < part->mapped; page++) {
        if (sm_arena.pages[page].kind != SM_KIND_NONE)
            sm_arena.mapped -= SM_PAGE; /* pages that an ancestor lost already do not count */
        sm_arena.pages[page].use = SM_USE_WITHHELD;
        sm_arena.pages[page].kind = SM_KIND_NONE;
        sm_arena.pages[page].present = false;
    }
    part->top = part->mapped;
    return sm_pages_discard(sm_page_address(part->first), part_length(p)) == 0;
}

const char *sm_fork_copy_place(struct sm_fork_copy *copy)
{
    for (unsigned p = 0; p < SM_PARTS; p++) {
        if (copy->temp[p] && !place_part(p, copy->temp[p]))
            return "a child's copy of the secrets could not be put in place";
    }
    return copy->deny ? NULL : sm_external_fork_install();
}
