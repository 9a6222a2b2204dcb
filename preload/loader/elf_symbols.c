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
    ElfW(Xword) soname; /* offset in strings; 0: none */
    /* What may be read ends here. */
    uintptr_t strings_end, symbols_end, gnu_hash_end, sysv_hash_end;
};

/* Returns the end of the loaded segment that has this address, with these flags; 0: none. */
static uintptr_t segment_end(const struct elf_object *object, uintptr_t at, ElfW(Word) flags)
{
    if (!object->segments)
        return UINTPTR_MAX;
    for (unsigned i = 0; i < object->segment_count; i++) {
        const ElfW(Phdr) *segment = &object->segments[i];
        uintptr_t from = object->base + segment->p_vaddr;

        if (segment->p_type == PT_LOAD && (segment->p_flags & flags) == flags &&
            at - from < segment->p_memsz)
            return from + segment->p_memsz;
    }
    return 0;
}

static uintptr_t readable_end(const struct elf_object *object, const void *at)
{
    return segment_end(object, (uintptr_t)at, PF_R);
}

/* Whether a thing of this size at the address ends before the end. */
static bool is_within(const void *at, size_t size, uintptr_t end)
{
    return (uintptr_t)at < end && end - (uintptr_t)at >= size;
}

/* The C library relocates these pointers in place; the kernel's vDSO has offsets. */
static const void *pointer(uintptr_t base, ElfW(Addr) value)
{
    return (const void *)(value < base ? base + value : value);
}

/* The same, of a table; NULL if it begins where no such table can be. */
static const void *table_at(const struct elf_object *object, ElfW(Addr) value, size_t alignment,
                            uintptr_t *end)
{
    const void *at = pointer(object->base, value);

    *end = readable_end(object, at);
    return *end && (uintptr_t)at % alignment == 0 ? at : NULL;
}

/* Returns the entry behind this one, the first for NULL; NULL when there are no more. */
static const ElfW(Dyn) * next_dynamic(const struct elf_object *object, const ElfW(Dyn) * dyn)
{
    dyn = dyn ? dyn + 1 : object->dynamic;
    if (!dyn || (uintptr_t)dyn % sizeof(uintptr_t) ||
        !is_within(dyn, sizeof(*dyn), readable_end(object, dyn)))
        return NULL;
    return dyn->d_tag != DT_NULL ? dyn : NULL;
}

static bool read_dynamic(const struct elf_object *object, struct table *table)
{
    const ElfW(Dyn) *dyn = NULL;
    uintptr_t size = UINTPTR_MAX;

    memset(table, 0, sizeof(*table));
    while ((dyn = next_dynamic(object, dyn)) != NULL) {
        ElfW(Addr) value = dyn->d_un.d_ptr;

        if (dyn->d_tag == DT_STRTAB)
            table->strings = table_at(object, value, 1, &table->strings_end);
        else if (dyn->d_tag == DT_SYMTAB)
            table->symbols = table_at(object, value, sizeof(ElfW(Addr)), &table->symbols_end);
        else if (dyn->d_tag == DT_GNU_HASH)
            table->gnu_hash = table_at(object, value, sizeof(ElfW(Addr)), &table->gnu_hash_end);
        else if (dyn->d_tag == DT_HASH)
            table->sysv_hash = table_at(object, value, sizeof(uint32_t), &table->sysv_hash_end);
        else if (dyn->d_tag == DT_STRSZ)
            size = dyn->d_un.d_val;
        else if (dyn->d_tag == DT_SONAME)
            table->soname = dyn->d_un.d_val;
    }
    if (table->strings_end - (uintptr_t)table->strings > size)
        table->strings_end = (uintptr_t)table->strings + size;
    return table->strings && table->symbols;
}

/* As elf_same(), for a string of the table, which may have no end. */
static bool is_named(const struct table *table, ElfW(Xword) offset, const char *name)
{
    const char *at = table->strings + offset;

    if (offset >= table->strings_end - (uintptr_t)table->strings)
        return false;
    while ((uintptr_t)at < table->strings_end && *at && *at == *name) {
        at++;
        name++;
    }
    return (uintptr_t)at < table->strings_end && *at == *name;
}

/* A string of the table that has an end, or "". */
static const char *table_string(const struct table *table, ElfW(Xword) offset)
{
    uintptr_t at = (uintptr_t)table->strings + offset;

    if (offset >= table->strings_end - (uintptr_t)table->strings)
        return "";
    while (at < table->strings_end && *(const char *)at)
        at++;
    return at < table->strings_end ? table->strings + offset : "";
}

