/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory from the kernel, for the arena and everything around it. Uses no size classes or
 * partitions. Failures are negative errno values; errno is kept.
 */
#ifndef SM_OS_PAGES_H
#define SM_OS_PAGES_H

#include "base/common.h"

/* SECRETMEM_UNCACHED and SECRETMEM_COPY of the kernel patch set */
#define SM_SECRET_UNCACHED 2U
#define SM_SECRET_COPY     4U

extern SM_LOCAL size_t sm_os_page; /* bytes */

/* Called at start. Finds the page size. */
void sm_pages_init(void);

/*
 * Reserve address space without access, far from where mmap allocates if possible. Return NULL
 * if there is none.
 */
void *sm_pages_reserve(size_t length);

void *sm_pages_reserve_anywhere(size_t length);

/*
 * Reserves address space that reads as zero; sm_pages_protect() turns part of it into ordinary
 * memory. As with sm_pages_hidden(), the range lies at a random place between inaccessible
 * pages, so that no overrun of a neighbour reaches it.
 */
void *sm_pages_reserve_table(size_t length);

/* Ordinary memory that reads as zero and is populated on write. NULL: none. */
void *sm_pages_lazy(size_t length);

/* Private ordinary memory. wipe: a child of fork sees it zeroed. NULL: none. */
void *sm_pages_private(size_t length, bool wipe);

/* The same between inaccessible pages, where such a place is available. Never unmapped. */
void *sm_pages_hidden(size_t length, bool wipe);

/* Makes whole pages read-only from now on, as far as a filter allows. */
void sm_pages_read_only(void *address, size_t length);

/* Memory that a child of fork shares. NULL: none. */
void *sm_pages_shared(size_t length);
void sm_pages_unmap(void *address, size_t length);

/*
 * Maps secret pages at a fixed place of a reservation (NULL: anywhere). No page is resident
 * yet, and none may be touched before sm_pages_populate() returned 0.
 */
struct sm_secret_map {
    void *address; /* in: the place, or NULL; out: the mapping's address */
    size_t length;
    unsigned flags; /* 0 or SM_SECRET_UNCACHED */
    bool to_move;   /* in: sm_pages_move() moves the mapping to its place later */
    bool copy;      /* set by sm_pages_map_secret(): ask the kernel to copy it at fork */
    int error;      /* out: 0, or a negative errno value */
};
void sm_pages_map_secret(struct sm_secret_map *map);

/*
 * Returns the size in bytes of the kernel's huge blocks for secret memory (a patched kernel has
 * them), or 0 if there are none. Asks the kernel once, and never where a seccomp filter would
 * kill for the call. Tests set the known value.
 */
size_t sm_secretmem_huge_size(void);
#define SM_HUGE_NOT_ASKED ((size_t)1)
#define SM_HUGE_LEAST     (2 * SM_MIB) /* no kernel has smaller blocks */
extern SM_LOCAL size_t sm_secretmem_huge_known;

/*
 * Asks for huge blocks, if they are known to exist, for a mapping that consists of whole ones.
 * A kernel gives none unasked, because a block is charged as a whole from its first page on.
 * Calls nothing where there are none.
 */
void sm_secretmem_ask_huge(void *address, size_t length);

/*
 * Makes one page of secret memory resident without risk of SIGBUS. Returns 0, or -EFAULT at the
 * limit.
 */
int sm_pages_populate(void *page);

/*
 * Makes a page of secret memory resident that may have contents, and keeps them. Returns as
 * above.
 */
int sm_pages_fault_in(const void *page);

/*
 * Maps anonymous memory, undumpable and not inherited, over the present mapping. Where a filter
 * forbids madvise, the memory is neither. On failure the place may have become inaccessible.
 */
int sm_pages_map_anonymous(void *address, size_t length);
/* Locks memory. on_fault: pages that are not resident are locked once they are. */
int sm_pages_lock(void *address, size_t length, bool on_fault);

/*
 * Unlocks memory that the program's mlockall() locked, because address space counts as locked
 * memory too, and the kernel goes through all of it. Secret pages always stay locked.
 */
void sm_pages_unlock(void *address, size_t length);

/* Gives or removes access. Keeps the contents. */
int sm_pages_protect(void *address, size_t length, bool access);

/* Removes access and discards the contents. An access is SIGSEGV. */
int sm_pages_discard(void *address, size_t length);

/* Sets whether the next child inherits the range. */
int sm_pages_inherit(void *address, size_t length, bool inherit);

/* Whether a filter refuses the call that moves pages. Secret pages cannot be moved then. */
bool sm_pages_move_is_refused(void);

/*
 * Moves pages of one mapping to a place, over the mapping there. Where a filter refuses that,
 * pages that are not secret are copied.
 */
int sm_pages_move(void *from, void *to, size_t length, bool secret);

/* Raises the soft RLIMIT_MEMLOCK by more bytes, at most to the hard limit. */
void sm_pages_raise_limit(size_t more);

/* Returns 0 if memfd_secret with these flags works now, else a negative errno value. */
int sm_pages_probe(unsigned flags);

/* Whether memfd_secret with these flags can be mapped now. No page of it is touched. */
bool sm_pages_can_map(unsigned flags);

/* Returns a number that differs from run to run. */
uint64_t sm_pages_random(void);

#endif
