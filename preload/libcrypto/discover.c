/* SPDX-License-Identifier: Apache-2.0 */
#include "libcrypto/discover.h"
#include "base/counters.h"
#include "base/settings.h"
#include "fork/fork.h"
#include "heap/thread_cache.h"
#include "hooks/mem_hooks.h"
#include "hooks/namespace_hooks.h"
#include "hooks/partition.h"
#include "libcrypto/crypto_library.h"
#include "libcrypto/linkage.h"
#include "libcrypto/pin.h"
#include "libcrypto/registry.h"
#include "loader/elf_symbols.h"
#include "log/lapse.h"
#include "log/log.h"
#include "stacktrace/unwind.h"
#include "start.h"
#include <string.h>

static bool any_unserved;
bool (*libcrypto_changed)(void);
static unsigned long long seen_adds; /* objects ever loaded, as the linker counts them */

static const char *name_of(const char *name)
{
    return name && *name ? name : "the program itself";
}

/* Marks lib as not served. refusal and warning give the reason; the string whose ends both. */
static void not_served(struct libcrypto *lib, const char *name, const char *refusal,
                       const char *warning, const char *whose)
{
    if (lib->unserved)
        return;
    lib->unserved = true;
    sm_count(&sm_stats.hooks_late, 1);
    any_unserved = true;
    __atomic_fetch_add(&libcrypto_choices, 1, __ATOMIC_RELEASE);
    if (sm_settings.require)
        sm_exit_refused("SECRETSSL_REQUIRE=1: %s cannot be hooked: %s%s", name, refusal, whose);
    sm_lapse_each(SM_LAPSE_UNHOOKED, "%s is not protected: %s%s", name, warning, whose);
}

void libcrypto_is_shared(struct libcrypto *lib)
{
    static const char why[] =
        "an ENGINE exchanges blocks with the program's own libcrypto, which is not hooked";

    not_served(lib, name_of(lib->path), why, why, "");
    linkage_refresh();
}

static void hook(struct libcrypto *lib, const char *name)
{
    static const struct mem_hooks ours = {
        .malloc = hook_malloc, .realloc = hook_realloc, .free = hook_free};

    if (lib->kind->by_name && !lib->space) {
        sm_count(&sm_stats.hooks, !lib->by_name);
        if (!lib->by_name)
            partition_unnamed(); /* BoringSSL and AWS-LC never name any */
        lib->by_name = true;
        return;
    }
    if (!lib->kind->hook) {
        not_served(lib, name, "it is ", "it is ", lib->kind->name);
        return;
    }
    if (lib->unserved || lib->kind->is_hooked(&lib->object))
        return;
    if (lib->kind->hook(&lib->object, lib->space ? lib->space : &ours))
        sm_count(&sm_stats.hooks, 1);
    else
        not_served(lib, name, "it allocated memory already",
                   "the hook comes too late, it allocated memory already", "");
}

struct look {
    unsigned long long adds; /* dlpi_adds when the look began */
    bool all;                /* false: only these objects, which are relocated and pinned */
    struct elf_object objects[LIBCRYPTOS_MAX];
    unsigned number;
    bool hooks;
};

static bool meant(const struct look *look, const struct elf_object *object)
{
    for (unsigned i = 0; i < look->number; i++) {
        if (elf_object_same(&look->objects[i], object))
            return true;
    }
    return look->all;
}

/* An object and the hooks of its namespace; NULL for the preload's own namespace */
struct found {
    struct elf_object object;
    struct range code;
    const char *path;
    const struct mem_hooks *space;
};

/* Registers an object that is a crypto library. Installs the hooks if hooks is true. */
static void consider(const struct found *found, bool hooks)
{
    const struct crypto_library *kind = crypto_library_of(&found->object);
    struct libcrypto *lib = kind ? registry_place(&found->object, kind) : NULL;

    if (lib && lib == &known[known_count]) {
        lib->code = found->code;
        lib->path = found->path;
        lib->space = found->space;
        registry_add();
    }
    if (lib && hooks)
        hook(lib, name_of(found->path));
}

/* Called by dl_iterate_phdr, during which no object is unloaded. */
static int discover_visit(struct dl_phdr_info *info, size_t size, void *arg)
{
    const struct look *look = arg;
    struct found found = {elf_object(info),
                          elf_code_of(info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum),
                          info->dlpi_name, NULL};

    (void)size;
    if (meant(look, &found.object))
        consider(&found, look->hooks);
    return 0;
}

bool libcrypto_present(void)
{
    struct look look = {.all = true};

    dl_iterate_phdr(discover_visit, &look);
    return known_count != 0;
}

static void hook_some(struct look *look)
{
    look->hooks = true;
    dl_iterate_phdr(discover_visit, look);
    if (look->all && !libcrypto_hooked())
        linkage_default_to_first();
    if (any_unserved)
        linkage_refresh();
}

void libcrypto_hook_all(void)
{
    struct look look = {.all = true};

    hook_some(&look);
    if (libcrypto_changed)
        libcrypto_changed();
}

