/* SPDX-License-Identifier: Apache-2.0 */
#include "libcrypto.h"
#include "config.h"
#include "elf_symbol.h"
#include "hooks.h"
#include "report.h"
#include "stats.h"
#include <stdint.h>

typedef int (*set_mem_functions)(void *(*)(size_t, const char *, int),
                                 void *(*)(void *, size_t, const char *, int),
                                 void (*)(void *, const char *, int));

#define LIBCRYPTOS_MAX 8

static struct {
    uintptr_t from, to;
} ranges[LIBCRYPTOS_MAX];
static unsigned range_count;

static void note_range(const struct dl_phdr_info *object)
{
    uintptr_t from = UINTPTR_MAX, to = 0;

    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        uintptr_t at = object->dlpi_addr + segment->p_vaddr;
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
            continue;
        from = sm_min(from, at);
        to = sm_max(to, at + segment->p_memsz);
    }
    if (range_count < LIBCRYPTOS_MAX && from < to) {
        ranges[range_count].from = from;
        ranges[range_count++].to = to;
    }
}

static int note_libcrypto(struct dl_phdr_info *object, size_t size, void *arg)
{
    (void)size, (void)arg;
    if (elf_symbol(object, "CRYPTO_set_mem_functions"))
        note_range(object);
    return 0;
}

bool libcrypto_present(void)
{
    dl_iterate_phdr(note_libcrypto, NULL);
    return range_count != 0;
}

bool libcrypto_contains(const void *code)
{
    for (unsigned i = 0; i < range_count; i++) {
        if ((uintptr_t)code >= ranges[i].from && (uintptr_t)code < ranges[i].to)
            return true;
    }
    return false;
}

static const char *name_of(const struct dl_phdr_info *object)
{
    return object->dlpi_name && *object->dlpi_name ? object->dlpi_name : "the program itself";
}

static int hook(struct dl_phdr_info *object, size_t size, void *arg)
{
    set_mem_functions set = (set_mem_functions)elf_symbol(object, "CRYPTO_set_mem_functions");

    (void)size, (void)arg;
    if (!set)
        return 0;
    if (set(hook_malloc, hook_realloc, hook_free)) {
        sm_count(&sm_stats.hooks, 1);
        return 0;
    }
    sm_count(&sm_stats.hooks_late, 1);
    if (sm_config.require)
        sm_refuse(
            "SECRETSSL_REQUIRE=1: %s cannot be hooked: it allocated memory already, or is "
            "not OpenSSL",
            name_of(object));
    sm_report(
        "%s is not protected: the hook comes too late, it allocated memory already (or is "
        "not OpenSSL)",
        name_of(object));
    return 0;
}

void libcrypto_hook_all(void)
{
    dl_iterate_phdr(hook, NULL);
}
