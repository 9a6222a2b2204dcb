/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records what OpenSSL asks of its allocator, for replay-trace. Preloaded, and not installed:
 *
 *   LD_PRELOAD=bench-recorder.so BENCH_RECORD=PREFIX PROGRAM...
 *
 * Each process writes PREFIX.PID when it ends. What it did before it was forked is its parent's
 * history and part of its own trace. The format is described in trace.h.
 *
 * Blocks come from the C library, filled with a pattern: how far it was changed when a block is
 * freed says how much of the block was used.
 */
#include "trace.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAX_EVENTS = 1 << 24, MAX_FILES = 4096, NO_EVENT = -1 };

/* Before each block */
struct head {
    uint32_t event; /* that gave the block its present size */
    uint32_t id;
    size_t size;
};

_Static_assert(sizeof(struct head) == 16, "blocks are aligned to 16 bytes");

struct event {
    uint32_t kind : 2, file : 12, thread : 16;
    uint32_t id;            /* of the block, counted from 1; 0: none */
    uint32_t size, touched; /* of malloc and realloc */
    struct head *live;      /* while the block has this size */
};

static struct event *events;
static uint32_t event_count, block_count;
static const char *files[MAX_FILES]; /* by address: one file may be there twice */
static char *names[MAX_FILES];       /* copies: the object that has them may be unloaded */
static uint32_t file_count;
static uint32_t thread_count;
static __thread uint32_t thread;
static bool full;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char prefix[4000];

static unsigned char pattern(size_t at)
{
    return (unsigned char)(at * 37 + 0x5b);
}

static void fill(unsigned char *block, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        block[i] = pattern(i);
}

static uint32_t touched(const struct head *head)
{
    const unsigned char *block = (const unsigned char *)(head + 1);
    size_t n = head->size;

    while (n && block[n - 1] == pattern(n - 1))
        n--;
    return (uint32_t)n;
}

static uint32_t file_number(const char *file)
{
    static const char none[] = "";
    uint32_t slot;

    if (!file)
        file = none;
    slot = (uint32_t)(((uintptr_t)file ^ (uintptr_t)file >> 12) % MAX_FILES);
    while (files[slot] && files[slot] != file)
        slot = (slot + 1) % MAX_FILES;
    if (!files[slot]) {
        if (++file_count == MAX_FILES)
            full = true;
        files[slot] = file;
        names[slot] = strdup(file);
        if (!names[slot])
            abort();
    }
    return slot;
}

/* Under the lock. NULL: the trace is full, which finish() says. */
static struct event *add(enum trace_kind kind, const char *file)
{
    struct event *event;

    if (full || event_count == MAX_EVENTS) {
        full = true;
        return NULL;
    }
    if (!thread)
        thread = ++thread_count;
    event = &events[event_count++];
    event->kind = kind;
    event->file = file_number(file);
    event->thread = thread;
    return event;
}

static void begin(struct event *event, struct head *head)
{
    if (!event)
        return;
    event->id = head->id;
    event->size = (uint32_t)head->size;
    event->live = head;
    head->event = (uint32_t)(event - events);
}

static void end(struct head *head)
{
    if (head->event == (uint32_t)NO_EVENT)
        return;
    events[head->event].touched = touched(head);
    events[head->event].live = NULL;
}

static struct head *new_block(size_t size)
{
    struct head *head = malloc(sizeof(*head) + size);

    if (!head)
        abort();
    head->size = size;
    head->event = (uint32_t)NO_EVENT;
    fill((unsigned char *)(head + 1), 0, size);
    return head;
}

static void *record_malloc(size_t size, const char *file, int line)
{
    struct head *head = size ? new_block(size) : NULL;
    struct event *event;

    (void)line;
    pthread_mutex_lock(&lock);
    event = add(TRACE_MALLOC, file);
    if (head) {
        head->id = ++block_count;
        begin(event, head);
    }
    pthread_mutex_unlock(&lock);
    return head ? head + 1 : NULL;
}

