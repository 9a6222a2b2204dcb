/* SPDX-License-Identifier: Apache-2.0 */
/* The table of libcryptos of this process, which discover.c fills. */
#ifndef PRELOAD_LIBCRYPTO_REGISTRY_H
#define PRELOAD_LIBCRYPTO_REGISTRY_H

#include "base/common.h"
#include "libcrypto/crypto_library.h"
#include "loader/elf_symbols.h"

#define LIBCRYPTOS_MAX 32
#define LIBCRYPTO_NONE UINT32_MAX /* no number of one */

struct libcrypto {
    struct elf_object object;
    const char *path; /* by which it was loaded */
    struct range code;
    const struct crypto_library *kind;
    bool unserved;                 /* foreign, or it could not be hooked */
    const struct mem_hooks *space; /* the hooks of its name space; NULL: it is in ours */
};

/*
 * Written under the start lock, a count last, and read without: entries are never removed, and
 * what they are of is never unloaded (pin.h).
 */
extern SM_LOCAL struct libcrypto known[LIBCRYPTOS_MAX];
extern SM_LOCAL unsigned known_count;

static inline unsigned registry_count(const unsigned *counter)
{
    return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

/* The entry of an object; NULL: it has none. */
struct libcrypto *registry_find(const struct elf_object *object);

/*
 * With the start lock: the entry of an object, or the first free one, begun for it and not
 * counted yet. NULL: there is no room, which was said.
 */
struct libcrypto *registry_place(const struct elf_object *object,
                                 const struct crypto_library *kind);

/* With the start lock: the entry that registry_place() began is complete. */
void registry_add(void);

/* The number of the libcrypto that code lies in; LIBCRYPTO_NONE: in none. */
unsigned registry_of_code(const void *code);

/* Whether this thread is loading a library. */
bool registry_is_loading(void);

/* Whether code at this address is a libcrypto's. Takes no lock. */
bool libcrypto_contains(const void *code);

/* Whether it is one that is hooked. */
bool libcrypto_serves(const void *code);

/*
 * Around the search for a library of this thread's, and its constructors: what calls ours
 * from there may be linked with a libcrypto that came along, and is not known yet.
 */
void libcrypto_load_begin(void);
void libcrypto_load_end(void);

/*
 * Whether an address is the function of that name of a libcrypto that is hooked, and ours is
 * to answer in its place.
 */
bool libcrypto_defines(const void *function, const char *name);

/* Whether a function is that of a libcrypto that ours must not serve. Takes no lock. */
bool libcrypto_is_unhooked(const void *function);

/* Whether there is any libcrypto, whatever became of it. Takes no lock. */
bool libcrypto_known(void);

/* Whether any libcrypto is hooked. */
bool libcrypto_hooked(void);

/*
 * 0: ours serves all callers. Else so many libcryptos are there that it must not serve
 * (foreign ones, those hooked too late), and libraries being loaded.
 */
extern unsigned libcrypto_choices;

#endif
