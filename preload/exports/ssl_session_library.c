/* SPDX-License-Identifier: Apache-2.0 */
#include "exports/ssl_session_library.h"
#include "loader/real.h"
#include <dlfcn.h>

#define OBJECTS  128 /* of the process, that are looked at */
#define BINDINGS 32

struct loaded {
    struct elf_object object;
    const char *path;
    void *serialise; /* i2d_SSL_SESSION(), if it is a libssl */
};

struct search {
    const void *caller;
    struct loaded objects[OBJECTS];
    unsigned number;
    unsigned user; /* the number of the caller's object; OBJECTS: not found */
};

/*
 * What an object that called is bound to. An object keeps its binding for as long as it is
 * loaded, whatever is loaded later. Entries are claimed by a count, written once, and read once
 * complete.
 */
struct binding {
    const void *user, *library; /* link maps, by which both are recognised */
    const void *user_start;
    struct ssl_library is;
    bool complete;
};

static struct binding bindings[BINDINGS];
static unsigned binding_count;

static int search_visit(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct search *search = arg;
    struct loaded *here = &search->objects[search->number];

    (void)size;
    if (search->number == OBJECTS)
        return 1;
    here->object = elf_object(info);
    here->path = info->dlpi_name;
    /* The preload has the function as well. */
    here->serialise = elf_object_is_preload(&here->object)
                          ? NULL
                          : elf_symbol_of(&here->object, "i2d_SSL_SESSION");
    if (elf_range_has(elf_code_of(info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum),
                      search->caller))
        search->user = search->number;
    search->number++;
    return 0;
}

/* As of_name() in linkage.c. Returns OBJECTS if there is none. */
static unsigned by_name(const struct search *search, const char *name)
{
    unsigned by_file = OBJECTS;

    for (unsigned i = 0; i < search->number; i++) {
        const struct loaded *here = &search->objects[i];
        enum elf_named named = elf_named(&here->object, here->path, name);
        if (named == ELF_NAMED)
            return i;
        if (named == ELF_NAMED_BY_FILE && by_file == OBJECTS)
            by_file = i;
    }
    return by_file;
}

/* Searches breadth first, as the linker does. Returns the number of a libssl, or OBJECTS. */
static unsigned needed_by(const struct search *search, unsigned user)
{
    uint8_t queue[OBJECTS];
    bool queued[OBJECTS] = {false};
    unsigned end = 0;
    const char *name;

    if (user == OBJECTS)
        return OBJECTS;
    queue[end++] = (uint8_t)user;
    queued[user] = true;
    for (unsigned at = 0; at < end; at++) {
        const struct loaded *here = &search->objects[queue[at]];
        if (here->serialise)
            return queue[at];
        for (unsigned i = 0; (name = elf_needed(&here->object, i)); i++) {
            unsigned next = by_name(search, name);
            if (next < search->number && !queued[next]) {
                queued[next] = true;
                queue[end++] = (uint8_t)next;
            }
        }
    }
    return OBJECTS;
}

static bool search_list(const void *caller, struct ssl_library *library)
{
    struct search search = {.caller = caller, .user = OBJECTS};
    unsigned found;

    dl_iterate_phdr(search_visit, &search);
    found = needed_by(&search, search.user);
    for (unsigned i = 0; found == OBJECTS && i < search.number; i++) {
        if (search.objects[i].serialise)
            found = i;
    }
    if (found == OBJECTS)
        return false;
    library->object = search.objects[found].object;
    library->serialise = search.objects[found].serialise;
    library->inside = found == search.user;
    return true;
}

#ifdef DLFO_STRUCT_HAS_EH_DBASE
typedef int find_object(void *address, struct dl_find_object *result);

/* Returns glibc's lock-free search for an object by an address, or NULL before glibc 2.35. */
static find_object *finder(void)
{
    return (find_object *)real_function(REAL__dl_find_object);
}

/* Whether an entry is of the caller's object, and its libssl is still loaded where it was. */
static bool binding_holds(const struct binding *binding, const struct dl_find_object *user)
{
    struct dl_find_object library;

    return __atomic_load_n(&binding->complete, __ATOMIC_ACQUIRE) &&
           binding->user == user->dlfo_link_map &&
           binding->user_start == user->dlfo_map_start &&
           finder()(binding->is.serialise, &library) == 0 &&
           binding->library == library.dlfo_link_map;
}

static void binding_remember(const struct dl_find_object *user, const struct ssl_library *is)
{
    struct dl_find_object library;
    unsigned place;

    if (__atomic_load_n(&binding_count, __ATOMIC_RELAXED) >= BINDINGS ||
        finder()(is->serialise, &library) != 0)
        return;
    place = __atomic_fetch_add(&binding_count, 1, __ATOMIC_RELAXED);
    if (place >= BINDINGS)
        return;
    bindings[place].user = user->dlfo_link_map;
    bindings[place].user_start = user->dlfo_map_start;
    bindings[place].library = library.dlfo_link_map;
    bindings[place].is = *is;
    __atomic_store_n(&bindings[place].complete, true, __ATOMIC_RELEASE);
}

bool ssl_library_of(const void *caller, struct ssl_library *library)
{
    struct dl_find_object user;
    unsigned claimed;

    if (!finder() || finder()((void *)caller, &user) != 0)
        return search_list(caller, library);
    claimed = (unsigned)sm_min(__atomic_load_n(&binding_count, __ATOMIC_RELAXED), BINDINGS);
    for (unsigned i = 0; i < claimed; i++) {
        if (binding_holds(&bindings[i], &user)) {
            *library = bindings[i].is;
            return true;
        }
    }
    if (!search_list(caller, library))
        return false;
    binding_remember(&user, library);
    return true;
}
#else
bool ssl_library_of(const void *caller, struct ssl_library *library)
{
    return search_list(caller, library);
}
#endif
