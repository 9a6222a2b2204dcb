/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shortages of memory: only this file decides, counts and reports what happens. A layer that
 * has no memory records the reason in a thread-local variable, as errno is recorded. The heap
 * then asks this file whether the block may come from the C library.
 */
#ifndef SM_ARENA_SHORTAGE_H
#define SM_ARENA_SHORTAGE_H

#include "arena/arena.h"

/*
 * The reason. Reasons are only added at the end, because the counters in struct sm_stats are
 * numbered by them.
 */
enum sm_shortage {
    SM_SHORT_UNKNOWN,     /* no reason was recorded: a bug in this library */
    SM_SHORT_CAP,         /* the arena has reached its cap */
    SM_SHORT_BLOCK,       /* the block alone exceeds the cap */
    SM_SHORT_FIXED,       /* a seccomp filter forbids to map more memory */
    SM_SHORT_SPACE,       /* address space, RLIMIT_AS */
    SM_SHORT_DATA,        /* RLIMIT_DATA */
    SM_SHORT_MAPPINGS,    /* vm.max_map_count */
    SM_SHORT_MEMLOCK,     /* RLIMIT_MEMLOCK, for secret pages */
    SM_SHORT_FORBIDDEN,   /* memfd_secret is refused by a filter */
    SM_SHORT_KERNEL,      /* the kernel has no memfd_secret */
    SM_SHORT_ALIGNMENT,   /* no place in the arena has this alignment */
    SM_SHORT_UNCACHED,    /* uncached memory is required and was refused */
    SM_SHORT_DESCRIPTORS, /* no descriptor is free for a moment */
    SM_SHORT_MEMORY,  /* the machine's memory, or a failure that the kernel does not explain */
    SM_SHORT_LOCK,    /* ordinary memory cannot be locked */
    SM_SHORT_EARLY,   /* before this library started */
    SM_SHORT_FILE,    /* RLIMIT_FSIZE: the secret file may not be so large */
    SM_SHORT_ABSURD,  /* exceeds any process's address space */
    SM_SHORT_FORKING, /* the first secret memory is requested during a fork */
    SM_SHORT_FILTER,  /* a seccomp filter kills for calls that secret memory needs */
    SM_SHORTAGES
};

struct sm_short {
    enum sm_shortage why;
    int error;     /* a negative errno value, or 0 */
    bool to_child; /* the C library, and so a child that was to have no keys, may have it */
};

/*
 * The last reason that this thread recorded. Meant to be read at once by the caller that gets
 * no memory.
 */
extern SM_LOCAL __thread struct sm_short sm_short_now
    __attribute__((tls_model("initial-exec")));

/*
 * Records a reason. Returns false, as a convenience for callers that return false themselves.
 */
static inline bool sm_short_of(enum sm_shortage why)
{
    sm_short_now = (struct sm_short){.why = why};
    return false;
}

/*
 * Records the reason for an error of the kernel when it was asked for length bytes. Returns
 * false.
 */
bool sm_short_by(long error, size_t length);

/*
 * Called when a partition has no room for a block. Counts the recorded reason, and reports it
 * once for each reason and effect. Returns true if the C library may provide the block.
 */
bool sm_may_fall_back(unsigned part);

/*
 * As sm_may_fall_back(), for a block without secrets that OpenSSL needs even to report that
 * memory ran out. Always returns true.
 */
bool sm_short_needed(void);

/*
 * Count and report what the C library then provided (spilled), or that it had no memory
 * (failed).
 */
void sm_short_spilled(size_t n);
void sm_short_failed(void);

/* Reports once that memory is only locked, or not even locked, because of an error. */
void sm_short_degraded(enum sm_kind kind, long error);

/*
 * Reports once that uncached memory was refused where it is required, whichever caller asked, a
 * child's copy included.
 */
void sm_short_cached(long error);

/* Returns a text for messages: the remedy for an error of memfd_secret. */
const char *sm_short_remedy(long error);

#endif
