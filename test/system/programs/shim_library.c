/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for a libcrypto, as generated trampolines do: by the real one, which it opens when it
 * is asked for the first time. */
#include <dlfcn.h>
#include <stddef.h>

typedef void *malloc_fn(size_t, const char *, int);
typedef void *realloc_fn(void *, size_t, const char *, int);
typedef void free_fn(void *, const char *, int);

unsigned long OpenSSL_version_num(void);
int CRYPTO_set_mem_functions(malloc_fn *m, realloc_fn *r, free_fn *f);
void CRYPTO_get_mem_functions(malloc_fn **m, realloc_fn **r, free_fn **f);

static void *real(const char *name)
{
    static void *library;

    if (!library)
        library = dlopen("libfake_3.so", RTLD_NOW | RTLD_LOCAL);
    return library ? dlsym(library, name) : NULL;
}

unsigned long OpenSSL_version_num(void)
{
    unsigned long (*version)(void) = (unsigned long (*)(void))real("OpenSSL_version_num");

    return version ? version() : 0;
}

int CRYPTO_set_mem_functions(malloc_fn *m, realloc_fn *r, free_fn *f)
{
    int (*set)(malloc_fn *, realloc_fn *, free_fn *) =
        (int (*)(malloc_fn *, realloc_fn *, free_fn *))real("CRYPTO_set_mem_functions");

    return set ? set(m, r, f) : 0;
}

void CRYPTO_get_mem_functions(malloc_fn **m, realloc_fn **r, free_fn **f)
{
    void (*get)(malloc_fn **, realloc_fn **, free_fn **) =
        (void (*)(malloc_fn **, realloc_fn **, free_fn **))real("CRYPTO_get_mem_functions");

    if (get)
        get(m, r, f);
}
