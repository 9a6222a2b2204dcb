/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sealed session: its header (what it is, and the length of the plain text), a nonce, the
 * text under AES-256-GCM, and the tag. The cipher is that of a libcrypto.
 */
#ifndef PRELOAD_EXPORTS_SSL_SESSION_SEAL_H
#define PRELOAD_EXPORTS_SSL_SESSION_SEAL_H

#include "base/common.h"
#include "loader/elf_symbols.h"

#define SEAL_HEADER   12
#define SEAL_NONCE    12
#define SEAL_TAG      16
#define SEAL_OVERHEAD (SEAL_HEADER + SEAL_NONCE + SEAL_TAG)
#define SEAL_MOST     (16 * SM_MIB) /* of a plain text */

/* Writes n + SEAL_OVERHEAD bytes. False: no cipher, or no random number; nothing is written. */
bool session_seal(const struct elf_object *libcrypto, const unsigned char *key,
                  const unsigned char *plain, size_t n, unsigned char *sealed);

/* The length of the plain text of what is a sealed session by its header; 0: it is none. */
size_t session_sealed_length(const unsigned char *sealed, size_t length);

/* Writes the plain text, as long as session_sealed_length() says. False: another key, damaged.
 */
bool session_unseal(const struct elf_object *libcrypto, const unsigned char *key,
                    const unsigned char *sealed, size_t n, unsigned char *plain);

#endif
