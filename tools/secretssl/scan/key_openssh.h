/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in ssh-keygen(1)'s own format, which libcrypto does not know. */
#ifndef SECRETSSL_SCAN_KEY_OPENSSH_H
#define SECRETSSL_SCAN_KEY_OPENSSH_H

#include "scan/key_parts.h"

enum openssh_result {
    OPENSSH_NONE,   /* the file has no such key */
    OPENSSH_ADDED,  /* the parts were added */
    OPENSSH_LOCKED, /* the key has a passphrase, or is of a type that is not known here */
    OPENSSH_FAILED, /* a message was printed */
};

/* Adds the parts of the first such key in the bytes of a file. */
enum openssh_result key_openssh_load(struct key_parts *keys, const char *file,
                                     const uint8_t *bytes, size_t size);

#endif
