/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Crypto libraries other than libcrypto, whose allocator the preload replaces when the program
 * starts to use them (exports/libgcrypt.c, wolfssl.c, gmp.c).
 */
#ifndef PRELOAD_LIBCRYPTO_TOOLKIT_H
#define PRELOAD_LIBCRYPTO_TOOLKIT_H

#include <stdbool.h>

/*
 * Returns the library's own function of that name, of the first object that has one, or NULL.
 * dlsym() would not find a library that was opened with RTLD_LOCAL.
 */
void *toolkit_function(const char *name);

/*
 * The library that has this function now allocates by the functions of hooks/toolkit_hooks.h.
 */
void toolkit_hooked(const void *function);

/* Returns true for code of such a library or of a libcrypto. Takes no lock. */
bool toolkit_reads_keys(const void *code);

/* The library does not, for the reason that is given in words. */
void toolkit_unhooked(const char *library, const char *why);

/*
 * Called when code locks memory. toolkit_gcrypt_locked() tells whether libgcrypt has, because
 * then it has its pool of secure memory.
 */
void toolkit_locks(const void *code);
bool toolkit_gcrypt_locked(void);

/* Returns true if code belongs to an object whose DT_SONAME begins so. */
bool toolkit_has_code(const char *soname, const void *code);

/*
 * Returns true if only objects whose DT_SONAME begins with one of the names, which end with
 * NULL, are linked with libraries whose name begins with `library`.
 */
bool toolkit_is_used_only_by(const char *library, const char *const *names);

#endif
