/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/elf_slots.h"
#include "os/pages.h"
#include <elf.h>

struct slots {
    const struct elf_object *object;
    const char *strings;
    const ElfW(Sym) * symbols;
    struct range code, relro; /* relro: whole pages, read-only after relocation */
    elf_slot_fn *fn;
    void *arg;
    bool writable, refused;
};

/* The C library relocates these addresses in place. */
static uintptr_t address_of(const struct elf_object *object, ElfW(Addr) value)
{
    return value < object->base ? object->base + value : value;
}

static struct range relro_of(const struct elf_object *object)
{
    for (unsigned i = 0; i < object->segment_count; i++) {
        const ElfW(Phdr) *segment = &object->segments[i];
        uintptr_t from = object->base + segment->p_vaddr;
        if (segment->p_type == PT_GNU_RELRO)
            return (struct range){from & ~(sm_os_page - 1),
                                  (from + segment->p_memsz) & ~(sm_os_page - 1)};
    }
    return (struct range){0, 0};
}

static bool make_writable(struct slots *slots, const uintptr_t *place)
{
    if (!elf_range_has(slots->relro, place) || slots->writable)
        return true;
    slots->writable = sm_pages_protect((void *)slots->relro.from,
                                       slots->relro.to - slots->relro.from, true) == 0;
    slots->refused = !slots->writable;
    return slots->writable;
}

static void visit_relocation(struct slots *slots, const ElfW(Rela) * relocation)
{
    const ElfW(Sym) *symbol = &slots->symbols[ELF64_R_SYM(relocation->r_info)];
    unsigned type = (unsigned)ELF64_R_TYPE(relocation->r_info);
    struct elf_slot slot = {
        .name = slots->strings + symbol->st_name,
        .place = (uintptr_t *)(slots->object->base + relocation->r_offset),
    };
    uintptr_t to;

    if (ELF64_R_SYM(relocation->r_info) == 0 ||
        (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT &&
         (type != R_X86_64_64 || relocation->r_addend != 0)))
        return;
    slot.value = __atomic_load_n(slot.place, __ATOMIC_RELAXED);
    slot.unbound = type == R_X86_64_JUMP_SLOT && symbol->st_shndx == SHN_UNDEF &&
                   elf_range_has(slots->code, (void *)slot.value);
    to = slots->fn(&slot, slots->arg);
    if (to != slot.value && make_writable(slots, slot.place))
        __atomic_store_n(slot.place, to, __ATOMIC_RELEASE);
}

static void visit_all(struct slots *slots, uintptr_t first, size_t size)
{
    const ElfW(Rela) *relocation = (const void *)first;

    for (size_t i = 0; first && i < size / sizeof(*relocation) && !slots->refused; i++)
        visit_relocation(slots, &relocation[i]);
}

/*
 * The first address of the object itself among what is read-only after relocation: before, the
 * base is not added.
 */
static bool is_relocated(const struct elf_object *object, uintptr_t first, size_t size)
{
    const ElfW(Rela) *relocation = (const void *)first;
    struct range relro = relro_of(object);

    for (size_t i = 0; first && i < size / sizeof(*relocation); i++) {
        const uintptr_t *place = (const void *)(object->base + relocation[i].r_offset);
        if (ELF64_R_TYPE(relocation[i].r_info) == R_X86_64_RELATIVE &&
            elf_range_has(relro, place))
            return *place == object->base + (uintptr_t)relocation[i].r_addend;
    }
    return true;
}

bool elf_is_relocated(const struct elf_object *object)
{
    uintptr_t data = 0;
    size_t size = 0;

    for (const ElfW(Dyn) *dyn = object->dynamic; dyn && dyn->d_tag != DT_NULL; dyn++) {
        if (dyn->d_tag == DT_RELA)
            data = address_of(object, dyn->d_un.d_ptr);
        else if (dyn->d_tag == DT_RELASZ)
            size = dyn->d_un.d_val;
    }
    return is_relocated(object, data, size);
}

bool elf_slots_visit(const struct elf_object *object, elf_slot_fn *fn, void *arg)
{
    struct slots slots = {
        .object = object,
        .code = elf_code_of(object->base, object->segments, object->segment_count),
        .relro = relro_of(object),
        .fn = fn,
        .arg = arg,
    };
    uintptr_t calls = 0, data = 0;
    size_t calls_size = 0, data_size = 0;

    for (const ElfW(Dyn) *dyn = object->dynamic; dyn && dyn->d_tag != DT_NULL; dyn++) {
        if (dyn->d_tag == DT_STRTAB)
            slots.strings = (const char *)address_of(object, dyn->d_un.d_ptr);
        else if (dyn->d_tag == DT_SYMTAB)
            slots.symbols = (const void *)address_of(object, dyn->d_un.d_ptr);
        else if (dyn->d_tag == DT_JMPREL)
            calls = address_of(object, dyn->d_un.d_ptr);
        else if (dyn->d_tag == DT_PLTRELSZ)
            calls_size = dyn->d_un.d_val;
        else if (dyn->d_tag == DT_RELA)
            data = address_of(object, dyn->d_un.d_ptr);
        else if (dyn->d_tag == DT_RELASZ)
            data_size = dyn->d_un.d_val;
    }
    if (!slots.strings || !slots.symbols)
        return true;
    visit_all(&slots, data, data_size);
    visit_all(&slots, calls, calls_size);
    if (slots.writable)
        sm_pages_read_only((void *)slots.relro.from, slots.relro.to - slots.relro.from);
    return !slots.refused;
}
