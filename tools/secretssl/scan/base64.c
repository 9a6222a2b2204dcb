/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/base64.h"

#include <stdlib.h>
#include <string.h>

#include "secretmem.h"

/* The kinds of bytes in base64 text. JSON writes a line break as a backslash and a letter. */
enum kind { OTHER, CHARACTER, BLANK, BACKSLASH };

enum { TEXT_LEAST = 32 * 1024 };

struct text_stream {
    const struct matcher *matcher;
    text_fn *found;
    void *context;
    uint8_t kinds[256];
    uint8_t *text;       /* characters without blanks, in secret memory */
    uint64_t *addresses; /* the address of each character */
    size_t room, used;
    size_t searched; /* anchors before this have been looked for */
    bool escaped;    /* the last byte was a backslash */
};

static void set_kinds(uint8_t *kinds)
{
    for (int c = 'A'; c <= 'Z'; c++)
        kinds[c] = kinds[c - 'A' + 'a'] = CHARACTER;
    for (int c = '0'; c <= '9'; c++)
        kinds[c] = CHARACTER;
    kinds['+'] = kinds['/'] = CHARACTER;
    kinds['\n'] = kinds['\r'] = kinds[' '] = kinds['\t'] = BLANK;
    kinds['\\'] = BACKSLASH;
}

struct text_stream *text_stream_make(const struct matcher *matcher, text_fn *found,
                                     void *context)
{
    struct text_stream *stream = secretmem_calloc(1, sizeof(*stream));
    size_t room = 8 * matcher_context(matcher);

    if (stream == NULL)
        return NULL;
    if (room < TEXT_LEAST)
        room = TEXT_LEAST;
    *stream = (struct text_stream){.matcher = matcher,
                                   .found = found,
                                   .context = context,
                                   .text = secretmem_calloc(1, room),
                                   .addresses = calloc(room, sizeof(*stream->addresses)),
                                   .room = room};
    if (stream->text == NULL || stream->addresses == NULL) {
        text_stream_free(stream);
        return NULL;
    }
    set_kinds(stream->kinds);
    return stream;
}

void text_stream_free(struct text_stream *stream)
{
    if (stream == NULL)
        return;
    secretmem_free(stream->text);
    free(stream->addresses);
    secretmem_free(stream);
}

static void matched(void *context, const struct match *match)
{
    struct text_stream *stream = context;

    stream->found(stream->context, match, stream->addresses[match->at]);
}

static void base64_search_to(struct text_stream *stream, size_t to)
{
    if (to > stream->searched)
        matcher_search(stream->matcher, stream->text, stream->used, stream->searched, to,
                       matched, stream);
    stream->searched = to;
}

/*
 * Searches the text that has enough text after it, and keeps the text that later matches may
 * extend back into.
 */
static void base64_make_room(struct text_stream *stream)
{
    size_t context = matcher_context(stream->matcher);

    base64_search_to(stream, stream->used - context);

    size_t drop = stream->searched - context;

    stream->used -= drop;
    stream->searched -= drop;
    memmove(stream->text, stream->text + drop, stream->used);
    memmove(stream->addresses, stream->addresses + drop,
            stream->used * sizeof(*stream->addresses));
}

void text_stream_break(struct text_stream *stream)
{
    if (stream->used >= KEY_PART_LEAST)
        base64_search_to(stream, stream->used);
    explicit_bzero(stream->text, stream->used);
    stream->used = 0;
    stream->searched = 0;
    stream->escaped = false;
}

static inline void base64_put(struct text_stream *stream, uint8_t character, uint64_t address)
{
    if (stream->used == stream->room)
        base64_make_room(stream);
    stream->text[stream->used] = character;
    stream->addresses[stream->used++] = address;
}

/*
 * Ends a run of text. Short runs are dropped, because nearly all runs are a few bytes of other
 * data.
 */
static inline void end_run(struct text_stream *stream)
{
    if (stream->used >= KEY_PART_LEAST)
        text_stream_break(stream);
    stream->used = 0;
    stream->escaped = false;
}

void text_stream_add(struct text_stream *stream, const uint8_t *bytes, size_t size,
                     uint64_t address)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t kind = stream->kinds[bytes[i]];

        if (kind == OTHER) {
            if (stream->used != 0)
                end_run(stream);
            stream->escaped = false;
        } else if (stream->escaped) {
            stream->escaped = false;
            if (bytes[i] != 'n' && bytes[i] != 'r' && bytes[i] != '/')
                end_run(stream);
            else if (bytes[i] == '/')
                base64_put(stream, bytes[i], address + i);
        } else if (kind == CHARACTER) {
            base64_put(stream, bytes[i], address + i);
        } else if (kind == BACKSLASH) {
            stream->escaped = stream->used != 0;
        }
    }
}
