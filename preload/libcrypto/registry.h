/* SPDX-License-Identifier: Apache-2.0 */
/* The table of libcryptos of this process, which discover.c fills. */
#ifndef PRELOAD_LIBCRYPTO_REGISTRY_H
#define PRELOAD_LIBCRYPTO_REGISTRY_H

#include "base/common.h"
#include "libcrypto/crypto_library.h"
#include "loader/elf_symbols.h"

#define LIBCRYPTOS_MAX 32
#define LIBCRYPTO_NONE UINT32_MAX /* the number of no libcrypto */

struct libcrypto {
    struct elf_object object;
    const char *path; /* under which it was loaded */
    struct range code;
    const struct crypto_library *kind;
    bool unserved;                 /* foreign, or the hooks could not be installed */
    bool by_name;                  /* counted as hooked, though nothing was installed */
    bool sealed, unsealable;       /* its private keys are sealed, or cannot be (seal/) */
    const struct mem_hooks *space; /* the hooks of its namespace; NULL in the preload's own */
};

/*
 * Written with the start lock held, the count last, and read without a lock. Entries are never
 * removed, and their objects are never unloaded (pin.h).
 */
extern SM_LOCAL struct libcrypto known[LIBCRYPTOS_MAX];
extern SM_LOCAL unsigned known_count;

static inline unsigned registry_count(const unsigned *counter)
{
    return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

/* Returns the entry of an object, or NULL. */
struct libcrypto *registry_find(const struct elf_object *object);

/*
 * Called with the start lock held. Returns the entry of an object or, not counted yet, the
 * first free entry, initialised for the object. Returns NULL if there is no room, which is
 * reported.
 */
struct libcrypto *registry_place(const struct elf_object *object,
                                 const struct crypto_library *kind);

/*
 * Called with the start lock held, when the entry of registry_place() is complete: counts it.
 */
void registry_add(void);

/*
 * Returns the number of the libcrypto that contains the code, or LIBCRYPTO_NONE. The code of an
 * object with a libcrypto inside is not known to be that libcrypto's, and belongs to none.
 * Takes no lock.
 */
unsigned registry_of_code(const void *code);

/*
 * Returns true while this thread loads a library, or when nobody has looked yet what a call of
 * this thread brought that was passed on.
 */
bool registry_is_loading(void);

/* Called when all that this thread has loaded is registered. */
void registry_is_loaded(void);

/* Returns true if a libcrypto contains the code. Takes no lock. */
bool libcrypto_contains(const void *code);

/* As libcrypto_contains(), also for the code of an object with a libcrypto inside. */
bool libcrypto_may_contain(const void *code);

/*
 * Called around a dlopen() of this thread, constructors included: a caller there may be linked
 * with a libcrypto that was loaded with it and is not registered yet.
 */
void libcrypto_load_begin(void);
void libcrypto_load_end(void);

/* Called before a dlopen() of this thread whose end the preload does not see. */
void libcrypto_load_passed_on(void);

/*
 * Returns true if function is the function of that name of a hooked libcrypto and the preload's
 * must replace it.
 */
bool libcrypto_defines(const void *function, const char *name);

/* Returns true if any libcrypto is served. */
bool libcrypto_hooked(void);

/*
 * 0: the preload serves all callers. Otherwise the number of libcryptos that the preload must
 * not serve (foreign, or hooked too late) plus the number of libraries being loaded.
 */
extern unsigned libcrypto_choices;

#endif