static void collect_one(struct look *look, const struct elf_object *object)
{
    if (look->number < LIBCRYPTOS_MAX && crypto_library_resembles(object))
        look->objects[look->number++] = *object;
}

static int collect(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct elf_object object = elf_object(info);
    struct look *look = arg;

    (void)size;
    look->adds = info->dlpi_adds;
    if (look->adds == __atomic_load_n(&seen_adds, __ATOMIC_RELAXED))
        return 1;
    collect_one(look, &object);
    return 0;
}

/*
 * Pins the collected objects; known ones are pinned already. Drops objects unloaded since they
 * were collected. handle: NULL, or a handle that stands for a namespace.
 */
static void pin_all(struct look *look, void *handle)
{
    unsigned number = 0;

    for (unsigned i = 0; i < look->number; i++) {
        if (registry_find(&look->objects[i]) || pin(&look->objects[i], handle))
            look->objects[number++] = look->objects[i];
    }
    look->number = number;
}

/*
 * The lock of the linker's list is taken before the start lock, because a fork in a callback of
 * dl_iterate_phdr takes them in this order too. The lock of the list is recursive.
 */
static int hook_listed(struct dl_phdr_info *info, size_t size, void *look)
{
    (void)info, (void)size;
    start_lock();
    hook_some(look);
    start_unlock();
    return 1;
}

/*
 * In the allocator, which loads a library to report a misuse, the start lock is not taken: a
 * fork may hold the lock and wait for this thread to leave the allocator.
 */
static void look_once(void)
{
    struct look look = {0};

    dl_iterate_phdr(collect, &look);
    if (look.number) {
        /* Before the preload's constructor, which looks itself, nothing can start. */
        if (!start_ready())
            return;
        /*
         * Another thread may be loading a listed libcrypto that is not relocated yet: pinning
         * waits for the linker's lock, which that thread holds. Pinning comes before the start
         * lock, because a fork in a library's constructor takes the start lock while it holds
         * the linker's.
         */
        pin_all(&look, NULL);
        dl_iterate_phdr(hook_listed, &look);
        /*
         * The program has just taken the linker's lock itself, so loading libunwind may take it
         * too.
         */
        if (sm_settings.trace)
            sm_unwind_load();
    }
    if (libcrypto_changed && look.adds != __atomic_load_n(&seen_adds, __ATOMIC_RELAXED) &&
        !libcrypto_changed())
        return;
    __atomic_store_n(&seen_adds, look.adds, __ATOMIC_RELAXED);
}

/*
 * A library in libcrypto's place may load the real libcrypto when its functions are called, and
 * so call this function while this thread hooks. The look is then repeated afterwards.
 */
void libcrypto_discover(void)
{
    static sm_flag again; /* set by the holder of the start lock */

    if (sm_inside_now())
        return;
    if (sm_fork_holds()) {
        again = true;
        return;
    }
    look_once();
    while (__atomic_exchange_n(&again, false, __ATOMIC_RELAXED))
        look_once();
    registry_is_loaded();
}

/*
 * A namespace has a list of its own, which dl_iterate_phdr does not show to the preload. No
 * list changes while dl_iterate_phdr runs the callback.
 */
struct look_namespace {
    const struct link_map *first;
    const struct mem_hooks *space;
    struct look look;
};

static int collect_namespace(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct look_namespace *there = arg;

    (void)info, (void)size;
    while (there->first->l_prev)
        there->first = there->first->l_prev;
    for (const struct link_map *map = there->first; map; map = map->l_next) {
        struct elf_object object = {.base = map->l_addr, .dynamic = map->l_ld};
        collect_one(&there->look, &object);
    }
    return 1;
}

static void consider_namespace(const struct link_map *map, const struct look_namespace *there)
{
    const ElfW(Ehdr) *head = (const void *)map->l_addr;
    struct found found = {.object = {.base = map->l_addr, .dynamic = map->l_ld},
                          .path = map->l_name,
                          .space = there->space};

    if (!meant(&there->look, &found.object) || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0)
        return;
    found.code =
        elf_code_of(map->l_addr, (const void *)(map->l_addr + head->e_phoff), head->e_phnum);
    consider(&found, true);
}

static int hook_namespace(struct dl_phdr_info *info, size_t size, void *arg)
{
    const struct look_namespace *there = arg;
    const struct link_map *map = there->first;

    (void)info, (void)size;
    while (map->l_prev)
        map = map->l_prev;
    start_lock();
    for (; map; map = map->l_next)
        consider_namespace(map, there);
    start_unlock();
    return 1;
}

void libcrypto_discover_namespace(void *handle)
{
    struct look_namespace there = {.first = handle};

    if (sm_inside_now() || sm_fork_holds())
        return;
    dl_iterate_phdr(collect_namespace, &there);
    if (!there.look.number || !start_ready())
        return;
    there.space = namespace_hooks(handle);
    pin_all(&there.look, handle);
    if (!there.space)
        return;
    there.first = handle;
    dl_iterate_phdr(hook_namespace, &there);
}
