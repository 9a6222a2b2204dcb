/* SPDX-License-Identifier: Apache-2.0 */
#include "common.h"
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is written to a block is the number of its slot, again and again. */
static void fill(char *block, uint32_t slot, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        block[i] = (char)(slot >> 8 * (i % 4));
}

static bool holds(const char *block, uint32_t slot, uint32_t touched)
{
    if ((uintptr_t)block % 8)
        return false;
    for (uint32_t i = 0; i < touched; i++) {
        if (block[i] != (char)(slot >> 8 * (i % 4)))
            return false;
    }
    return true;
}

void replay_check(const struct contender *to, const struct trace *of)
{
    void **slots = replay_slots(of);
    uint32_t *touched = calloc(of->slots, sizeof(*touched)); /* by slot */
    size_t good = 0, bad = 0;

    if (!touched)
        bench_die_errno("calloc");
    for (const struct op *op = of->ops, *end = op + of->op_count; op < end; op++) {
        const char *file = of->names + op->file;
        uint32_t *bytes = &touched[op->slot];

        if (op->slot && (op->kind == OP_FREE || op->kind == OP_REALLOC))
            *(holds(slots[op->slot], op->slot, *bytes) ? &good : &bad) += 1;
        switch ((enum op_kind)op->kind) {
        case OP_MALLOC:
        case OP_NEW:
            slots[op->slot] = op->kind == OP_MALLOC ? to->malloc(op->size, file, 1)
                                                    : to->realloc(NULL, op->size, file, 1);
            *bytes = op->touch;
            fill(slots[op->slot], op->slot, 0, op->touch);
            break;
        case OP_FREE:
            to->free(slots[op->slot], file, 1);
            break;
        case OP_REALLOC:
            slots[op->slot] = to->realloc(slots[op->slot], op->size, file, 1);
            *bytes = *bytes < op->size ? *bytes : op->size;
            break;
        case OP_TOUCH:
            *bytes = op->size + op->touch;
            fill(slots[op->slot], op->slot, op->size, *bytes);
            break;
        }
    }
    free(touched);
    printf("{\"good\": %zu, \"bad\": %zu}\n", good, bad);
}
