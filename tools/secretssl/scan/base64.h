/* SPDX-License-Identifier: Apache-2.0 */
/* Extracts base64 text from a stream of bytes, drops its line breaks, and searches it. */
#ifndef SECRETSSL_SCAN_BASE64_H
#define SECRETSSL_SCAN_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scan/matcher.h"

struct text_stream;

/* address: of the first matching character. */
typedef void text_fn(void *context, const struct match *match, uint64_t address);

/* Returns NULL if out of memory. */
struct text_stream *text_stream_make(const struct matcher *matcher, text_fn *found,
                                     void *context);

/* Frees the stream. NULL is ignored. */
void text_stream_free(struct text_stream *stream);

/* Adds bytes that begin at address and follow the bytes of the last call. */
void text_stream_add(struct text_stream *stream, const uint8_t *bytes, size_t size,
                     uint64_t address);

/* Ends the text, at a gap or at the end of a process. */
void text_stream_break(struct text_stream *stream);

#endif
