/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interposes stdio for files that libcrypto reads, such as key files. Their text passes through
 * the buffer of a stdio stream, which the C library takes from the ordinary heap and does not
 * clear.
 *
 * - A stream that libcrypto opens to read gets a buffer in secret memory, or a cleared ordinary
 * buffer where the file system cannot read into secret memory (the read pins the pages). One
 * that libcrypto opens to write gets the latter.
 * - The buffer of a stream that the program opened and libcrypto read is cleared at close or
 * reopen. What was read of a terminal or a pipe, as a passphrase is, is cleared at once.
 * - If the text looked like a private key, the kernel's copy of the file is dropped then.
 */
#include "arena/arena.h"
#include "base/common.h"
#include "base/counters.h"
#include "base/settings.h"
#include "exports/stdio_buffer.h"
#include "exports/stdio_key_detect.h"
#include "exports/stdio_page_cache.h"
#include "heap/malloc.h"
#include "heap/thread_cache.h"
#include "libcrypto/toolkit.h"
#include "loader/real.h"
#include "log/lapse.h"
#include "os/futex_lock.h"
#include "os/vector_registers.h"
#include "start.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAMS 64 /* open at a time; libcrypto has one or two */
#define BUFFER  ((size_t)4096)
#define PIECE   ((size_t)512)
#define CALLER  __builtin_return_address(0)

static struct sm_lock lock; /* taken inside the gate (sm_enter): never held at fork */
static struct stream {
    FILE *file;   /* NULL: free */
    void *buffer; /* secret; NULL: the stream's own, to be cleared */
    void *plain;  /* of the C library's heap, in place of a secret one */
    struct key_text text;
} streams[STREAMS];
static unsigned open_streams;

static struct stream *stream_find(const FILE *file)
{
    for (unsigned i = 0; i < STREAMS; i++) {
        if (streams[i].file == file)
            return &streams[i];
    }
    return NULL;
}

static struct sm_thread_cache *streams_lock(void)
{
    struct sm_thread_cache *cache = sm_enter();

    sm_lock_take(&lock);
    return cache;
}

static void streams_unlock(struct sm_thread_cache *cache)
{
    sm_lock_drop(&lock);
    sm_leave(cache);
}

/* Adds the stream to the table. Returns false if there is no room. */
static bool stream_add(const struct stream *added)
{
    struct sm_thread_cache *cache = streams_lock();
    struct stream *stream;

    stream = stream_find(NULL);
    if (stream) {
        *stream = *added;
        open_streams++;
    }
    streams_unlock(cache);
    if (!stream)
        sm_lapse(SM_LAPSE_STREAMS,
                 "libcrypto has more than %d streams open: the buffers of further streams are "
                 "not protected; report it",
                 STREAMS);
    return stream;
}

/* Removes the stream and returns its entry; file is NULL if there was none. */
static struct stream stream_take(const FILE *file)
{
    struct sm_thread_cache *cache;
    struct stream was = {0}, *stream;

    if (!__atomic_load_n(&open_streams, __ATOMIC_RELAXED) || sm_is_rawfork_child())
        return was;
    cache = streams_lock();
    stream = stream_find(file);
    if (stream) {
        was = *stream;
        stream->file = NULL;
        open_streams--;
    }
    streams_unlock(cache);
    return was;
}

static void stream_release(const struct stream *stream)
{
    if (stream->buffer)
        sm_free(stream->buffer);
    if (stream->plain)
        stdio_buffer_clear(stream->plain, BUFFER);
    free(stream->plain);
}

/*
 * A stream that libcrypto writes gets an ordinary buffer, because some file systems cannot
 * write from secret memory, and the C library drops the data of a write that failed.
 */
static FILE *with_buffer(FILE *file, const char *mode)
{
    struct stream stream = {.file = file};
    bool writes = mode[0] != 'r' || strchr(mode, '+');
    void *buffer;

    if (!file || !start_ready())
        return file;
    buffer = writes ? malloc(BUFFER) : sm_malloc(BUFFER, SM_PART_KEY);
    if (!buffer)
        return file; /* The stream works; the full arena was reported. */
    *(writes ? &stream.plain : &stream.buffer) = buffer;
    if (stream_add(&stream))
        setvbuf(file, buffer, stdio_buffer_mode(file), BUFFER);
    else
        stream_release(&stream);
    return file;
}

/* The preload sees a line of DER up to the first zero; the buffer has the file's beginning. */
static void look_at_beginning(struct key_text *text, const FILE *file)
{
    ptrdiff_t there = file->_IO_read_end - file->_IO_buf_base;

    if (!text->begun && there > 0)
        key_text_look(text, file->_IO_buf_base, sm_min((size_t)there, KEY_TEXT_BEGINNING));
}

/* Copies a stream's text out or, with back, in. Returns false if the stream is not listed. */
static bool exchange(const FILE *file, struct key_text *text, bool back)
{
    struct sm_thread_cache *cache = streams_lock();
    struct stream *stream;

    stream = stream_find(file);
    if (stream && back)
        stream->text = *text;
    else if (stream)
        *text = stream->text;
    streams_unlock(cache);
    return stream;
}

/* Looks at bytes that libcrypto has read from a stream, in a copy outside gate and lock. */
static void stream_look(FILE *file, const void *bytes, size_t size)
{
    struct key_text text = {0};

    if (size == 0 || !start_ready() || sm_is_rawfork_child())
        return;
    if (!exchange(file, &text, false) && !stream_add(&(struct stream){.file = file}))
        return;
    if (text.found || text.looked == KEY_TEXT_MOST)
        return;
    look_at_beginning(&text, file);
    key_text_look(&text, bytes, size);
    exchange(file, &text, true);
}

