/* SPDX-License-Identifier: Apache-2.0 */
#include "pin.h"
#include "next.h"
#include <dlfcn.h>
#include <limits.h>
#include <string.h>

#define MODE (RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE)

struct search {
    const struct elf_object *object;
    char name[PATH_MAX];
};

static int visit(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct search *search = arg;
    struct elf_object object = elf_object(info);

    (void)size;
    if (object.base != search->object->base || object.dynamic != search->object->dynamic ||
        strlen(info->dlpi_name) >= sizeof(search->name))
        return 0;
    strcpy(search->name, info->dlpi_name);
    return 1;
}

/* Another one may have come in its place since its name was read. */
static bool is(void *handle, uintptr_t base, const ElfW(Dyn) * dynamic)
{
    const struct link_map *map = handle;
    bool same = map && map->l_addr == base && map->l_ld == dynamic;

    if (handle)
        dlclose(handle);
    return same;
}

/* Not from within dl_iterate_phdr: whoever unloads takes these two locks the other way round.
 */
bool pin(const struct elf_object *object)
{
    void *(*next)(const char *, int) = (void *(*)(const char *, int))next_function(NEXT_DLOPEN);
    struct search search;

    search.object = object;
    if (!dl_iterate_phdr(visit, &search))
        return false;
    /* The program itself has no name, and stays. */
    return !*search.name || is(next(search.name, MODE), object->base, object->dynamic);
}

bool pin_elsewhere(void *handle, const struct link_map *map)
{
    void *(*next)(Lmid_t, const char *, int) =
        (void *(*)(Lmid_t, const char *, int))next_function(NEXT_DLMOPEN);
    Lmid_t space;

    return dlinfo(handle, RTLD_DI_LMID, &space) == 0 &&
           is(next(space, map->l_name, MODE), map->l_addr, map->l_ld);
}
