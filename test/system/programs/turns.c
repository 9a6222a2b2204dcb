/* SPDX-License-Identifier: Apache-2.0 */
/* Libraries that take turns: one opens another when it is asked, comes to the place of another
 * that is gone, or is one of very many.
 *
 *   turns KIND CASE */
#include "common.h"
#include "library.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <sys/mman.h>

#define MANY 64 /* so many have a place of their own */

/* Whoever is asked which version it is opens another one, while it is looked at. */
static void shim(void)
{
    void *handle = opened(beside("libshim_library.so"), RTLD_NOW | RTLD_LOCAL);

    check(((unsigned long (*)(void))symbol(handle, "OpenSSL_version_num"))() == 0x30500000UL,
          "it answers");
    check_library(opened(beside("libfake_3.so"), RTLD_NOW | RTLD_LOCAL),
                  "a block of the real one");
}

static const void *block_of(void *handle)
{
    return ((void *(*)(void))symbol(handle, "foreign_block"))();
}

static void check_foreign(const void *block, const char *what)
{
    check(kind_of(block) == MEMORY_ORDINARY, "%s: ordinary memory", what);
}

/* One libcrypto that is left alone, and one that is served */
static void two_libcryptos(void)
{
    opened(beside("libfake_libressl.so"), RTLD_NOW | RTLD_LOCAL);
    opened(beside("libfake_3.so"), RTLD_NOW | RTLD_LOCAL);
}

/* A constructor takes a block where a library was that is linked with another libcrypto. */
static void stale(void)
{
    void *handle, *place;

    two_libcryptos();
    handle = opened(beside("libearly_libressl_user.so"), RTLD_NOW | RTLD_LOCAL);
    place = symbol(handle, "foreign_block");
    check_foreign(block_of(handle), "a block of what is linked with the foreign one");
    check(dlclose(handle) == 0, "it is closed");
    handle = opened(beside("libearly_served_user.so"), RTLD_NOW | RTLD_LOCAL);
    check(symbol(handle, "foreign_block") == place, "another at its place");
    check_kind(block_of(handle), "a block of what is linked with 3.5");
}

/* The next library is to lie elsewhere. */
static void close_and_occupy(struct link_map *map)
{
    void *place = (void *)map->l_addr;

    if (dlclose(map) != 0 ||
        mmap(place, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
             0) != place)
        broken("a library is not closed");
}

/* One after the other, and never two at a place */
static void procession(void)
{
    unsigned wrong = 0;

    two_libcryptos();
    for (int i = 0; i < MANY + 6; i++) {
        void *handle = opened(beside("libforeign_user.so"), RTLD_NOW | RTLD_LOCAL);
        wrong += kind_of(block_of(handle)) != MEMORY_ORDINARY;
        close_and_occupy(handle);
    }
    check(wrong == 0, "%u of %d blocks are of the wrong allocator", wrong, MANY + 6);
}

/* The driver made copies in the current directory. */
static void *opened_copy(int number)
{
    char name[PATH_MAX];

    snprintf(name, sizeof(name), "./user_%d.so", number);
    return opened(name, RTLD_NOW | RTLD_LOCAL);
}

/* As many as there is room for; one goes and another comes; then two too many. */
static void crowd(void)
{
    void *handles[MANY];
    unsigned wrong = 0;

    two_libcryptos();
    for (int i = 0; i < MANY; i++) {
        handles[i] = opened_copy(i);
        wrong += kind_of(block_of(handles[i])) != MEMORY_ORDINARY;
    }
    check(wrong == 0, "%u of %d blocks are of the wrong allocator", wrong, MANY);
    close_and_occupy(handles[MANY / 2]);
    check_foreign(block_of(opened_copy(MANY)), "a block of another instead of one that went");
    check_foreign(block_of(handles[0]), "of one that stayed");
    opened_copy(MANY + 1);
    opened_copy(MANY + 2);
    check_foreign(block_of(handles[MANY - 1]), "of one that stayed");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"shim", shim},   {"stale", stale}, {"procession", procession},
        {"crowd", crowd}, {NULL, NULL},
    };

    return run_case(cases, argc, argv);
}
