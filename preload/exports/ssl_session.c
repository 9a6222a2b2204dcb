/* SPDX-License-Identifier: Apache-2.0 */
#include "base/settings.h"
#include "exports/ssl_session_seal.h"
#include "heap/malloc.h"
#include "hooks/mem_hooks.h"
#include "libcrypto/discover.h"
#include "libcrypto/linkage.h"
#include "libcrypto/registry.h"
#include "libcrypto/resolve.h"
#include "log/lapse.h"
#include "log/log.h"
#include "session_key.h"
#include <string.h>

#define LIBRARIES 8
#define CALLER    __builtin_return_address(0)

typedef int serialise(const void *session, unsigned char **to);
typedef void *parse(void **session, const unsigned char **from, long length);
typedef void *parse_in(void **session, const unsigned char **from, long length, void *library,
                       const char *properties);

int i2d_SSL_SESSION(const void *session, unsigned char **to);
void *d2i_SSL_SESSION(void **session, const unsigned char **from, long length);
void *d2i_SSL_SESSION_ex(void **session, const unsigned char **from, long length, void *library,
                         const char *properties);

struct library {
    struct elf_object object;
    struct range code;
};

/*
 * The libssls that were the only one of the process at some time. An entry is claimed by the
 * count, written once, and read once it is complete.
 */
static struct {
    struct library library;
    bool complete;
} seen_alone[LIBRARIES];
static unsigned seen_number;

/*
 * The number of the only libssl's entry, from 1 on, as this thread found it, plus 16 times the
 * count of objects loaded and unloaded at that time. OpenSSL calls these functions for each
 * ticket, and a search each time would cost a handshake about a hundredth of its time. One
 * word, because every thread of every program has this variable.
 */
static __thread uint32_t only __attribute__((tls_model("initial-exec")));
_Static_assert(LIBRARIES < 16, "four bits");

static uint32_t only_at(unsigned long long changes, unsigned number)
{
    return (uint32_t)changes << 4 | number;
}

/* A search for the libssl of a caller */
struct search {
    const void *caller;
    struct elf_object user;     /* the object that the caller is in */
    bool inside;                /* user is a libssl itself */
    unsigned long long changes; /* objects that were loaded and unloaded, ever */
    struct library found[LIBRARIES];
    unsigned number;
};

static bool session_is_ours(const struct elf_object *object)
{
    return elf_symbol_of(object, "i2d_SSL_SESSION") == (void *)i2d_SSL_SESSION;
}

static int see_counters(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    *(unsigned long long *)arg = info->dlpi_adds + info->dlpi_subs;
    return 1;
}

static int session_visit(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct library library = {.object = elf_object(info)};
    struct search *search = arg;
    bool defines =
        elf_symbol_of(&library.object, "i2d_SSL_SESSION") && !session_is_ours(&library.object);

    (void)size;
    search->changes = info->dlpi_adds + info->dlpi_subs;
    library.code = elf_code_of(info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum);
    if (elf_range_has(library.code, search->caller))
        search->user = library.object;
    if (defines && search->number < LIBRARIES)
        search->found[search->number++] = library;
    return 0;
}

static bool is_linked_with(const struct elf_object *user, const struct elf_object *library)
{
    const char *name;

    for (unsigned i = 0; user->dynamic && (name = elf_needed(user, i)); i++) {
        if (elf_same(name, elf_soname(library)))
            return true;
    }
    return false;
}

/* Returns the number of the library's entry, from 1 on, or 0 if there is no room. */
static unsigned remembered(const struct library *library)
{
    unsigned claimed = sm_min(__atomic_load_n(&seen_number, __ATOMIC_ACQUIRE), LIBRARIES);

    for (unsigned i = 0; i < claimed; i++) {
        if (__atomic_load_n(&seen_alone[i].complete, __ATOMIC_ACQUIRE) &&
            elf_object_same(&seen_alone[i].library.object, &library->object))
            return i + 1;
    }
    if (claimed == LIBRARIES)
        return 0;
    claimed = __atomic_fetch_add(&seen_number, 1, __ATOMIC_ACQ_REL);
    if (claimed >= LIBRARIES)
        return 0;
    seen_alone[claimed].library = *library;
    __atomic_store_n(&seen_alone[claimed].complete, true, __ATOMIC_RELEASE);
    return claimed + 1;
}

static void session_look(struct search *search)
{
    unsigned long long now = 0;
    unsigned number = only % 16;

    dl_iterate_phdr(see_counters, &now);
    if (number && only == only_at(now, number)) {
        search->found[0] = seen_alone[number - 1].library;
        search->number = 1;
        return;
    }
    dl_iterate_phdr(session_visit, search);
    number = search->number == 1 ? remembered(&search->found[0]) : 0;
    only = only_at(search->changes, number);
}

/* Returns the libssl of the caller, or NULL if there is none; then no code can have called. */
static const struct elf_object *library_of(struct search *search)
{
    unsigned best = 0;

    session_look(search);
    for (unsigned i = 0; i < search->number; i++) {
        if (elf_range_has(search->found[i].code, search->caller)) {
            search->inside = true;
            return &search->found[i].object;
        }
        if (is_linked_with(&search->user, &search->found[i].object))
            best = i;
    }
    return search->number ? &search->found[best].object : NULL;
}

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
 * Calls by OpenSSL itself are for tickets, which OpenSSL encrypts, and PEM files, which other
 * programs read. Calls by the program are for caches.
 */
static bool is_for_a_cache(const struct search *search)
{
    return !search->inside && !libcrypto_contains(search->caller);
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
             "a session could not be sealed: it is not in the cache, its client makes a full "
             "handshake");
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
    struct search search = {.caller = CALLER};
    const struct elf_object *library = library_of(&search);
    serialise *plainly =
        library ? (serialise *)elf_symbol_of(library, "i2d_SSL_SESSION") : NULL;

    if (!plainly)
        return -1;
    if (!session_key || !is_for_a_cache(&search))
        return plainly(session, to);
    return seal_session(plainly, crypto_of(library), session, to);
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
    void *found =
        elf_symbol_of(library, parsing->in_library ? "d2i_SSL_SESSION_ex" : "d2i_SSL_SESSION");

    if (!found)
        return NULL;
    if (parsing->in_library)
        return ((parse_in *)found)(parsing->session, from, length, parsing->library,
                                   parsing->properties);
    return ((parse *)found)(parsing->session, from, length);
}

static void *parse_session(const void *caller, const struct parsing *parsing)
{
    struct search search = {.caller = caller};
    const struct elf_object *library = library_of(&search), *crypto;
    const unsigned char *at, **from = parsing->from;
    unsigned char *plain;
    size_t n = 0;
    void *session = NULL;

    if (!library)
        return NULL;
    if (session_key && from && *from && parsing->length > 0)
        n = session_sealed_length(*from, (size_t)parsing->length);
    if (!n)
        return parse_plainly(library, parsing, from, parsing->length);
    crypto = crypto_of(library);
    plain = sm_malloc(n, SM_PART_KEY);
    if (plain && crypto && session_unseal(crypto, session_key, *from, n, plain)) {
        at = plain;
        session = parse_plainly(library, parsing, &at, (long)n);
        *from += session ? n + SEAL_OVERHEAD : 0;
    } else {
        sm_lapse(SM_LAPSE_SESSION_LOST,
                 "a cached session was sealed by a process that is no relative of this one, or "
                 "is damaged: its client makes a full handshake");
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
