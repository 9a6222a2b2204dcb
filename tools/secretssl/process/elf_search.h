/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searches a file for texts and symbols. The file is read and not mapped, because the file may
 * shrink or be malformed.
 */
#ifndef SECRETSSL_PROCESS_ELF_SEARCH_H
#define SECRETSSL_PROCESS_ELF_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

/* Returns true if the file is an ELF file of class ELFCLASS64. */
bool file_is_elf64(int fd);

/*
 * Returns which of the texts (at most 32, each of at most 63 bytes) the file contains: bit n
 * for texts[n]. Returns 0 if the file cannot be read or memory runs out.
 */
unsigned file_find_texts(int fd, const char *const *texts, size_t count);

/*
 * Returns true if the ELF file defines the symbol in its dynamic symbol table (the debugger's
 * symbol table does not count). In a file without section headers: returns true if the name is
 * anywhere in the file.
 */
bool file_exports(int fd, const char *symbol);

/* Returns true if the ELF file looks for the symbol in other objects; otherwise as above. */
bool file_looks_for(int fd, const char *symbol);

/*
 * Returns true if the dynamic linker puts the symbol's address somewhere in the ELF file;
 * otherwise as above. A linker may keep a symbol in the table that it has resolved to nothing.
 */
bool file_has_place_for(int fd, const char *symbol);

#endif
