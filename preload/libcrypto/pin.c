/* SPDX-License-Identifier: Apache-2.0 */
#include "libcrypto/pin.h"
#include "loader/real.h"
#include <dlfcn.h>
#include <limits.h>
#include <string.h>

#define MODE (RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE)

struct search {
    const struct elf_object *object;
    const struct link_map *there; /* any object of the namespace; NULL: the preload's */
    char name[PATH_MAX];
};

static bool take_name(struct search *search, uintptr_t base, const ElfW(Dyn) * dynamic,
                      const char *name)
{
    if (base != search->object->base || dynamic != search->object->dynamic ||
        strlen(name) >= sizeof(search->name))
        return false;
    strcpy(search->name, name);
    return true;
}

/* No namespace's list changes while dl_iterate_phdr runs this callback. */
static int pin_visit(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct search *search = arg;
    struct elf_object object = elf_object(info);
    const struct link_map *map = search->there;

    (void)size;
    if (!map)
        return take_name(search, object.base, object.dynamic, info->dlpi_name);
    while (map->l_prev)
        map = map->l_prev;
    while (map && !take_name(search, map->l_addr, map->l_ld, map->l_name))
        map = map->l_next;
    return map ? 1 : -1;
}

/* Another object may have been loaded in its place since its name was read. */
static bool is(void *handle, uintptr_t base, const ElfW(Dyn) * dynamic)
{
    const struct link_map *map = handle;
    bool same = map && map->l_addr == base && map->l_ld == dynamic;

    if (handle)
        dlclose(handle);
    return same;
}

static void *open_again(const char *name, void *handle)
{
    Lmid_t space;

    if (!handle)
        return REAL(dlopen)(name, MODE);
    return dlinfo(handle, RTLD_DI_LMID, &space) == 0 ? REAL(dlmopen)(space, name, MODE) : NULL;
}

/*
 * Not called within dl_iterate_phdr, because dlclose() takes these two locks in the opposite
 * order.
 */
bool pin(const struct elf_object *object, void *handle)
{
    struct search search;

    search.object = object;
    search.there = handle;
    if (dl_iterate_phdr(pin_visit, &search) != 1)
        return false;
    /* The program itself has no name, and is never unloaded. */
    return !*search.name || is(open_again(search.name, handle), object->base, object->dynamic);
}
