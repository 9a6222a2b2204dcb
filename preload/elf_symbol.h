/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks up a symbol that a loaded object defines itself. Not dlsym: that would set a
 * dlerror() for the program to find, allocate, and take the linker's lock for each object.
 */
#ifndef PRELOAD_ELF_SYMBOL_H
#define PRELOAD_ELF_SYMBOL_H

#include <link.h>

/* The address of a function that the object defines and exports; NULL: it does not. */
void *elf_symbol(const struct dl_phdr_info *object, const char *name);

#endif
