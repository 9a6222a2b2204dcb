/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recorded sequence of allocator calls: bench-recorder.so writes it, replay-trace reads it.
 *
 * Numbers are unsigned LEB128 (seven bits a byte, least significant first).
 *
 *   "SMTRACE1"
 *   number of source files; for each: its address in the recorded process, length, name
 *   number of events; for each:
 *     kind | thread differs << 2 | file number << 3
 *     if the thread differs from the last event's (1 at first): the thread, from 1
 *     free, realloc: age of the block: how many blocks were made since, plus 1; 0: NULL
 *     malloc, realloc: size in bytes, and how many of its last bytes were never written
 *
 * A malloc of more than 0 bytes makes a block, a realloc of NULL too; a realloc to 0 frees. The
 * replay makes all calls from one thread, in the order recorded.
 */
#ifndef BENCH_TRACE_H
#define BENCH_TRACE_H

#include <stddef.h>
#include <stdint.h>

#define TRACE_MAGIC "SMTRACE1"

enum trace_kind { TRACE_MALLOC, TRACE_FREE, TRACE_REALLOC };

/* What the replay does: OP_NEW is a realloc of NULL, OP_TOUCH writes what a realloc added. */
enum op_kind { OP_MALLOC, OP_FREE, OP_REALLOC, OP_NEW, OP_TOUCH };

struct op {
    uint32_t kind : 3, slot : 29; /* where the block's address is kept; 0: NULL */
    uint32_t size;                /* OP_TOUCH: first byte */
    uint32_t touch;               /* bytes to write from the start; OP_TOUCH: from size on */
    uint32_t file;                /* offset of its name in trace.names */
};

struct trace {
    struct op *ops;
    size_t op_count;   /* with OP_TOUCH, and OP_FREE for what is live at the end */
    size_t call_count; /* without OP_TOUCH */
    uint32_t slots;
    const char *names;
    size_t peak_bytes, peak_blocks; /* live at once, as asked for */
    size_t peak_op;                 /* index behind the call that reached it */
    uint32_t largest;               /* block */
};

/* Reads a whole trace; dies with a line if it is not one. Memory comes from mmap, for good. */
void trace_read(const char *path, struct trace *trace);

#endif
