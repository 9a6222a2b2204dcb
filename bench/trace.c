/* SPDX-License-Identifier: Apache-2.0 */
#include "trace.h"
#include "common.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Names are kept at their addresses modulo this, so that a cache by address sees them as it
 * does in the real process.
 */
#define NAME_WINDOW  (16U << 20)
#define NAME_WINDOWS 8
#define MAX_FILES    4096
#define MAX_SIZE     (1U << 30)

struct reader {
    const char *path;
    const unsigned char *at, *end;
};

struct block {
    uint32_t slot; /* 0: not live */
    uint32_t size, touched;
};

static void *pages(size_t bytes)
{
    void *p = mmap(NULL, bytes + 1, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        bench_die_errno("mmap");
    return p;
}

_Noreturn static void bad(const struct reader *in, const char *what)
{
    bench_die("%s is no trace of bench-recorder.so: %s", in->path, what);
}

static uint64_t number(struct reader *in, uint64_t most, const char *what)
{
    uint64_t value = 0;

    for (unsigned shift = 0; in->at < in->end && shift < 63; shift += 7) {
        value |= (uint64_t)(*in->at & 0x7f) << shift;
        if (!(*in->at++ & 0x80)) {
            if (value > most)
                bad(in, what);
            return value;
        }
    }
    bad(in, what);
}

static struct reader open_trace(const char *path)
{
    struct reader in = {.path = path};
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &stat) != 0)
        bench_die_errno(path);
    if (stat.st_size < (off_t)sizeof(TRACE_MAGIC))
        bad(&in, "too short");
    in.at = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (in.at == MAP_FAILED)
        bench_die_errno(path);
    close(fd);
    in.end = in.at + stat.st_size;
    if (memcmp(in.at, TRACE_MAGIC, sizeof(TRACE_MAGIC) - 1) != 0)
        bad(&in, "wrong first bytes");
    in.at += sizeof(TRACE_MAGIC) - 1;
    return in;
}

/* The name's place in the names: at its own address if that is free in a window. */
static uint32_t place(struct reader *in, char *names, uint64_t address, size_t length)
{
    uint32_t offset = (uint32_t)(address % NAME_WINDOW);

    for (unsigned window = 0; window < NAME_WINDOWS; window++) {
        char *at = names + (size_t)window * NAME_WINDOW + offset;
        bool is_free = true;

        for (size_t i = 0; i <= length + 1; i++)
            is_free = is_free && at[i] == '\0';
        if (is_free && (offset == 0 || at[-1] == '\0')) {
            memcpy(at, in->at, length);
            return (uint32_t)(at - names);
        }
    }
    bad(in, "file names overlap");
}

static void read_files(struct reader *in, struct trace *trace, uint32_t *files, size_t *count)
{
    char *names = pages((size_t)NAME_WINDOW * (NAME_WINDOWS + 1));

    *count = number(in, MAX_FILES, "number of files");
    for (size_t i = 0; i < *count; i++) {
        uint64_t address = number(in, UINT64_MAX, "address of a file's name");
        size_t length = number(in, 4096, "length of a file's name");

        if (length > (size_t)(in->end - in->at))
            bad(in, "it ends early");
        files[i] = place(in, names, address, length);
        in->at += length;
    }
    trace->names = names;
}

struct builder {
    struct trace *trace;
    struct block *blocks;
    uint32_t *free_slots;
    size_t block_count, free_count;
    size_t live_bytes, live_blocks;
};

static struct op *add(struct builder *to, enum op_kind kind, uint32_t slot, uint32_t file)
{
    struct op *op = &to->trace->ops[to->trace->op_count++];

    op->kind = kind;
    op->slot = slot;
    op->file = file;
    return op;
}

static uint32_t take_slot(struct builder *to)
{
    return to->free_count ? to->free_slots[--to->free_count] : ++to->trace->slots;
}

static void resized(struct builder *to, struct block *block, uint32_t size)
{
    to->live_bytes += size - (size_t)block->size;
    block->size = size;
    if (size > to->trace->largest)
        to->trace->largest = size;
    if (to->live_bytes > to->trace->peak_bytes) {
        to->trace->peak_bytes = to->live_bytes;
        to->trace->peak_blocks = to->live_blocks;
        to->trace->peak_op = to->trace->op_count;
    }
}

