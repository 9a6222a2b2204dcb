/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens when memory is not to be had: the only file that decides it, counts it and says
 * it. Whoever cannot give memory notes the reason in its thread, as errno is noted; the heap,
 * which has no other way left, asks here what is to become of the block.
 */
#ifndef SM_ARENA_SHORTAGE_H
#define SM_ARENA_SHORTAGE_H

#include "arena/arena.h"

/* Why. Only added to at the end: the counters in struct sm_stats are numbered so. */
enum sm_shortage {
    SM_SHORT_UNKNOWN,     /* no reason was noted: a mistake of ours */
    SM_SHORT_CAP,         /* the arena is as large as it may be */
    SM_SHORT_BLOCK,       /* the block alone is larger than that */
    SM_SHORT_FIXED,       /* a seccomp filter forbids to map more */
    SM_SHORT_SPACE,       /* address space, RLIMIT_AS */
    SM_SHORT_DATA,        /* RLIMIT_DATA */
    SM_SHORT_MAPPINGS,    /* vm.max_map_count */
    SM_SHORT_MEMLOCK,     /* RLIMIT_MEMLOCK, for secret pages */
    SM_SHORT_FORBIDDEN,   /* memfd_secret is refused by a filter */
    SM_SHORT_KERNEL,      /* memfd_secret is not there */
    SM_SHORT_ALIGNMENT,   /* no place of the arena has it */
    SM_SHORT_UNCACHED,    /* uncached memory is required, and was refused */
    SM_SHORT_DESCRIPTORS, /* none is left for a moment */
    SM_SHORT_MEMORY,      /* the machine's, or what the kernel does not explain */
    SM_SHORT_LOCK,        /* ordinary memory cannot be locked */
    SM_SHORT_EARLY,       /* before the start of this library */
    SM_SHORT_FILE,        /* RLIMIT_FSIZE: a secret file may not be so large */
    SM_SHORT_ABSURD,      /* more than any process has address space */
    SM_SHORT_FORKING,     /* the first secret memory is asked for in the middle of a fork */
    SM_SHORT_FILTER,      /* a seccomp filter kills for what secret memory takes */
    SM_SHORTAGES
};

struct sm_short {
    enum sm_shortage why;
    int error;     /* a negative errno value, or 0 */
    bool to_child; /* the C library may have it, and with it a child that was to have no keys */
};

/* The last one that this thread met. Meant for who gets no memory, at once. */
extern SM_LOCAL __thread struct sm_short sm_short_now
    __attribute__((tls_model("initial-exec")));

/* Notes a reason; false, for whoever has nothing else to answer. */
static inline bool sm_short_of(enum sm_shortage why)
{
    sm_short_now = (struct sm_short){.why = why};
    return false;
}

/* The same for what the kernel said when it was asked for so many bytes. */
bool sm_short_by(long error, size_t length);

/*
 * There is no room for a block in a partition, for the reason noted: counted, and said once
 * for each reason and effect. True: the C library may have it.
 */
bool sm_may_fall_back(unsigned part);

/*
 * The same for a block without which OpenSSL could not even say that memory ran out, and in
 * which is no secret: always true.
 */
bool sm_short_needed(void);

/* What the C library had then: counted, and said. It had none: counted as failed. */
void sm_short_spilled(size_t n);
void sm_short_failed(void);

/* Memory is only locked, or not even that, because of an error: said once. */
void sm_short_degraded(enum sm_kind kind, long error);

/* Uncached memory was refused where it is required: said once, whoever asked, a child's copy
 * too. */
void sm_short_cached(long error);

/* What to do about an error of memfd_secret; a text for messages. */
const char *sm_short_remedy(long error);

#endif