static void record_free(void *p, const char *file, int line)
{
    struct head *head = p ? (struct head *)p - 1 : NULL;
    struct event *event;

    (void)line;
    pthread_mutex_lock(&lock);
    event = add(TRACE_FREE, file);
    if (head) {
        end(head);
        if (event)
            event->id = head->id;
    }
    pthread_mutex_unlock(&lock);
    free(head);
}

static void *record_realloc(void *p, size_t size, const char *file, int line)
{
    struct head *old = p ? (struct head *)p - 1 : NULL;
    struct head *head = size ? new_block(size) : NULL;
    struct event *event;

    (void)line;
    /* What was not touched is the pattern, and moves as such. */
    if (old && head)
        memcpy(head + 1, p, old->size < size ? old->size : size);
    pthread_mutex_lock(&lock);
    event = add(TRACE_REALLOC, file);
    if (old)
        end(old);
    if (event && old)
        event->id = old->id;
    if (head) {
        head->id = old ? old->id : ++block_count;
        begin(event, head);
    }
    pthread_mutex_unlock(&lock);
    free(old);
    return head ? head + 1 : NULL;
}

static void put(FILE *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        putc((int)(value & 0x7f) | 0x80, out);
    putc((int)value, out);
}

static void put_files(FILE *out, uint32_t *numbers)
{
    uint32_t number = 0;

    put(out, file_count);
    for (uint32_t i = 0; i < MAX_FILES; i++) {
        if (!files[i])
            continue;
        numbers[i] = number++;
        put(out, (uintptr_t)files[i]);
        put(out, strlen(names[i]));
        fputs(names[i], out);
    }
}

static void put_events(FILE *out, const uint32_t *numbers)
{
    uint32_t blocks = 0, last_thread = 1;

    put(out, event_count);
    for (uint32_t i = 0; i < event_count; i++) {
        const struct event *event = &events[i];
        bool is_new = event->id > blocks;
        bool switched = event->thread != last_thread;

        put(out, event->kind | (uint64_t)switched << 2 | (uint64_t)numbers[event->file] << 3);
        if (switched)
            put(out, event->thread);
        last_thread = event->thread;
        if (event->kind != TRACE_MALLOC)
            put(out, is_new || !event->id ? 0 : blocks - event->id + 1);
        if (event->kind != TRACE_FREE) {
            put(out, event->size);
            put(out, event->size - (event->live ? touched(event->live) : event->touched));
        }
        blocks += is_new;
    }
}

__attribute__((destructor)) static void finish(void)
{
    static uint32_t numbers[MAX_FILES];
    char path[4096];
    FILE *out;

    if (!events || !event_count)
        return;
    pthread_mutex_lock(&lock);
    snprintf(path, sizeof(path), "%s.%d", prefix, (int)getpid());
    out = full ? NULL : fopen(path, "w");
    if (!out) {
        fprintf(stderr, "bench-recorder: %s: %s\n", path,
                full ? "more calls than a trace holds" : "cannot be written");
        _exit(2);
    }
    fputs(TRACE_MAGIC, out);
    put_files(out, numbers);
    put_events(out, numbers);
    fclose(out);
    events = NULL;
    pthread_mutex_unlock(&lock);
}

__attribute__((constructor)) static void start(int argc, char **argv, char **envp)
{
    static const char name[] = "BENCH_RECORD=";

    (void)argc, (void)argv;
    /* A copy: servers write their titles over the environment. */
    for (; *envp; envp++) {
        if (strncmp(*envp, name, sizeof(name) - 1) == 0)
            snprintf(prefix, sizeof(prefix), "%s", *envp + sizeof(name) - 1);
    }
    if (!prefix[0])
        return;
    events = mmap(NULL, MAX_EVENTS * sizeof(*events), PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (events == MAP_FAILED ||
        !CRYPTO_set_mem_functions(record_malloc, record_realloc, record_free)) {
        static const char text[] = "bench-recorder: libcrypto cannot be hooked\n";
        if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
            _exit(3);
        _exit(2);
    }
}