static bool matches(const struct table *table, uint32_t index, const char *name)
{
    const ElfW(Sym) *symbol = &table->symbols[index];

    return is_within(symbol, sizeof(*symbol), table->symbols_end) &&
           symbol->st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbol->st_info) == STT_FUNC &&
           is_named(table, symbol->st_name, name);
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
    const uint32_t *head = table->gnu_hash, *bucket, *chain;
    const ElfW(Addr) *bloom = (const void *)(head + 4);
    uint32_t hash = gnu_hash(name), bits = 8 * sizeof(ElfW(Addr)), buckets, first, words;
    ElfW(Addr) word;

    if (!is_within(head, 4 * sizeof(*head), table->gnu_hash_end))
        return 0;
    buckets = head[0], first = head[1], words = head[2];
    if (!buckets || !words ||
        !is_within(bloom, words * sizeof(*bloom) + buckets * sizeof(*bucket),
                   table->gnu_hash_end))
        return 0;
    bucket = (const void *)(bloom + words);
    chain = bucket + buckets;
    word = bloom[hash / bits % words];
    if (!(word >> hash % bits & word >> (hash >> (head[3] % 32)) % bits & 1))
        return 0;
    for (uint32_t i = bucket[hash % buckets]; i >= first; i++) {
        const uint32_t *entry = &chain[i - first];
        if (!is_within(entry, sizeof(*entry), table->gnu_hash_end))
            return 0;
        if ((*entry | 1) == (hash | 1) && matches(table, i, name))
            return i;
        if (*entry & 1)
            break;
    }
    return 0;
}

/*
 * The second word of the SysV table is the number of symbols, so every symbol can be compared.
 */
static uint32_t find_sysv(const struct table *table, const char *name)
{
    if (!is_within(table->sysv_hash, 2 * sizeof(uint32_t), table->sysv_hash_end))
        return 0;
    for (uint32_t i = 1; i < table->sysv_hash[1]; i++) {
        if (!is_within(&table->symbols[i], sizeof(table->symbols[i]), table->symbols_end))
            return 0;
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
    struct elf_object object = {.base = info->dlpi_addr,
                                .segments = info->dlpi_phdr,
                                .segment_count = info->dlpi_phnum};

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
    return (void *)elf_function_of(object, name).from;
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
    const ElfW(Dyn) *dyn = NULL;
    uintptr_t end = 0;
    size_t size = 0, relative = 0;

    while ((dyn = next_dynamic(object, dyn)) != NULL) {
        if (dyn->d_tag == DT_RELA)
            first = table_at(object, dyn->d_un.d_ptr, sizeof(ElfW(Addr)), &end);
        else if (dyn->d_tag == DT_RELASZ)
            size = dyn->d_un.d_val;
        else if (dyn->d_tag == DT_RELACOUNT)
            relative = dyn->d_un.d_val;
    }
    size /= sizeof(*first);
    if (!first || relative > size || !is_within(first, size * sizeof(*first), end))
        return (struct relocations){0};
    return (struct relocations){first + relative, size - relative};
}

/* Where a relocation writes; NULL if that is not in the object. */
static const uintptr_t *place_at(const struct elf_object *object, ElfW(Addr) offset)
{
    const uintptr_t *place = (const uintptr_t *)(object->base + offset);

    return is_within(place, sizeof(*place), readable_end(object, place)) ? place : NULL;
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

        if (ELF64_R_SYM(relocation->r_info) != 0 &&
            is_within(symbol, sizeof(*symbol), table.symbols_end) &&
            symbol->st_shndx == SHN_UNDEF && ELF64_ST_BIND(symbol->st_info) == STB_WEAK &&
            is_named(&table, symbol->st_name, name))
            return place_at(object, relocation->r_offset);
    }
    return NULL;
}

struct range elf_function_of(const struct elf_object *object, const char *name)
{
    const ElfW(Sym) *symbol = find_symbol(object, name);
    uintptr_t from = symbol ? object->base + symbol->st_value : 0;

    return symbol && segment_end(object, from, PF_X)
               ? (struct range){from, from + symbol->st_size}
               : (struct range){0, 0};
}

const char *elf_soname(const struct elf_object *object)
{
    struct table table;

    return read_dynamic(object, &table) && table.soname ? table_string(&table, table.soname)
                                                        : "";
}

const char *elf_needed(const struct elf_object *object, unsigned number)
{
    const ElfW(Dyn) *dyn = NULL;
    struct table table;

    if (!read_dynamic(object, &table))
        return NULL;
    while ((dyn = next_dynamic(object, dyn)) != NULL) {
        if (dyn->d_tag == DT_NEEDED && number-- == 0)
            return table_string(&table, dyn->d_un.d_val);
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
