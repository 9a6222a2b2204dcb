/* SPDX-License-Identifier: Apache-2.0 */
#include "common.h"
#include "replay.h"

#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define ROOM 1024U

struct item {
    void *p; /* NULL: the sender is through with its pass */
    const char *file;
};

/* One sender, one receiver; each writes its own line. */
struct mailbox {
    _Alignas(64) atomic_uint sent;
    _Alignas(64) atomic_uint taken;
    _Alignas(64) struct item items[ROOM];
};

struct mailbox *mailbox_new(void)
{
    void *p = mmap(NULL, sizeof(struct mailbox), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    if (p == MAP_FAILED)
        bench_die_errno("mmap");
    return p;
}

/* Frees what has come; true if that was the partner's last. */
static bool receive(const struct contender *to, struct mailbox *in)
{
    unsigned at = atomic_load_explicit(&in->taken, memory_order_relaxed);
    unsigned end = atomic_load_explicit(&in->sent, memory_order_acquire);
    bool last = false;

    if (at == end)
        return false;
    for (; at != end; at++) {
        const struct item *item = &in->items[at % ROOM];
        if (item->p)
            to->free(item->p, item->file, 1);
        else
            last = true;
    }
    atomic_store_explicit(&in->taken, at, memory_order_release);
    return last;
}

/* True if the partner's last came in meanwhile. */
static bool send_item(const struct contender *to, void *p, const char *file, struct mailbox *in,
                      struct mailbox *out)
{
    unsigned at = atomic_load_explicit(&out->sent, memory_order_relaxed);
    bool last = false;

    while (at - atomic_load_explicit(&out->taken, memory_order_acquire) == ROOM) {
        last |= receive(to, in);
        sched_yield();
    }
    out->items[at % ROOM] = (struct item){p, file};
    atomic_store_explicit(&out->sent, at + 1, memory_order_release);
    return last;
}

void replay_pass_pair(const struct contender *to, const struct trace *of, void **slots,
                      struct mailbox *in, struct mailbox *out)
{
    bool last = false;

    for (const struct op *op = of->ops, *end = op + of->op_count; op < end; op++) {
        const char *file = of->names + op->file;
        void *p;

        switch ((enum op_kind)op->kind) {
        case OP_MALLOC:
        case OP_NEW:
            p = to->malloc(op->size, file, 1);
            slots[op->slot] = p;
            if (p)
                memset(p, REPLAY_BYTE, op->touch);
            else if (op->size)
                bench_die("the allocator has no memory left");
            break;
        case OP_FREE:
            if (slots[op->slot])
                last |= send_item(to, slots[op->slot], file, in, out);
            break;
        case OP_REALLOC:
            slots[op->slot] = to->realloc(slots[op->slot], op->size, file, 1);
            break;
        case OP_TOUCH:
            memset((char *)slots[op->slot] + op->size, REPLAY_BYTE, op->touch);
            break;
        }
        if (op->kind == OP_FREE)
            last |= receive(to, in);
    }
    last |= send_item(to, NULL, NULL, in, out);
    while (!last) {
        last = receive(to, in);
        if (!last)
            sched_yield();
    }
}
