/* SPDX-License-Identifier: Apache-2.0 */
#include "libcrypto/engine.h"
#include "arena/arena.h"
#include "base/common.h"
#include "heap/malloc.h"
#include "hooks/mem_hooks.h"
#include "libcrypto/discover.h"
#include "libcrypto/linkage.h"
#include "libcrypto/registry.h"
#include "start.h"
#include <string.h>

/*
 * The functions of the program that loads engines. There is at most one program: written once,
 * with the start lock held.
 */
static struct {
    struct mem_hooks own;
    const struct libcrypto *lib; /* the libcrypto that was given them; written last */
} host;

/*
 * The functions that the libcrypto of an engine calls. That libcrypto may have allocated before
 * the engine was bound. Such blocks are the arena's, and must not be given to the host's free.
 */
static void *shared_malloc(size_t size, const char *file, int line)
{
    return host.own.malloc(size, file, line);
}

static void shared_free(void *p, const char *file, int line)
{
    if (sm_arena_owns(p))
        hook_free(p, file, line);
    else
        host.own.free(p, file, line);
}

static void *shared_realloc(void *p, size_t size, const char *file, int line)
{
    void *to;

    if (!sm_arena_owns(p))
        return host.own.realloc(p, size, file, line);
    to = size ? host.own.malloc(size, file, line) : NULL;
    if (to)
        memcpy(to, p, sm_min(sm_usable_size(p), size));
    if (to || !size)
        hook_free(p, file, line);
    return to;
}

static const struct mem_hooks shared = {shared_malloc, shared_realloc, shared_free};

bool engine_has(const void *function)
{
    const struct libcrypto *lib = __atomic_load_n(&host.lib, __ATOMIC_ACQUIRE);

    return lib && elf_range_has(lib->code, function);
}

struct binding {
    const void *caller;
    struct mem_hooks functions;
    bool good;
};

/*
 * Returns the libcrypto that the engine names in DT_NEEDED, otherwise the first that can be
 * hooked.
 */
static struct libcrypto *libcrypto_of(const struct elf_object *engine)
{
    unsigned of = linkage_of(engine);

    for (unsigned i = 0; of == LIBCRYPTO_NONE && i < registry_count(&known_count); i++) {
        if (!known[i].space && known[i].kind->hook)
            of = i;
    }
    return of == LIBCRYPTO_NONE ? NULL : &known[of];
}

/* Called with the start lock held. */
static bool share(struct libcrypto *lib, const struct binding *binding)
{
    if (host.lib)
        return host.lib == lib && memcmp(&host.own, &binding->functions, sizeof(host.own)) == 0;
    if (lib->unserved || !lib->kind->hook)
        return false;
    host.own = binding->functions;
    /* With the hooks in place OpenSSL still accepts other functions. */
    if (!lib->kind->hook(&lib->object, &shared))
        return false;
    __atomic_store_n(&host.lib, lib, __ATOMIC_RELEASE);
    libcrypto_is_shared(lib);
    return true;
}

/*
 * Called by dl_iterate_phdr, whose lock comes before the start lock: see hook_listed() in
 * discover.c.
 */
static int engine_visit(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct elf_object object = elf_object(info);
    struct binding *binding = arg;
    struct libcrypto *lib;

    (void)size;
    if (!elf_range_has(elf_code_of(info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum),
                       binding->caller))
        return 0;
    if (!elf_symbol_of(&object, "bind_engine"))
        return 1;
    start_lock();
    lib = libcrypto_of(&object);
    binding->good = lib && share(lib, binding);
    start_unlock();
    return 1;
}

bool engine_shares(const void *caller, crypto_malloc *m, crypto_realloc *r, crypto_free *f)
{
    struct binding binding = {caller, {m, r, f}, false};

    if (m && r && f)
        dl_iterate_phdr(engine_visit, &binding);
    return binding.good;
}
