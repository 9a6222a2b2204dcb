/* SPDX-License-Identifier: Apache-2.0 */
#include "libcrypto/toolkit.h"
#include "base/counters.h"
#include "libcrypto/registry.h"
#include "loader/elf_symbols.h"
#include "log/lapse.h"
#include <string.h>

#define HOOKED_MAX 8

static struct range hooked_code[HOOKED_MAX];
static unsigned hooked_count;

struct function_search {
    const char *name;
    void *found;
};

static int function_visit(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct function_search *search = arg;
    struct elf_object object = elf_object(info);

    (void)size;
    if (!elf_object_is_preload(&object))
        search->found = elf_symbol_of(&object, search->name);
    return search->found != NULL;
}

void *toolkit_function(const char *name)
{
    struct function_search search = {.name = name};

    dl_iterate_phdr(function_visit, &search);
    return search.found;
}

static int range_visit(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct range code = elf_code_of(info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum);
    struct range *range = arg;

    (void)size;
    if (!elf_range_has(code, (const void *)range->from))
        return 0;
    *range = code;
    return 1;
}

/* Libraries are few, and hooked one after the other. A further one is not noted. */
void toolkit_hooked(const void *function)
{
    struct range range = {(uintptr_t)function, (uintptr_t)function};
    unsigned number = __atomic_load_n(&hooked_count, __ATOMIC_RELAXED);

    sm_count(&sm_stats.toolkits, 1);
    if (number == HOOKED_MAX || dl_iterate_phdr(range_visit, &range) != 1)
        return;
    hooked_code[number] = range;
    __atomic_store_n(&hooked_count, number + 1, __ATOMIC_RELEASE);
}

bool toolkit_reads_keys(const void *code)
{
    unsigned number = __atomic_load_n(&hooked_count, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < number; i++) {
        if (elf_range_has(hooked_code[i], code))
            return true;
    }
    return libcrypto_may_contain(code);
}

void toolkit_unhooked(const char *library, const char *why)
{
    sm_lapse_each(SM_LAPSE_TOOLKIT, "%s allocates in ordinary memory: %s", library, why);
}

static bool name_begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

struct code_search {
    const char *soname;
    const void *code;
};

static int code_visit(struct dl_phdr_info *info, size_t size, void *arg)
{
    const struct code_search *search = arg;
    struct elf_object object = elf_object(info);

    (void)size;
    return name_begins(elf_soname(&object), search->soname) &&
           elf_range_has(elf_code_of(info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum),
                         search->code);
}

bool toolkit_has_code(const char *soname, const void *code)
{
    struct code_search search = {.soname = soname, .code = code};

    return dl_iterate_phdr(code_visit, &search) == 1;
}

static sm_flag gcrypt_locked;

void toolkit_locks(const void *code)
{
    if (!__atomic_load_n(&gcrypt_locked, __ATOMIC_RELAXED) &&
        toolkit_has_code("libgcrypt.so", code))
        __atomic_store_n(&gcrypt_locked, 1, __ATOMIC_RELAXED);
}

bool toolkit_gcrypt_locked(void)
{
    return __atomic_load_n(&gcrypt_locked, __ATOMIC_RELAXED) != 0;
}

struct user_search {
    const char *library;
    const char *const *names;
};

static int user_visit(struct dl_phdr_info *info, size_t size, void *arg)
{
    const struct user_search *search = arg;
    struct elf_object object = elf_object(info);
    const char *needed;
    bool uses = false, listed = false;

    (void)size;
    for (unsigned i = 0; !uses && (needed = elf_needed(&object, i)) != NULL; i++)
        uses = name_begins(needed, search->library);
    for (unsigned i = 0; uses && search->names[i]; i++)
        listed = listed || name_begins(elf_soname(&object), search->names[i]);
    return uses && !listed;
}

bool toolkit_is_used_only_by(const char *library, const char *const *names)
{
    struct user_search search = {.library = library, .names = names};

    return dl_iterate_phdr(user_visit, &search) == 0;
}