/* Notes another buffer. Returns the buffer that is not needed: as a rule the secret one. */
static void *exchange_buffer(const FILE *file, void *plain)
{
    struct sm_thread_cache *cache = streams_lock();
    struct stream *stream = stream_find(file);
    void *was = plain;

    if (stream && stream->buffer) {
        was = stream->buffer;
        stream->buffer = NULL;
        stream->plain = plain;
    }
    streams_unlock(cache);
    return was;
}

/*
 * Returns true if a read into secret memory failed (FUSE with direct_io, 9p without a cache).
 * The stream then has an ordinary buffer, and the next read must go through it.
 */
static bool cannot_be_secret(FILE *file)
{
    void *plain, *was;

    if (errno != EFAULT || !ferror(file) || !start_ready() || sm_is_rawfork_child())
        return false;
    plain = malloc(BUFFER);
    if (!plain)
        return false;
    was = exchange_buffer(file, plain);
    if (was != plain) {
        setvbuf(file, plain, _IOFBF, BUFFER);
        sm_lapse(
            SM_LAPSE_STREAM_PLAIN,
            "a file system cannot read into secret memory (FUSE with direct_io, 9p without a "
            "cache): a key file was read through ordinary memory, which is cleared as the "
            "file is closed; keep the key on another file system");
    }
    sm_free(was);
    clearerr(file);
    return true;
}

/* The table may have a stream at the same address, closed in a way not seen here. */
static FILE *opened(FILE *file, const char *mode, const void *caller)
{
    struct stream stale = file ? stream_take(file) : (struct stream){0};

    stream_release(&stale);
    return toolkit_reads_keys(caller) ? with_buffer(file, mode) : file;
}

/* As fopen(3). */
SM_EXPORT FILE *fopen(const char *path, const char *mode)
{
    return opened(REAL(fopen)(path, mode), mode, CALLER);
}

/* As fopen(3). */
SM_EXPORT FILE *fopen64(const char *path, const char *mode)
{
    return opened(REAL(fopen64)(path, mode), mode, CALLER);
}

/* As fgets(3). */
SM_EXPORT char *fgets(char *text, int size, FILE *file)
{
    char *result = REAL(fgets)(text, size, file);

    if (!result && toolkit_reads_keys(CALLER) && cannot_be_secret(file))
        result = REAL(fgets)(text, size, file);
    if (result && toolkit_reads_keys(CALLER)) {
        stdio_buffer_clear_read(file);
        stream_look(file, text, strlen(text));
    }
    return result;
}

/* As fread(3). */
SM_EXPORT size_t fread(void *to, size_t size, size_t number, FILE *file)
{
    size_t result = REAL(fread)(to, size, number, file), more = 1;

    /* A read as large as the buffer bypasses it; a piece goes through the buffer. */
    if (result < number && size == 1 && toolkit_reads_keys(CALLER) && cannot_be_secret(file)) {
        while (more && result < number) {
            more = REAL(fread)((char *)to + result, 1, sm_min(number - result, PIECE), file);
            result += more;
        }
    }
    if (toolkit_reads_keys(CALLER)) {
        stdio_buffer_clear_read(file);
        stream_look(file, to, result * size);
    }
    return result;
}

/*
 * As fwrite(3). A write as large as the buffer bypasses it, straight from libcrypto's memory; a
 * piece goes through the buffer.
 */
SM_EXPORT size_t fwrite(const void *from, size_t size, size_t number, FILE *file)
{
    size_t bytes, result, more = 1;

    if (!toolkit_reads_keys(CALLER) || !sm_arena_owns(from) ||
        __builtin_mul_overflow(size, number, &bytes) || bytes == 0)
        return REAL(fwrite)(from, size, number, file);
    result = REAL(fwrite)(from, 1, bytes, file);
    if (result < bytes && errno == EFAULT && ferror(file)) {
        clearerr(file);
        while (more && result < bytes) {
            more = REAL(fwrite)((const char *)from + result, 1, sm_min(bytes - result, PIECE),
                                file);
            result += more;
        }
    }
    return result / size;
}

/* Removes the stream first, because the next fopen may return the same address. */
static struct stream closing(FILE *file)
{
    struct stream stream = stream_take(file);

    if (stream.file && stream.text.found && sm_settings.drop_cache)
        page_cache_drop(fileno(file));
    if (stream.file && !stream.buffer && !stream.plain)
        stdio_buffer_clear_own(file);
    return stream;
}

static void closed(const struct stream *stream)
{
    stream_release(stream);
    if (stream->file)
        sm_clear_vector_registers();
}

static int closed_by(int (*next)(FILE *), FILE *file)
{
    struct stream stream = closing(file);
    int result = next(file);

    closed(&stream);
    return result;
}

/* The C library frees the buffer, and allocates another when it needs one. */
static FILE *reopened_by(__typeof__(freopen) *next, const char *path, const char *mode,
                         FILE *file)
{
    struct stream stream = closing(file);
    FILE *result = next(path, mode, file);

    closed(&stream);
    return result;
}

/* As fclose(3). */
SM_EXPORT int fclose(FILE *file)
{
    return closed_by(REAL(fclose), file);
}

/* As pclose(3). */
SM_EXPORT int pclose(FILE *file)
{
    return closed_by(REAL(pclose), file);
}

/* As freopen(3). */
SM_EXPORT FILE *freopen(const char *path, const char *mode, FILE *file)
{
    return reopened_by(REAL(freopen), path, mode, file);
}

/* As freopen(3). */
SM_EXPORT FILE *freopen64(const char *path, const char *mode, FILE *file)
{
    return reopened_by(REAL(freopen64), path, mode, file);
}
