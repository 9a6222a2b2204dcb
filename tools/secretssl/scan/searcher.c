/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/searcher.h"

#include <stdlib.h>
#include <string.h>

#include "cli/message.h"
#include "scan/base64.h"
#include "scan/matcher.h"
#include "secretmem.h"

/* A larger window is not faster, and secret memory is scarce. */
enum { WINDOW = 256 * 1024 };

struct searcher {
    struct needles bytes, text;
    struct matcher *bytes_matcher, *text_matcher;
    struct text_stream *text_stream;
    uint64_t *bytes_seen, *text_seen; /* for each needle: the end of its last copy */
    copy_fn *found;
    void *context;
    uint8_t *window;  /* in secret memory */
    uint64_t address; /* of the window's first byte */
    size_t used;
    size_t searched; /* anchors before this have been looked for */
};

/*
 * Returns true if the copy was found before. A copy is found once for each anchor in it, and
 * only the first counts.
 */
static bool searcher_seen(uint64_t *ends, size_t needle, uint64_t address, uint64_t size)
{
    if (address < ends[needle])
        return true;
    ends[needle] = address + size;
    return false;
}

static void text_found(void *context, const struct match *match, uint64_t address)
{
    struct searcher *searcher = context;
    const struct needle *needle = &searcher->text.list[match->needle];

    /*
     * Because of its line breaks the text is longer than size, but no second copy fits into the
     * difference.
     */
    if (searcher_seen(searcher->text_seen, match->needle, address, match->size))
        return;

    struct copy copy = {.address = address,
                        .part = needle->part,
                        .encoding = PEM_TEXT,
                        .size = match->size,
                        .of = needle->size};

    searcher->found(searcher->context, &copy);
}

static void bytes_found(void *context, const struct match *match)
{
    struct searcher *searcher = context;
    const struct needle *needle = &searcher->bytes.list[match->needle];
    uint64_t address = searcher->address + match->at;
    enum encoding encoding = needle->encoding;

    if (searcher_seen(searcher->bytes_seen, match->needle, address, match->size))
        return;
    if ((encoding == BIG_ENDIAN_BYTES || encoding == RAW_BYTES) && match->skip == 0 &&
        der_element(searcher->window + match->at, match->at, needle->size))
        encoding = DER_ELEMENT;

    struct copy copy = {.address = address,
                        .part = needle->part,
                        .encoding = encoding,
                        .size = match->size,
                        .of = needle->size};

    searcher->found(searcher->context, &copy);
}

/* Allocates the parts of the searcher. Returns false if out of memory. */
static bool searcher_fill(struct searcher *searcher)
{
    searcher->bytes_matcher = matcher_make(&searcher->bytes);
    searcher->text_matcher = matcher_make(&searcher->text);
    searcher->bytes_seen = calloc(searcher->bytes.count, sizeof(uint64_t));
    searcher->text_seen = calloc(searcher->text.count, sizeof(uint64_t));
    searcher->window = secretmem_malloc(WINDOW);
    if (searcher->text_matcher != NULL)
        searcher->text_stream = text_stream_make(searcher->text_matcher, text_found, searcher);
    return searcher->bytes_matcher != NULL && searcher->bytes_seen != NULL &&
           searcher->text_seen != NULL && searcher->window != NULL &&
           searcher->text_stream != NULL;
}

struct searcher *searcher_make(const struct key_parts *keys)
{
    struct searcher *searcher = calloc(1, sizeof(*searcher));

    if (searcher == NULL || !needles_make(&searcher->bytes, keys, false) ||
        !needles_make(&searcher->text, keys, true) || !searcher_fill(searcher))
        say("scan: out of memory");
    else if (matcher_context(searcher->bytes_matcher) > WINDOW / 4)
        say("scan: a private part of %zu bytes is too long to search for; the most is %d",
            searcher->bytes.longest, WINDOW / 4 - DER_HEAD_MOST);
    else
        return searcher;
    searcher_free(searcher);
    return NULL;
}

void searcher_free(struct searcher *searcher)
{
    if (searcher == NULL)
        return;
    text_stream_free(searcher->text_stream);
    matcher_free(searcher->bytes_matcher);
    matcher_free(searcher->text_matcher);
    needles_free(&searcher->bytes);
    needles_free(&searcher->text);
    secretmem_free(searcher->window);
    free(searcher->bytes_seen);
    free(searcher->text_seen);
    free(searcher);
}

void searcher_begin(struct searcher *searcher, copy_fn *found, void *context)
{
    searcher->found = found;
    searcher->context = context;
    memset(searcher->bytes_seen, 0, searcher->bytes.count * sizeof(uint64_t));
    memset(searcher->text_seen, 0, searcher->text.count * sizeof(uint64_t));
}

static void searcher_search_to(struct searcher *searcher, size_t to)
{
    if (to > searcher->searched)
        matcher_search(searcher->bytes_matcher, searcher->window, searcher->used,
                       searcher->searched, to, bytes_found, searcher);
    searcher->searched = to;
}

static void start_at(struct searcher *searcher, uint64_t address)
{
    searcher_search_to(searcher, searcher->used);
    text_stream_break(searcher->text_stream);
    searcher->address = address;
    searcher->used = 0;
    searcher->searched = 0;
}

/*
 * Searches the bytes that have enough bytes after them, and keeps the bytes that later matches
 * may extend back into.
 */
static void searcher_make_room(struct searcher *searcher)
{
    size_t context = matcher_context(searcher->bytes_matcher);

    searcher_search_to(searcher, searcher->used - context);

    size_t drop = searcher->searched - context;

    searcher->used -= drop;
    searcher->searched -= drop;
    searcher->address += drop;
    memmove(searcher->window, searcher->window + drop, searcher->used);
}

uint8_t *searcher_room(struct searcher *searcher, uint64_t address, uint64_t end, size_t *room)
{
    if (address != searcher->address + searcher->used)
        start_at(searcher, address);
    if (searcher->used == WINDOW)
        searcher_make_room(searcher);
    *room = WINDOW - searcher->used;
    if (*room > end - address)
        *room = end - address;
    return searcher->window + searcher->used;
}

void searcher_take(struct searcher *searcher, size_t size)
{
    text_stream_add(searcher->text_stream, searcher->window + searcher->used, size,
                    searcher->address + searcher->used);
    searcher->used += size;
}

void searcher_end(struct searcher *searcher)
{
    start_at(searcher, 0);
    explicit_bzero(searcher->window, WINDOW);
}
