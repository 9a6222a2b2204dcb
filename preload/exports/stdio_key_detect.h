/* SPDX-License-Identifier: Apache-2.0 */
/* Detects whether a file that is read in pieces is a private key's. */
#ifndef PRELOAD_EXPORTS_STDIO_KEY_DETECT_H
#define PRELOAD_EXPORTS_STDIO_KEY_DETECT_H

#include <stdbool.h>
#include <stddef.h>

#define KEY_TEXT_BEGINNING 10
#define KEY_TEXT_MOST      ((size_t)65536) /* bytes looked at, from where reading began */

struct key_text {
    bool found;
    size_t looked;    /* bytes */
    unsigned matched; /* characters of the mark at the end of the last piece: nothing secret */
    unsigned begun;   /* bytes kept of the beginning, until they tell the kind of file */
    unsigned char beginning[KEY_TEXT_BEGINNING];
};

/*
 * Looks at the next piece. Detects PEM by its mark anywhere, DER and PKCS#12 by their first
 * bytes.
 */
void key_text_look(struct key_text *text, const void *bytes, size_t size);

#endif
