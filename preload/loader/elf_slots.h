/* SPDX-License-Identifier: Apache-2.0 */
/* The places where the linker has put the addresses of functions that an object calls by name.
 */
#ifndef PRELOAD_LOADER_ELF_SLOTS_H
#define PRELOAD_LOADER_ELF_SLOTS_H

#include "loader/elf_symbols.h"

struct elf_slot {
    const char *name;
    uintptr_t *place;
    uintptr_t value; /* what is there now */
    bool unbound; /* lazy binding: the first call looks for the function and stores its address
                   */
};

/*
 * Called for each slot of an object, with the object writable. Returns the address to store, or
 * the slot's own value.
 */
typedef uintptr_t elf_slot_fn(const struct elf_slot *slot, void *arg);

/*
 * Whether the linker has relocated an object of its list, which another thread may be loading:
 * as far as the object has addresses that tell.
 */
bool elf_is_relocated(const struct elf_object *object);

/*
 * Visits the slots of an object of x86_64 that the linker has relocated. Slots that are
 * read-only after relocation become writable while they change. Returns false if the kernel
 * refuses that.
 */
bool elf_slots_visit(const struct elf_object *object, elf_slot_fn *fn, void *arg);

#endif
