/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/elf_symbols.h"
#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct table {
    const char *strings;
    const ElfW(Sym) * symbols;
    const uint32_t *gnu_hash;
    const uint32_t *sysv_hash;
    ElfW(Xword) strings_size;
    ElfW(Xword) soname; /* offset in strings; 0: none */
};

/* The C library relocates these pointers in place; the kernel's vDSO has offsets. */
static const void *pointer(uintptr_t base, ElfW(Addr) value)
{
    return (const void *)(value < base ? base + value : value);
}

static bool read_dynamic(const struct elf_object *object, struct table *table)
{
    const ElfW(Dyn) *dyn = object->dynamic;
    uintptr_t base = object->base;

    memset(table, 0, sizeof(*table));
    for (; dyn && dyn->d_tag != DT_NULL; dyn++) {
        if (dyn->d_tag == DT_STRTAB)
            table->strings = pointer(base, dyn->d_un.d_ptr);
        else if (dyn->d_tag == DT_SYMTAB)
            table->symbols = pointer(base, dyn->d_un.d_ptr);
        else if (dyn->d_tag == DT_GNU_HASH)
            table->gnu_hash = pointer(base, dyn->d_un.d_ptr);
        else if (dyn->d_tag == DT_HASH)
            table->sysv_hash = pointer(base, dyn->d_un.d_ptr);
        else if (dyn->d_tag == DT_STRSZ)
            table->strings_size = dyn->d_un.d_val;
        else if (dyn->d_tag == DT_SONAME)
            table->soname = dyn->d_un.d_val;
    }
    return table->strings && table->symbols;
}

static bool matches(const struct table *table, uint32_t index, const char *name)
{
    const ElfW(Sym) *symbol = &table->symbols[index];

    return symbol->st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbol->st_info) == STT_FUNC &&
           elf_same(table->strings + symbol->st_name, name);
}

