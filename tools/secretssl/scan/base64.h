/* SPDX-License-Identifier: Apache-2.0 */
/* Takes base64 text out of a stream of bytes, leaving out its line breaks, and searches it. */
#ifndef SECRETSSL_SCAN_BASE64_H
#define SECRETSSL_SCAN_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scan/matcher.h"

struct text_stream;

/* address is that of the first character that is there. */
typedef void text_fn(void *context, const struct match *match, uint64_t address);

/* NULL without memory. */
struct text_stream *text_stream_make(const struct matcher *matcher, text_fn *found,
                                     void *context);

/* The bytes that lie at address and follow those given before. */
void text_stream_add(struct text_stream *stream, const uint8_t *bytes, size_t size,
                     uint64_t address);

/* The text ends here: a gap, or the end of a process. */
void text_stream_break(struct text_stream *stream);

#endif
