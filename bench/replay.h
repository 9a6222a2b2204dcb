/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_REPLAY_H
#define BENCH_REPLAY_H

#include "contenders.h"
#include "trace.h"

#include <stdbool.h>

/* What blocks are written with: not zero, which clearing would leave as it is. */
#define REPLAY_BYTE 0x5a

/* Where the addresses of live blocks are kept, all NULL. */
void **replay_slots(const struct trace *of);

/* The trace from its start to before op number end. */
void replay_range(const struct contender *to, const struct trace *of, void **slots, size_t end);

/* Addresses on their way from one thread to another. */
struct mailbox;
struct mailbox *mailbox_new(void);

/* One pass in which the blocks that this thread is done with go to out, to be freed by the
 * partner, and what comes in is freed here. Returns when both are through. */
void replay_pass_pair(const struct contender *to, const struct trace *of, void **slots,
                      struct mailbox *in, struct mailbox *out);

/* Replays, looks into each block before it is freed or resized, and prints how many of them
 * held what was written to them, and began at a multiple of 8: some allocators give the
 * smallest blocks no more. */
void replay_check(const struct contender *to, const struct trace *of);

/* Replays up to the peak and prints what memory it took. */
void replay_peak(const struct contender *to, const struct trace *of);

#endif
