/* SPDX-License-Identifier: Apache-2.0 */
#include "libcrypto/registry.h"
#include "log/lapse.h"
#include <string.h>

struct libcrypto known[LIBCRYPTOS_MAX];
unsigned known_count;

unsigned libcrypto_choices;
static __thread unsigned loads __attribute__((tls_model("initial-exec")));
static __thread bool load_passed_on __attribute__((tls_model("initial-exec")));

struct libcrypto *registry_find(const struct elf_object *object)
{
    for (unsigned i = 0; i < registry_count(&known_count); i++) {
        if (elf_object_same(&known[i].object, object))
            return &known[i];
    }
    return NULL;
}

struct libcrypto *registry_place(const struct elf_object *object,
                                 const struct crypto_library *kind)
{
    struct libcrypto *lib = registry_find(object);

    if (!lib && known_count == LIBCRYPTOS_MAX) {
        sm_lapse(SM_LAPSE_LIBCRYPTOS,
                 "more than %d libcryptos are loaded: further ones are not hooked; report it",
                 LIBCRYPTOS_MAX);
        return NULL;
    }
    if (lib)
        return lib;
    lib = &known[known_count];
    *lib = (struct libcrypto){.object = *object, .kind = kind};
    return lib;
}

void registry_add(void)
{
    __atomic_store_n(&known_count, known_count + 1, __ATOMIC_RELEASE);
}

bool registry_is_loading(void)
{
    return loads || load_passed_on;
}

static void set_passed_on(bool value)
{
    if (load_passed_on != value)
        __atomic_fetch_add(&libcrypto_choices, value ? 1U : -1U, __ATOMIC_RELAXED);
    load_passed_on = value;
}

void libcrypto_load_passed_on(void)
{
    set_passed_on(true);
}

void registry_is_loaded(void)
{
    set_passed_on(false);
}

/* The first whose code this is; of those with a libcrypto inside only if inside is true. */
static unsigned entry_of_code(const void *code, bool inside)
{
    unsigned number = registry_count(&known_count);

    for (unsigned i = 0; i < number; i++) {
        if ((inside || !known[i].kind->inside) && elf_range_has(known[i].code, code))
            return i;
    }
    return LIBCRYPTO_NONE;
}

unsigned registry_of_code(const void *code)
{
    return entry_of_code(code, false);
}

bool libcrypto_may_contain(const void *code)
{
    return entry_of_code(code, true) != LIBCRYPTO_NONE;
}

bool libcrypto_contains(const void *code)
{
    return registry_of_code(code) != LIBCRYPTO_NONE;
}

void libcrypto_load_begin(void)
{
    loads++;
    __atomic_fetch_add(&libcrypto_choices, 1, __ATOMIC_RELAXED);
}

void libcrypto_load_end(void)
{
    __atomic_fetch_sub(&libcrypto_choices, 1, __ATOMIC_RELAXED);
    loads--;
}

/*
 * In another namespace a block that the arena has no room for belongs to another C library,
 * which only the hooks of that namespace know.
 */
static bool only_by_hook(const struct libcrypto *lib, const char *name)
{
    return lib->space && strncmp(name, "CRYPTO_secure_", 14) != 0 &&
           strcmp(name, "CRYPTO_set_mem_functions") != 0;
}

bool libcrypto_defines(const void *function, const char *name)
{
    for (unsigned i = 0; i < registry_count(&known_count); i++) {
        if (!known[i].unserved && known[i].kind->hook && !only_by_hook(&known[i], name) &&
            elf_symbol_of(&known[i].object, name) == function)
            return true;
    }
    return false;
}

bool libcrypto_hooked(void)
{
    for (unsigned i = 0; i < registry_count(&known_count); i++) {
        if (!known[i].unserved)
            return true;
    }
    return false;
}
