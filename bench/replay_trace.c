/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replays a recorded trace against one allocator, touching blocks as recorded.
 *
 *   replay-trace time CONTENDER TRACE PASSES             CPU time of each pass
 *   replay-trace threads CONTENDER TRACE PASSES THREADS  elapsed; each replays its own copy
 *   replay-trace pairs CONTENDER TRACE PASSES PAIRS      elapsed; partners free each other's
 *   replay-trace peak CONTENDER TRACE                    memory when the trace has most live
 *   replay-trace check CONTENDER TRACE                   do blocks keep what is in them?
 *
 * One pass of each thread comes before those that count. Prints one JSON object.
 */
#include "common.h"
#include "replay.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { MAX_THREADS = 64, MAX_PASSES = 10000 };

static struct contender contender;
static struct trace trace;

static uint64_t cpu_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void **replay_slots(const struct trace *of)
{
    void **slots = mmap(NULL, of->slots * sizeof(*slots), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    if (slots == MAP_FAILED)
        bench_die_errno("mmap");
    return slots;
}

_Noreturn static void no_memory(const struct op *op)
{
    bench_die("the allocator has no %" PRIu32 " bytes", op->size);
}

/*
 * One call, and the writes that followed it. The functions come as arguments so that they stay
 * in registers, as the addresses in libcrypto's own variables do in its cache.
 */
static inline void replay_op(const struct contender *to, const struct op *op, void **slots,
                             const char *names)
{
    const char *file = names + op->file;
    char *p;

    switch ((enum op_kind)op->kind) {
    case OP_MALLOC:
    case OP_NEW:
        p = op->kind == OP_MALLOC ? to->malloc(op->size, file, 1)
                                  : to->realloc(NULL, op->size, file, 1);
        slots[op->slot] = p;
        if (p)
            memset(p, REPLAY_BYTE, op->touch);
        else if (op->size)
            no_memory(op);
        break;
    case OP_FREE:
        to->free(slots[op->slot], file, 1);
        break;
    case OP_REALLOC:
        p = to->realloc(slots[op->slot], op->size, file, 1);
        if (!p && op->size)
            no_memory(op);
        slots[op->slot] = p;
        break;
    case OP_TOUCH:
        memset((char *)slots[op->slot] + op->size, REPLAY_BYTE, op->touch);
        break;
    }
}

void replay_range(const struct contender *to, const struct trace *of, void **slots, size_t end)
{
    const struct contender functions = *to;
    const char *names = of->names;

    for (const struct op *op = of->ops, *last = op + end; op < last; op++)
        replay_op(&functions, op, slots, names);
}

static pthread_barrier_t start_line, finish_line;

struct worker {
    pthread_t thread;
    struct mailbox *in, *out; /* pairs only */
    void **slots;
    unsigned passes;
    uint64_t start, end; /* of the last pass */
};

static void pass(struct worker *self)
{
    if (self->in)
        replay_pass_pair(&contender, &trace, self->slots, self->in, self->out);
    else
        replay_range(&contender, &trace, self->slots, trace.op_count);
}

static void *work(void *arg)
{
    struct worker *self = arg;

    self->slots = replay_slots(&trace);
    pass(self);
    for (unsigned i = 0; i < self->passes; i++) {
        pthread_barrier_wait(&start_line);
        self->start = bench_now();
        pass(self);
        self->end = bench_now();
        pthread_barrier_wait(&finish_line);
    }
    return NULL;
}

static void print_start(unsigned threads)
{
    printf("{\"calls\": %zu, \"peak_bytes\": %zu, \"peak_blocks\": %zu, \"threads\": %u, "
           "\"ns\": [",
           trace.call_count, trace.peak_bytes, trace.peak_blocks, threads);
}

static void run_alone(unsigned passes)
{
    void **slots = replay_slots(&trace);

    print_start(1);
    for (unsigned i = 0; i <= passes; i++) {
        uint64_t start = cpu_now();
        replay_range(&contender, &trace, slots, trace.op_count);
        if (i)
            printf("%s%" PRIu64, i == 1 ? "" : ", ", cpu_now() - start);
    }
    printf("]}\n");
}

/*
 * To the CPUs in turn: threads that wake each other tend to be put on the same one, and a pass
 * is over before the kernel moves one away.
 */
static void pin(pthread_t thread, unsigned number)
{
    cpu_set_t all, one;
    int cpu = -1;

    if (sched_getaffinity(0, sizeof(all), &all) != 0)
        bench_die_errno("sched_getaffinity");
    for (unsigned left = number % (unsigned)CPU_COUNT(&all) + 1; left; left--) {
        do
            cpu++;
        while (!CPU_ISSET(cpu, &all));
    }
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (pthread_setaffinity_np(thread, sizeof(one), &one) != 0)
        bench_die("cannot pin a thread to CPU %d", cpu);
}

/* From the first thread's start to the last one's end; this thread may well sleep through it.
 */
static uint64_t elapsed(const struct worker *workers, unsigned threads)
{
    uint64_t start = UINT64_MAX, end = 0;

    for (unsigned i = 0; i < threads; i++) {
        start = workers[i].start < start ? workers[i].start : start;
        end = workers[i].end > end ? workers[i].end : end;
    }
    return end - start;
}

static void run_threads(unsigned passes, unsigned threads, bool pairs)
{
    struct worker workers[MAX_THREADS] = {0};

    pthread_barrier_init(&start_line, NULL, threads + 1);
    pthread_barrier_init(&finish_line, NULL, threads + 1);
    for (unsigned i = 0; pairs && i < threads; i += 2) {
        workers[i].in = workers[i + 1].out = mailbox_new();
        workers[i].out = workers[i + 1].in = mailbox_new();
    }
    for (unsigned i = 0; i < threads; i++) {
        workers[i].passes = passes;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            bench_die("cannot start a thread");
        pin(workers[i].thread, i);
    }
    print_start(threads);
    for (unsigned i = 0; i < passes; i++) {
        pthread_barrier_wait(&start_line);
        pthread_barrier_wait(&finish_line);
        printf("%s%" PRIu64, i ? ", " : "", elapsed(workers, threads));
    }
    printf("]}\n");
    for (unsigned i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
}

_Noreturn static void usage(void)
{
    bench_die("usage: replay-trace time CONTENDER TRACE PASSES, replay-trace threads|pairs "
              "CONTENDER TRACE PASSES COUNT, or replay-trace peak|check CONTENDER TRACE");
}

int main(int argc, char **argv)
{
    const char *mode = argc > 3 ? argv[1] : "";
    bool pairs = strcmp(mode, "pairs") == 0;
    unsigned passes = 1, threads = 1;

    bench_program = "replay-trace";
    if (argc >= 5)
        passes = (unsigned)bench_number("PASSES", argv[4], 1, MAX_PASSES);
    if (argc == 6)
        threads = (unsigned)bench_number("COUNT", argv[5], 1, MAX_THREADS / 2) << pairs;
    if (argc < 4)
        usage();
    trace_read(argv[3], &trace);
    contender = contender_find(argv[2], &trace, threads);
    if (argc == 4 && strcmp(mode, "peak") == 0)
        replay_peak(&contender, &trace);
    else if (argc == 4 && strcmp(mode, "check") == 0)
        replay_check(&contender, &trace);
    else if (argc == 5 && strcmp(mode, "time") == 0)
        run_alone(passes);
    else if (argc == 6 && (pairs || strcmp(mode, "threads") == 0))
        run_threads(passes, threads, pairs);
    else
        usage();
    return 0;
}
