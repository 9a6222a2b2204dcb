/* SPDX-License-Identifier: Apache-2.0 */
/* Texts in a file, without mapping it: it may shrink, or lie, while it is looked at. */
#ifndef SECRETSSL_PROCESS_ELF_SEARCH_H
#define SECRETSSL_PROCESS_ELF_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

/* Is this an ELF file for 64-bit machines? */
bool file_is_elf64(int fd);

/*
 * Which of the texts (at most 32, each of at most 63 bytes) the file holds: bit n for texts[n].
 * 0 as well for what cannot be read or without memory.
 */
unsigned file_find_texts(int fd, const char *const *texts, size_t count);

/*
 * Does the ELF file define the symbol for others, as the linker sees it (a debugger's table is
 * another)?
 * In a file without section headers: is the name anywhere in it?
 */
bool file_exports(int fd, const char *symbol);

#endif
