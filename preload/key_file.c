/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that libcrypto opens: key files among them. Their text passes through the buffer
 * of a stdio stream, which the C library takes from the ordinary heap and does not clear.
 * fopen() called from libcrypto gives the stream a buffer in secret memory.
 */
#include "common.h"
#include "heap.h"
#include "libcrypto.h"
#include "lock.h"
#include "next.h"
#include "registers.h"
#include "thread_cache.h"
#include <stdio.h>

#define STREAMS 64 /* open at a time; libcrypto has one or two */
#define BUFFER  ((size_t)4096)

static struct sm_lock lock; /* taken inside (sm_enter): never held at fork */
static struct stream {
    FILE *file; /* NULL: free */
    void *buffer;
} streams[STREAMS];
static unsigned open_streams;

/* The first entry with this file (NULL: a free one) becomes what is given; returns it as it
 * was. */
static struct stream exchange(const FILE *file, struct stream with)
{
    struct sm_thread_cache *cache = sm_enter();
    struct stream was = {0};

    sm_lock_take(&lock);
    for (unsigned i = 0; i < STREAMS; i++) {
        if (streams[i].file != file)
            continue;
        was = streams[i];
        streams[i] = with;
        open_streams += (with.file != NULL) - (was.file != NULL);
        with.file = NULL;
        break;
    }
    sm_lock_drop(&lock);
    sm_leave(cache);
    return file ? was : with; /* with.file is left where there was no room */
}

static FILE *with_secret_buffer(FILE *file)
{
    struct stream stream = {file, NULL};

    if (!file)
        return NULL;
    stream.buffer = sm_malloc(BUFFER, SM_PART_KEY);
    if (!stream.buffer)
        return file; /* The stream works; that the arena is full was said. */
    if (exchange(NULL, stream).file)
        sm_free(stream.buffer); /* no room in the table */
    else
        setvbuf(file, stream.buffer, _IOFBF, BUFFER);
    return file;
}

/* As fopen(3). */
SM_EXPORT FILE *fopen(const char *path, const char *mode)
{
    static void *cached;
    FILE *(*open)(const char *, const char *) =
        (FILE * (*)(const char *, const char *)) next_function(&cached, "fopen");
    FILE *file = open(path, mode);

    return libcrypto_contains(__builtin_return_address(0)) ? with_secret_buffer(file) : file;
}

/* As fopen(3). */
SM_EXPORT FILE *fopen64(const char *path, const char *mode)
{
    static void *cached;
    FILE *(*open)(const char *, const char *) =
        (FILE * (*)(const char *, const char *)) next_function(&cached, "fopen64");
    FILE *file = open(path, mode);

    return libcrypto_contains(__builtin_return_address(0)) ? with_secret_buffer(file) : file;
}

/* As fclose(3). */
SM_EXPORT int fclose(FILE *file)
{
    static void *cached;
    int (*close)(FILE *) = (int (*)(FILE *))next_function(&cached, "fclose");
    struct stream stream = {0};
    int result;

    /* Out of the table first: the next fopen may return the same address. */
    if (__atomic_load_n(&open_streams, __ATOMIC_RELAXED) && !sm_unannounced())
        stream = exchange(file, stream);
    result = close(file);
    if (stream.buffer) {
        sm_free(stream.buffer);
        sm_registers_forget();
    }
    return result;
}