static void add_new(struct builder *to, enum op_kind kind, uint32_t file, uint32_t size,
                    uint32_t touched)
{
    struct block *block = &to->blocks[to->block_count++];
    struct op *op = add(to, kind, take_slot(to), file);

    block->slot = op->slot;
    op->size = size;
    op->touch = block->touched = touched;
    to->live_blocks++;
    resized(to, block, size);
}

static void add_free(struct builder *to, enum op_kind kind, uint32_t file, struct block *block)
{
    add(to, kind, block->slot, file);
    to->free_slots[to->free_count++] = block->slot;
    to->live_blocks--;
    to->live_bytes -= block->size;
    block->slot = 0;
}

static void add_realloc(struct builder *to, uint32_t file, struct block *block, uint32_t size,
                        uint32_t touched)
{
    uint32_t had = block->touched < size ? block->touched : size;

    add(to, OP_REALLOC, block->slot, file)->size = size;
    resized(to, block, size);
    if (touched > had) {
        struct op *op = add(to, OP_TOUCH, block->slot, file);
        op->size = had;
        op->touch = touched - had;
    }
    block->touched = touched;
}

static struct block *find(struct reader *in, const struct builder *to)
{
    uint64_t age = number(in, to->block_count, "age of a block");
    struct block *block = age ? &to->blocks[to->block_count - age] : NULL;

    if (block && !block->slot)
        bad(in, "a block is freed twice");
    return block;
}

static void read_event(struct reader *in, struct builder *to, const uint32_t *files,
                       size_t file_count)
{
    uint64_t first = number(in, UINT32_MAX, "kind of an event");
    enum trace_kind kind = (enum trace_kind)(first & 3);
    struct block *block = NULL;
    uint32_t file, size = 0, touched = 0;

    if ((first >> 3) >= file_count || (unsigned)kind > TRACE_REALLOC)
        bad(in, "kind or file of an event");
    file = files[first >> 3];
    if (first & 4)
        (void)number(in, 65535, "thread");
    if (kind != TRACE_MALLOC)
        block = find(in, to);
    if (kind != TRACE_FREE) {
        size = (uint32_t)number(in, MAX_SIZE, "size of a block");
        touched = size - (uint32_t)number(in, size, "bytes never written");
    }
    to->trace->call_count++;
    if (block && kind == TRACE_FREE)
        add_free(to, OP_FREE, file, block);
    else if (kind == TRACE_FREE)
        add(to, OP_FREE, 0, file);
    else if (block && size)
        add_realloc(to, file, block, size, touched);
    else if (block)
        add_free(to, OP_REALLOC, file, block);
    else if (size)
        add_new(to, kind == TRACE_MALLOC ? OP_MALLOC : OP_NEW, file, size, touched);
    else /* nothing asked for: the answer, NULL, goes where NULL is kept */
        add(to, kind == TRACE_MALLOC ? OP_MALLOC : OP_NEW, 0, file);
}

void trace_read(const char *path, struct trace *trace)
{
    struct reader in = open_trace(path);
    struct builder to = {.trace = trace};
    uint32_t files[MAX_FILES] = {0};
    size_t file_count;
    uint64_t events;

    memset(trace, 0, sizeof(*trace));
    read_files(&in, trace, files, &file_count);
    events = number(&in, UINT32_MAX, "number of events");
    trace->ops = pages(3 * events * sizeof(*trace->ops));
    to.blocks = pages(events * sizeof(*to.blocks));
    to.free_slots = pages(events * sizeof(*to.free_slots));
    for (uint64_t i = 0; i < events; i++)
        read_event(&in, &to, files, file_count);
    if (in.at != in.end)
        bad(&in, "more bytes than events");
    /* What is live at the end is freed there, so that the next pass begins as this one did. */
    for (size_t i = to.block_count; i-- > 0;) {
        if (to.blocks[i].slot) {
            add_free(&to, OP_FREE, files[0], &to.blocks[i]);
            trace->call_count++;
        }
    }
    trace->slots++;
    munmap(to.blocks, events * sizeof(*to.blocks) + 1);
    munmap(to.free_slots, events * sizeof(*to.free_slots) + 1);
}
