/* SPDX-License-Identifier: Apache-2.0 */
/* The programs here are built twice: over libsecretmem, and over OpenSSL's functions. */
#ifndef TRACE_OVER_H
#define TRACE_OVER_H

#ifdef OVER_OPENSSL
#include <openssl/crypto.h>
/* A file of no list: key material */
#define HERE         "crypto/trace.c", __LINE__
#define TAKE(n)      CRYPTO_malloc((n), HERE)
#define RESIZE(p, n) CRYPTO_realloc((p), (n), HERE)
#define GIVE(p)      CRYPTO_free((p), HERE)
#else
#include <secretmem.h>
#define TAKE(n)      secretmem_malloc(n)
#define RESIZE(p, n) secretmem_realloc((p), (n))
#define GIVE(p)      secretmem_free(p)
#endif

#endif
