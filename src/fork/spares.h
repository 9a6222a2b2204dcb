/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spares: secret pages that the parent maps for a child's copy and gets back when the child has
 * ended. docs/fork.md, "Recycled copies", has the design. Called with the fork lock held; the
 * functions keep errno.
 */
#ifndef SM_FORK_SPARES_H
#define SM_FORK_SPARES_H

#include "arena/arena.h"

struct sm_spare {
    char *start;           /* a page that nobody touches, then the room */
    size_t length;         /* bytes, from start; 0: no spare */
    size_t at[SM_PARTS];   /* offset of each partition's room */
    size_t room[SM_PARTS]; /* bytes */
    void *token;     /* a page that a child keeps mapped for as long as its memory is there */
    int token_id;    /* the number of the token's segment */
    bool lent;       /* a child has the spare, or had it when somebody last looked */
    unsigned since;  /* the number of the fork that lent the spare */
    unsigned excess; /* consecutive copies that needed few of its resident pages */
};

/*
 * Returns a spare with room for the partitions of which the sizes in bytes are not 0, or NULL.
 * The spare is accessible, and contains what its last user left. `resident` receives the
 * array of mincore() for the spare, one byte for each kernel page, which stays valid until the
 * next call.
 */
struct sm_spare *sm_spare_take(const size_t sizes[SM_PARTS], unsigned char **resident);

/* Sets whether the next child inherits the spare and its token. Returns false on failure. */
bool sm_spare_inherit(const struct sm_spare *spare, bool on);

/*
 * In the parent, after the clone: the child has the spare, if there is a child, and this
 * process has no access.
 */
void sm_spare_lend(struct sm_spare *spare);

/* Unmaps a spare in this process. A child that has the spare keeps its memory. */
void sm_spare_drop(struct sm_spare *spare);

/* In a child that has the spare: keeps the token from its own children. */
void sm_spare_accept(const struct sm_spare *spare);

/*
 * In any child: forgets the parent's spares, which the child did not inherit. in_spare: but for
 * the one that it has accepted.
 */
void sm_spares_forget(bool in_spare);

/*
 * In a child that lives in a spare: sets whether its own children inherit the token. They must
 * whenever they inherit the arena, whose pages they read for a while. Returns false on failure.
 */
bool sm_spare_share(bool on);

/*
 * Unmaps every spare, because memory is short, or because no fork can use them. Returns whether
 * there was any.
 */
bool sm_spares_release(void);

#endif
