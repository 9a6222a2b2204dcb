/* SPDX-License-Identifier: Apache-2.0 */
#include "exports/ssl_session_library.h"
#include "exports/ssl_session_seal.h"
#include "heap/malloc.h"
#include "hooks/mem_hooks.h"
#include "libcrypto/linkage.h"
#include "libcrypto/registry.h"
#include "log/lapse.h"
#include "session_key.h"
#include <string.h>

#define CALLER __builtin_return_address(0)

typedef int serialise(const void *session, unsigned char **to);
typedef void *parse(void **session, const unsigned char **from, long length);
typedef void *parse_in(void **session, const unsigned char **from, long length, void *library,
                       const char *properties);

int i2d_SSL_SESSION(const void *session, unsigned char **to);
void *d2i_SSL_SESSION(void **session, const unsigned char **from, long length);
void *d2i_SSL_SESSION_ex(void **session, const unsigned char **from, long length, void *library,
                         const char *properties);

/*
 * Returns the libcrypto of a libssl, or of a program that contains both; NULL if it is not
 * served.
 */
static const struct elf_object *crypto_of(const struct elf_object *library)
{
    unsigned of = linkage_of(library);

    for (unsigned i = 0; of == LIBCRYPTO_NONE && i < registry_count(&known_count); i++) {
        if (!known[i].space && !known[i].unserved)
            of = i;
    }
    return of == LIBCRYPTO_NONE || known[of].unserved ? NULL : &known[of].object;
}

/*
 * Calls by libssl are for tickets, which OpenSSL encrypts, and by libcrypto for PEM files,
 * which other programs read. All other calls are the program's, also those by way of
 * libcrypto's function for streams (i2d_SSL_SESSION_bio()). That function is recognised,
 * because the PEM functions call from one that is not exported since OpenSSL 3.4.
 */
static bool is_for_a_cache(const struct ssl_library *library, const void *caller)
{
    unsigned of = registry_of_code(caller);

    return !library->inside &&
           (of == LIBCRYPTO_NONE ||
            elf_range_has(elf_function_of(&known[of].object, "ASN1_i2d_bio"), caller));
}

/*
 * Writes zeroes, which are no session, if the session cannot be sealed: plain text never gets
 * out.
 */
static void seal(const struct elf_object *crypto, const unsigned char *plain, int n,
                 unsigned char *to)
{
    if (plain && crypto && session_seal(crypto, session_key, plain, (size_t)n, to))
        return;
    memset(to, 0, (size_t)n + SEAL_OVERHEAD);
    sm_lapse(SM_LAPSE_SESSION_LOST,
             "a session could not be sealed and is left out of the shared cache: its client "
             "makes a full handshake");
}

static int seal_session(serialise *plainly, const struct elf_object *crypto,
                        const void *session, unsigned char **to)
{
    int n = plainly(session, NULL);
    unsigned char *plain, *at, *out;

    if (n <= 0 || !to)
        return n <= 0 ? n : n + SEAL_OVERHEAD;
    out = *to ? *to : hook_malloc((size_t)n + SEAL_OVERHEAD, "ssl/ssl_asn1.c", 0);
    if (!out)
        return -1;
    plain = at = sm_malloc((size_t)n, SM_PART_KEY);
    if (plain && plainly(session, &at) != n) {
        sm_free(plain);
        plain = NULL;
    }
    seal(crypto, plain, n, out);
    sm_free(plain);
    *to = *to ? out + n + SEAL_OVERHEAD : out;
    return n + SEAL_OVERHEAD;
}

/* As i2d_SSL_SESSION(3). */
SM_EXPORT int i2d_SSL_SESSION(const void *session, unsigned char **to)
{
    struct ssl_library library;
    serialise *plainly;

    if (!ssl_library_of(CALLER, &library))
        return -1;
    plainly = (serialise *)library.serialise;
    if (!session_key || !is_for_a_cache(&library, CALLER))
        return plainly(session, to);
    return seal_session(plainly, crypto_of(&library.object), session, to);
}

/* The arguments with which a call is passed on */
struct parsing {
    void **session;
    const unsigned char **from;
    long length;
    bool in_library; /* as d2i_SSL_SESSION_ex() of OpenSSL 3.2 and later */
    void *library;
    const char *properties;
};

static void *parse_plainly(const struct elf_object *library, const struct parsing *parsing,
                           const unsigned char **from, long length)
{
    parse *older;
    parse_in *newer = NULL;

    if (parsing->in_library)
        newer = (parse_in *)elf_symbol_of(library, "d2i_SSL_SESSION_ex");
    if (newer)
        return newer(parsing->session, from, length, parsing->library, parsing->properties);
    /* A program may have found the preload's function by dlsym() where libssl has only this. */
    older = (parse *)elf_symbol_of(library, "d2i_SSL_SESSION");
    return older ? older(parsing->session, from, length) : NULL;
}

static void *parse_session(const void *caller, const struct parsing *parsing)
{
    struct ssl_library library;
    const struct elf_object *crypto;
    const unsigned char *at, **from = parsing->from;
    unsigned char *plain;
    size_t n = 0;
    void *session = NULL;

    if (!ssl_library_of(caller, &library))
        return NULL;
    if (session_key && from && *from && parsing->length > 0)
        n = session_sealed_length(*from, (size_t)parsing->length);
    if (!n)
        return parse_plainly(&library.object, parsing, from, parsing->length);
    crypto = crypto_of(&library.object);
    plain = sm_malloc(n, SM_PART_KEY);
    if (plain && crypto && session_unseal(crypto, session_key, *from, n, plain)) {
        at = plain;
        session = parse_plainly(&library.object, parsing, &at, (long)n);
        *from += session ? n + SEAL_OVERHEAD : 0;
    } else {
        sm_lapse(SM_LAPSE_SESSION_LOST,
                 "a cached session is damaged, or was sealed with the key of an unrelated "
                 "process: its client makes a full handshake; if unrelated processes share "
                 "the cache, set SECRETSSL_SESSIONS=plain");
    }
    sm_free(plain);
    return session;
}

/* As d2i_SSL_SESSION(3). */
SM_EXPORT void *d2i_SSL_SESSION(void **session, const unsigned char **from, long length)
{
    struct parsing parsing = {.session = session, .from = from, .length = length};

    return parse_session(CALLER, &parsing);
}

/* As d2i_SSL_SESSION_ex(3). */
SM_EXPORT void *d2i_SSL_SESSION_ex(void **session, const unsigned char **from, long length,
                                   void *library, const char *properties)
{
    struct parsing parsing = {session, from, length, true, library, properties};

    return parse_session(CALLER, &parsing);
}
