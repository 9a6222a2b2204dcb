/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spares: secret pages that the parent maps for a child's copy and gets back when the child has
 * ended. docs/fork.md, "Recycled copies", has the design. Called with the fork lock held; the
 * functions keep errno.
 */
#ifndef SM_FORK_SPARES_H
#define SM_FORK_SPARES_H

#include "arena/arena.h"

#define SM_SPARE_TOKENS 4 /* token pages, see spares.c */

struct sm_spare {
    char *start;           /* the token pages, then a page that nobody touches, then the room */
    size_t length;         /* bytes, from start; 0: no spare */
    size_t at[SM_PARTS];   /* offset of each partition's room */
    size_t room[SM_PARTS]; /* bytes */
    bool lent;             /* a child has the spare, or had it when somebody last looked */
    unsigned since;        /* the number of the fork that lent the spare */
    unsigned excess;       /* consecutive copies that needed few of its resident pages */
};

/*
 * Returns a spare with room for the partitions of which the sizes in bytes are not 0, or NULL.
 * The spare is accessible, and contains what its last user left. `resident` receives the
 * array of mincore() for the spare, one byte for each kernel page, which stays valid until the
 * next call.
 */
struct sm_spare *sm_spare_take(const size_t sizes[SM_PARTS], unsigned char **resident);

/* In the parent, after the clone: the child has the spare, and this process has no access. */
void sm_spare_lend(struct sm_spare *spare);

/* Unmaps a spare in this process. A child that has the spare keeps its memory. */
void sm_spare_drop(struct sm_spare *spare);

/*
 * In a child that has the spare: marks the spare as in use until this process's memory goes.
 * Called before the first access to the other pages.
 */
void sm_spare_accept(struct sm_spare *spare);

/*
 * In any child: forgets the parent's spares, which the child did not inherit. in_spare: but for
 * the one that it has accepted.
 */
void sm_spares_forget(bool in_spare);

/*
 * In a child that lives in a spare, before a fork that shares the arena's pages with its child
 * for a while: the parent must not recycle the spare any more.
 */
void sm_spare_share(void);

/*
 * Unmaps every spare, because memory is short, or because no fork can use them. Returns whether
 * there was any.
 */
bool sm_spares_release(void);

#endif
