/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a file that is read in pieces is that of a private key. */
#ifndef PRELOAD_EXPORTS_STDIO_KEY_DETECT_H
#define PRELOAD_EXPORTS_STDIO_KEY_DETECT_H

#include <stdbool.h>
#include <stddef.h>

#define KEY_TEXT_BEGINNING 10
#define KEY_TEXT_MOST      ((size_t)65536) /* a key lies in so much from where reading began */

struct key_text {
    bool found;
    size_t looked;    /* bytes */
    unsigned matched; /* characters of the mark at the end of the last piece: nothing secret */
    unsigned begun;   /* bytes of the beginning; they are not kept once they tell what it is */
    unsigned char beginning[KEY_TEXT_BEGINNING];
};

/* The next piece. PEM by its mark anywhere, DER and PKCS#12 by how they begin. */
void key_text_look(struct key_text *text, const void *bytes, size_t size);

#endif
