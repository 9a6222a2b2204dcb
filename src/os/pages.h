/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory from the kernel, for all that comes and goes with the arena. Knows nothing of
 * size classes or partitions. Failures are negative errno values; errno is kept.
 */
#ifndef SM_OS_PAGES_H
#define SM_OS_PAGES_H

#include "base/common.h"

/* SECRETMEM_UNCACHED of the kernel patch set */
#define SM_SECRET_UNCACHED 2U

extern SM_LOCAL size_t sm_os_page; /* bytes */

/* At start. Finds the page size and the address space. */
void sm_pages_init(void);

/* Address space without access, far from where mmap goes if that can be had. NULL: none. */
void *sm_pages_reserve(size_t length);

void *sm_pages_reserve_anywhere(size_t length);

/*
 * Address space that reads as zero, and part of it becoming ordinary memory. At a random place
 * between inaccessible pages, as what sm_pages_hidden() gives: no overrun of a neighbour's
 * comes there.
 */
void *sm_pages_reserve_table(size_t length);
int sm_pages_commit(void *address, size_t length);

/* Ordinary memory that reads as zero and is taken as it is written to. NULL: none. */
void *sm_pages_lazy(size_t length);

/* Ordinary memory of its own; wipe: a child of fork sees zeroes. NULL: none. */
void *sm_pages_private(size_t length, bool wipe);

/* The same between inaccessible pages, where such a place can be had. Never unmapped. */
void *sm_pages_hidden(size_t length, bool wipe);

/* From now on; as far as a filter lets it be. Whole pages. */
void sm_pages_read_only(void *address, size_t length);

/* Memory that a child of fork shares. NULL: none. */
void *sm_pages_shared(size_t length);
void sm_pages_unmap(void *address, size_t length);

/*
 * Secret pages at a fixed place (NULL: anywhere) of a reservation. None is present yet, and
 * none may be touched before sm_pages_populate() said so.
 */
struct sm_secret_map {
    void *address; /* in: where, or NULL; out: where it is */
    size_t length;
    unsigned flags; /* 0 or SM_SECRET_UNCACHED */
    bool to_move;   /* in: sm_pages_move() brings it to its place later */
    int error;      /* out: 0, or a negative errno value */
};
void sm_pages_map_secret(struct sm_secret_map *map);

/*
 * Bytes in the blocks that the kernel has for secret memory (a patched one does); 0: none. Asks
 * the kernel once, and never where a seccomp filter would kill for it. Tests set what is known.
 */
size_t sm_secretmem_huge_size(void);
#define SM_HUGE_NOT_ASKED ((size_t)1)
#define SM_HUGE_LEAST     (2 * SM_MIB) /* no kernel has smaller ones */
extern SM_LOCAL size_t sm_secretmem_huge_known;

/* Makes one page of secret memory present without risk of SIGBUS. 0, or -EFAULT: limit. */
int sm_pages_populate(void *page);

/* Anonymous memory, undumpable and not inherited, over what is there. */
int sm_pages_map_anonymous(void *address, size_t length);
/* on_fault: what is not there yet is locked when it comes */
int sm_pages_lock(void *address, size_t length, bool on_fault);

/*
 * What a program's mlockall() has locked is no longer: address space counts as locked memory
 * too, and the kernel goes through all of it. Secret pages stay locked, by their nature.
 */
void sm_pages_unlock(void *address, size_t length);

/* Access or none; contents are kept. */
int sm_pages_protect(void *address, size_t length, bool access);

/* No access any more, and the contents gone: a touch is SIGSEGV. */
int sm_pages_discard(void *address, size_t length);

/* Whether the next child inherits the range. */
int sm_pages_inherit(void *address, size_t length, bool inherit);

/* Moves pages of one mapping to a place, over what is there. */
int sm_pages_move(void *from, void *to, size_t length);

/* Raises the soft RLIMIT_MEMLOCK by this much, to the hard one at most. */
void sm_pages_raise_limit(size_t more);

/* 0 if memfd_secret with these flags works now, else a negative errno value. */
int sm_pages_probe(unsigned flags);

/* A number that differs from run to run. */
uint64_t sm_pages_random(void);

#endif