static uint32_t gnu_hash(const char *name)
{
    uint32_t hash = 5381;

    for (; *name; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash;
}

/*
 * Layout: numbers of buckets, of the first symbol and of words in the Bloom filter, shift of
 * the filter; then the filter, the buckets and the chains.
 */
static uint32_t find_gnu(const struct table *table, const char *name)
{
    const uint32_t *head = table->gnu_hash;
    uint32_t buckets = head[0], first = head[1], words = head[2];
    const ElfW(Addr) *bloom = (const void *)(head + 4);
    const uint32_t *bucket = (const void *)(bloom + words), *chain = bucket + buckets;
    uint32_t hash = gnu_hash(name), bits = 8 * sizeof(ElfW(Addr));
    ElfW(Addr) word = words ? bloom[hash / bits % words] : 0;

    if (!buckets || !(word >> hash % bits & word >> (hash >> head[3]) % bits & 1))
        return 0;
    for (uint32_t i = bucket[hash % buckets]; i >= first; i++) {
        uint32_t entry = chain[i - first];
        if ((entry | 1) == (hash | 1) && matches(table, i, name))
            return i;
        if (entry & 1)
            break;
    }
    return 0;
}

/*
 * The second word of the SysV table is the number of symbols, so every symbol can be compared.
 */
static uint32_t find_sysv(const struct table *table, const char *name)
{
    for (uint32_t i = 1; i < table->sysv_hash[1]; i++) {
        if (matches(table, i, name))
            return i;
    }
    return 0;
}

/* The beginning of this object, defined by the linker */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

struct elf_object elf_preload(void)
{
    return (struct elf_object){.base = (uintptr_t)&__ehdr_start, .dynamic = _DYNAMIC};
}

bool elf_object_is_preload(const struct elf_object *object)
{
    return object->base == (uintptr_t)&__ehdr_start;
}

struct elf_object elf_object(const struct dl_phdr_info *info)
{
    struct elf_object object = {.base = info->dlpi_addr};

    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            object.dynamic = (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    }
    return object;
}

static const ElfW(Sym) * find_symbol(const struct elf_object *object, const char *name)
{
    struct table table;
    uint32_t index = 0;

    if (!read_dynamic(object, &table))
        return NULL;
    if (table.gnu_hash)
        index = find_gnu(&table, name);
    else if (table.sysv_hash)
        index = find_sysv(&table, name);
    return index ? &table.symbols[index] : NULL;
}

void *elf_symbol_of(const struct elf_object *object, const char *name)
{
    const ElfW(Sym) *symbol = find_symbol(object, name);

    return symbol ? (void *)(object->base + symbol->st_value) : NULL;
}

struct relocations {
    const ElfW(Rela) * first;
    size_t number;
};

/* All but those of calls (DT_JMPREL), and without those that name no symbol, which come first.
 */
static struct relocations relocations_of(const struct elf_object *object)
{
    const ElfW(Rela) *first = NULL;
    size_t size = 0, relative = 0;

    for (const ElfW(Dyn) *dyn = object->dynamic; dyn && dyn->d_tag != DT_NULL; dyn++) {
        if (dyn->d_tag == DT_RELA)
            first = pointer(object->base, dyn->d_un.d_ptr);
        else if (dyn->d_tag == DT_RELASZ)
            size = dyn->d_un.d_val;
        else if (dyn->d_tag == DT_RELACOUNT)
            relative = dyn->d_un.d_val;
    }
    size /= sizeof(*first);
    if (!first || relative > size)
        return (struct relocations){0};
    return (struct relocations){first + relative, size - relative};
}

/*
 * A symbol that no relocation uses does not count: a linker may keep it in the table although
 * it has decided that there is no such function.
 */
const uintptr_t *elf_place_for(const struct elf_object *object, const char *name)
{
    struct relocations relocations = relocations_of(object);
    struct table table;

    if (!relocations.number || !read_dynamic(object, &table))
        return NULL;
    for (size_t i = 0; i < relocations.number; i++) {
        const ElfW(Rela) *relocation = &relocations.first[i];
        const ElfW(Sym) *symbol = &table.symbols[ELF64_R_SYM(relocation->r_info)];

        if (ELF64_R_SYM(relocation->r_info) != 0 && symbol->st_shndx == SHN_UNDEF &&
            ELF64_ST_BIND(symbol->st_info) == STB_WEAK &&
            symbol->st_name < table.strings_size &&
            elf_same(table.strings + symbol->st_name, name))
            return (const uintptr_t *)(object->base + relocation->r_offset);
    }
    return NULL;
}

struct range elf_function_of(const struct elf_object *object, const char *name)
{
    const ElfW(Sym) *symbol = find_symbol(object, name);
    uintptr_t from = symbol ? object->base + symbol->st_value : 0;

    return symbol ? (struct range){from, from + symbol->st_size} : (struct range){0, 0};
}

const char *elf_soname(const struct elf_object *object)
{
    struct table table;

    return read_dynamic(object, &table) && table.soname ? table.strings + table.soname : "";
}

const char *elf_needed(const struct elf_object *object, unsigned number)
{
    struct table table;

    if (!read_dynamic(object, &table))
        return NULL;
    for (const ElfW(Dyn) *dyn = object->dynamic; dyn->d_tag != DT_NULL; dyn++) {
        if (dyn->d_tag == DT_NEEDED && number-- == 0)
            return table.strings + dyn->d_un.d_val;
    }
    return NULL;
}

enum elf_named elf_named(const struct elf_object *object, const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');

    if (elf_same(elf_soname(object), name) || elf_same(path, name))
        return ELF_NAMED;
    return slash && elf_same(slash + 1, name) ? ELF_NAMED_BY_FILE : ELF_NOT_NAMED;
}

struct range elf_code_of(uintptr_t base, const ElfW(Phdr) * segments, unsigned number)
{
    struct range range = {UINTPTR_MAX, 0};

    for (unsigned i = 0; i < number; i++) {
        uintptr_t at = base + segments[i].p_vaddr;
        if (segments[i].p_type != PT_LOAD || !(segments[i].p_flags & PF_X))
            continue;
        range.from = at < range.from ? at : range.from;
        range.to = at + segments[i].p_memsz > range.to ? at + segments[i].p_memsz : range.to;
    }
    return range.from < range.to ? range : (struct range){0, 0};
}
