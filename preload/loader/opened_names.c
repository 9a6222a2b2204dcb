/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/opened_names.h"
#include "loader/elf_symbols.h"
#include "loader/real.h"
#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

/* Entries are added at the head and not removed, so that readers and forks never wait. */
struct entry {
    struct entry *next;
    const void *handle; /* the last handle by that name */
    const char *path;   /* the linker's name of the library; stored behind name */
    char name[];
};

static struct entry *entries;

static struct entry *opened_find(const char *name, const char *path)
{
    struct entry *entry = __atomic_load_n(&entries, __ATOMIC_ACQUIRE);

    while (entry && (strcmp(entry->name, name) != 0 || strcmp(entry->path, path) != 0))
        entry = entry->next;
    return entry;
}

static void opened_add(const char *name, const char *path, const void *handle)
{
    size_t length = strlen(name) + 1, more = strlen(path) + 1;
    struct entry *entry = malloc(sizeof(*entry) + length + more);

    if (!entry)
        return;
    entry->handle = handle;
    memcpy(entry->name, name, length);
    memcpy(entry->name + length, path, more);
    entry->path = entry->name + length;
    entry->next = __atomic_load_n(&entries, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&entries, &entry->next, entry, false, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
        ;
}

void names_remember(const char *name, const void *handle)
{
    const struct link_map *map = handle;
    struct elf_object object = {map->l_addr, map->l_ld};
    struct entry *entry;

    /* The program has no path. The linker finds a DT_SONAME itself. */
    if (!*map->l_name || strlen(map->l_name) >= PATH_MAX ||
        strcmp(elf_soname(&object), name) == 0)
        return;
    entry = opened_find(name, map->l_name);
    if (entry)
        __atomic_store_n(&entry->handle, handle, __ATOMIC_RELAXED);
    else
        opened_add(name, map->l_name, handle);
}

/* Another library may have been loaded in its place, whose name the linker does not know. */
static bool is_there(const struct entry *entry)
{
    void *(*next)(const char *, int) = (void *(*)(const char *, int))real_function(REAL_DLOPEN);
    void *handle = next(entry->path, RTLD_LAZY | RTLD_NOLOAD);

    if (handle)
        dlclose(handle);
    return handle && handle == __atomic_load_n(&entry->handle, __ATOMIC_RELAXED);
}

bool names_recall(const char *name, char path[PATH_MAX])
{
    const struct entry *entry = __atomic_load_n(&entries, __ATOMIC_ACQUIRE);

    for (; entry; entry = entry->next) {
        if (strcmp(entry->name, name) == 0 && is_there(entry)) {
            strcpy(path, entry->path);
            return true;
        }
    }
    return false;
}
