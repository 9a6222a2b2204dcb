/* SPDX-License-Identifier: Apache-2.0 */
#include "common.h"
#include "replay.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

struct held {
    size_t own, secret; /* bytes present: private to this process; of those, secret */
};

/* Read without stdio's buffer on the heap: it would be measured too. */
static struct held look(void)
{
    static char buffer[1 << 16];
    FILE *file = fopen("/proc/self/smaps", "re");
    struct held held = {0};
    bool secret = false;
    char line[512];
    size_t kib;

    if (!file)
        bench_die_errno("/proc/self/smaps");
    setvbuf(file, buffer, _IOFBF, sizeof(buffer));
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "Private_Dirty: %zu kB", &kib) == 1)
            held.own += kib * 1024;
        else if (sscanf(line, "Rss: %zu kB", &kib) == 1)
            held.secret += secret ? kib * 1024 : 0;
        else if (strchr(line, '-') && !strstr(line, " kB\n"))
            secret = strstr(line, "/secretmem") != NULL;
    }
    fclose(file);
    return held;
}

/*
 * How large the places are that the live blocks lie in: asked of a preload object that tells
 * (the benchmark's own build of ours does); 0: not known.
 */
static size_t places(void **slots, size_t count)
{
    size_t (*size_of)(const void *);
    size_t sum = 0;

    *(void **)&size_of = dlsym(RTLD_DEFAULT, "bench_slot_size");
    for (size_t i = 0; size_of && i < count; i++)
        sum += slots[i] ? size_of(slots[i]) : 0;
    return sum;
}

/* At the peak only what is live may stand in the slots. */
static void forget_freed(const struct trace *of, void **slots, size_t end)
{
    for (size_t i = end; i-- > 0;) {
        const struct op *op = &of->ops[i];
        bool frees = op->kind == OP_FREE || (op->kind == OP_REALLOC && !op->size);
        void **slot = &slots[op->slot];

        /* The last call about a slot decides: the lowest bit says that it was seen. */
        if ((uintptr_t)*slot & 1)
            continue;
        *slot = frees ? (void *)1 : (void *)((uintptr_t)*slot | 1);
    }
    for (size_t i = 0; i < of->slots; i++)
        slots[i] = (void *)((uintptr_t)slots[i] & ~(uintptr_t)1);
}

void replay_peak(const struct contender *to, const struct trace *of)
{
    void **slots = replay_slots(of);
    struct held before, after;

    look(); /* stdio's own structures are made here */
    before = look();
    replay_range(to, of, slots, of->peak_op);
    after = look();
    forget_freed(of, slots, of->peak_op);
    printf("{\"peak_bytes\": %zu, \"peak_blocks\": %zu, \"slot_bytes\": %zu, "
           "\"secret_bytes\": %zu, \"own_bytes\": %zu}\n",
           of->peak_bytes, of->peak_blocks, places(slots, of->slots),
           after.secret - before.secret, after.own - before.own);
}
