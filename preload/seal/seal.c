/* SPDX-License-Identifier: Apache-2.0 */
#include "seal/seal.h"
#include "base/counters.h"
#include "base/settings.h"
#include "fork/fork.h"
#include "hooks/secure_blocks.h"
#include "libcrypto/discover.h"
#include "libcrypto/linkage.h"
#include "libcrypto/registry.h"
#include "libcrypto/resolve.h"
#include "loader/elf_slots.h"
#include "log/log.h"
#include "os/protection_key.h"
#include "process/sealing.h"
#include "seal/fault.h"
#include "seal/rules.h"
#include "seal/ways.h"
#include "seal/window.h"
#include "start.h"

static bool begun, sealed_all;

/* The objects of the linker's list, in its order, of which the first have been visited. */
static struct {
    unsigned long long subs; /* objects that were ever unloaded */
    unsigned objects;        /* visited */
    unsigned libcryptos;     /* known at that time */
} visited;

struct visit {
    unsigned long long subs;
    unsigned number; /* of objects so far */
    unsigned inner;  /* the libcrypto that is visited, or LIBCRYPTO_NONE */
    unsigned linked; /* the libcrypto for calls that are not bound yet, or LIBCRYPTO_NONE */
    bool crowded;    /* there are no more stubs */
    bool loading;    /* another thread is loading an object */
};

/* The only libcrypto that is sealed, or LIBCRYPTO_NONE. */
static unsigned only_one(void)
{
    unsigned found = LIBCRYPTO_NONE;

    for (unsigned i = 0; i < registry_count(&known_count); i++) {
        if (known[i].unserved || known[i].space)
            continue;
        if (found != LIBCRYPTO_NONE)
            return LIBCRYPTO_NONE;
        found = i;
    }
    return found;
}

static void *function_of(const struct visit *visit, const struct elf_slot *slot, unsigned of)
{
    bool inner = visit->inner == of;

    if (of == LIBCRYPTO_NONE || !known[of].sealed || !seal_is_window(slot->name, inner))
        return NULL;
    return inner || slot->unbound ? elf_symbol_of(&known[of].object, slot->name)
                                  : (void *)slot->value;
}

static uintptr_t sealed_slot(const struct elf_slot *slot, void *arg)
{
    struct visit *visit = arg;
    void *instead = ways_instead(slot->name, slot->unbound ? NULL : (void *)slot->value);
    unsigned of = slot->unbound ? visit->linked : registry_of_code((const void *)slot->value);
    void *function = instead ? NULL : function_of(visit, slot, of);

    if (function) {
        instead = window_stub(function, seal_frees(slot->name));
        visit->crowded |= !instead;
    }
    return instead ? (uintptr_t)instead : slot->value;
}

static unsigned library_of(const struct elf_object *object)
{
    const struct libcrypto *lib = registry_find(object);

    return lib ? (unsigned)(lib - known) : LIBCRYPTO_NONE;
}

static int seal_visit(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct elf_object object = elf_object(info);
    struct visit *visit = arg;
    unsigned only = only_one();

    (void)size;
    /* Objects behind it are visited when it is relocated, too. */
    if (!elf_is_relocated(&object)) {
        visit->loading = true;
        return 1;
    }
    if (visit->number++ < visited.objects || elf_object_is_preload(&object))
        return 0;
    visit->inner = library_of(&object);
    visit->linked = only != LIBCRYPTO_NONE ? only : linkage_of(&object);
    if (!elf_slots_visit(&object, sealed_slot, visit))
        sm_sealing_refuse(
            "a private key",
            "a filter or the kernel forbids to change an object's slots (mprotect)");
    return 0;
}

/* Why the keys of a libcrypto cannot be sealed, or NULL. */
static const char *why_not(const struct libcrypto *lib)
{
    if (lib->unserved)
        return "its allocations are not served";
    if (lib->kind != &openssl)
        return "it is no OpenSSL";
    if (lib->space)
        return "it was loaded by dlmopen()";
    if (!*lib->path)
        return "it is a part of the program, whose calls cannot be told from libcrypto's own";
    if (elf_symbol_of(&lib->object, "SSL_new"))
        return "it is a part of a larger library, whose calls cannot be told from libcrypto's "
               "own";
    return NULL;
}

static void judge_libcryptos(void)
{
    for (unsigned i = 0; i < known_count; i++) {
        const char *why = why_not(&known[i]);
        if (known[i].sealed || known[i].unsealable)
            continue;
        known[i].sealed = !why;
        known[i].unsealable = why != NULL;
        if (why) {
            sm_sealing_refuse(*known[i].path ? known[i].path : "the program's libcrypto", why);
            continue;
        }
        sm_count(&sm_stats.sealing, 1);
        ways_of_libcrypto(elf_symbol_of(&known[i].object, "ASYNC_start_job"),
                          elf_symbol_of(&known[i].object, "ASYNC_pause_job"));
    }
}

static bool seal_begin(void)
{
    if (begun)
        return sealed_all;
    begun = true;
    if (!fault_begin()) {
        sm_sealing_refuse("a private key", "there is no handler of SIGSEGV");
        return false;
    }
    secure_bits_seal();
    ways_begin();
    sealed_all = true;
    return true;
}

/*
 * Called for the first object of the linker's list, so that the list does not change, and the
 * list's lock is taken before the start lock.
 */
static int refresh_listed(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct visit visit = {.subs = info->dlpi_subs};
    bool *complete = arg;

    (void)size;
    start_lock();
    if (seal_begin()) {
        judge_libcryptos();
        if (visited.subs != visit.subs || visited.libcryptos != known_count)
            visited.objects = 0;
        dl_iterate_phdr(seal_visit, &visit);
        visited.subs = visit.subs;
        visited.objects = visit.number;
        visited.libcryptos = known_count;
        *complete = !visit.loading;
        if (visit.crowded)
            sm_sealing_refuse("a private key", "too many functions of libcrypto are called");
    }
    start_unlock();
    return 1;
}

static bool seal_refresh(void)
{
    bool complete = true;

    if (sm_pku_is_on() && known_count)
        dl_iterate_phdr(refresh_listed, &complete);
    return complete;
}

/* Code outside libcrypto runs: what was opened without a window closes. */
static void seal_way_out(const void *caller)
{
    if (!libcrypto_contains(caller))
        window_way_out();
}

void seal_init(void)
{
    if (sm_settings.seal == SM_SEALING_OFF)
        return;
    libcrypto_changed = seal_refresh;
    resolve_way_out = seal_way_out;
}

void *seal_instead(const char *name, void *function)
{
    unsigned of = registry_of_code(function);
    void *stub;

    if (!sealed_all || !function)
        return NULL;
    if (of == LIBCRYPTO_NONE || !known[of].sealed || !seal_is_window(name, false))
        return ways_instead(name, function);
    stub = window_stub_of(function);
    if (stub || sm_fork_holds())
        return stub;
    start_lock();
    stub = window_stub(function, seal_frees(name));
    start_unlock();
    return stub;
}
