/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sealed session: a header (magic number and length of the plain text), a nonce, the text
 * under AES-256-GCM, and the tag. The cipher is that of a libcrypto.
 */
#ifndef PRELOAD_EXPORTS_SSL_SESSION_SEAL_H
#define PRELOAD_EXPORTS_SSL_SESSION_SEAL_H

#include "base/common.h"
#include "loader/elf_symbols.h"

#define SEAL_HEADER   14
#define SEAL_NONCE    12
#define SEAL_TAG      16
#define SEAL_OVERHEAD (SEAL_HEADER + SEAL_NONCE + SEAL_TAG)
#define SEAL_MOST     (16 * SM_MIB) /* bytes of a plain text */

/*
 * Writes n + SEAL_OVERHEAD bytes. Returns false, with sealed not usable, if n is above
 * SEAL_MOST, or if there is no cipher or no random number.
 */
bool session_seal(const struct elf_object *libcrypto, const unsigned char *key,
                  const unsigned char *plain, size_t n, unsigned char *sealed);

/* Returns the length of the plain text if the header is a sealed session's, otherwise 0. */
size_t session_sealed_length(const unsigned char *sealed, size_t length);

/*
 * Writes as many bytes of plain text as session_sealed_length() returns. Returns false if the
 * session was sealed with another key or is damaged.
 */
bool session_unseal(const struct elf_object *libcrypto, const unsigned char *key,
                    const unsigned char *sealed, size_t n, unsigned char *plain);

#endif
