/* SPDX-License-Identifier: Apache-2.0 */
#include "process/elf_search.h"

#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WINDOW = 1 << 20,
    OVERLAP = 64,
    MOST_SECTIONS = 1 << 16,
    MOST_NAMES = 1 << 28,
    MOST_SYMBOLS = 1 << 24
};

static bool read_at(int fd, void *into, size_t size, uint64_t offset)
{
    return offset <= INT64_MAX - size && pread(fd, into, size, (off_t)offset) == (ssize_t)size;
}

/*
 * Returns the offset of the next data. Skips holes, because a hole reads as zeros and any user
 * can make a file with huge holes.
 */
static uint64_t next_data(int fd, uint64_t from, uint64_t end)
{
    off_t data = lseek(fd, (off_t)from, SEEK_DATA);

    if (data < 0)
        return errno == ENXIO ? end : from;
    return (uint64_t)data < end ? (uint64_t)data : end;
}

/*
 * Searches a part of the file for the texts, with their terminating zeros (exact) or without.
 */
static unsigned elf_find(int fd, uint64_t from, uint64_t end, const char *const *texts,
                         size_t count, bool exact)
{
    char *window = malloc(WINDOW + OVERLAP);
    unsigned found = 0, all = count < 32 ? (1U << count) - 1 : ~0U;
    size_t kept = 0;

    while (window != NULL && from < end && found != all) {
        uint64_t data = next_data(fd, from, end);

        /* The skipped hole contains no text. */
        kept = data > from ? 0 : kept;
        from = data;

        size_t wish = end - from < WINDOW ? (size_t)(end - from) : WINDOW;
        ssize_t got = pread(fd, window + kept, wish, (off_t)from);

        if (got <= 0)
            break;
        from += (uint64_t)got;

        size_t size = kept + (size_t)got;

        for (size_t i = 0; i < count; i++) {
            if (memmem(window, size, texts[i], strlen(texts[i]) + exact) != NULL)
                found |= 1U << i;
        }
        kept = size < OVERLAP ? size : OVERLAP;
        memmove(window, window + size - kept, kept);
    }
    free(window);
    return found;
}

static bool elf_head_of(int fd, Elf64_Ehdr *head)
{
    return read_at(fd, head, sizeof(*head), 0) && memcmp(head->e_ident, ELFMAG, SELFMAG) == 0 &&
           head->e_ident[EI_CLASS] == ELFCLASS64;
}

bool file_is_elf64(int fd)
{
    Elf64_Ehdr head;

    return elf_head_of(fd, &head);
}

unsigned file_find_texts(int fd, const char *const *texts, size_t count)
{
    struct stat status;

    if (fstat(fd, &status) != 0 || status.st_size <= 0)
        return 0;
    return elf_find(fd, 0, (uint64_t)status.st_size, texts, count, false);
}

static bool section_of(int fd, const Elf64_Ehdr *head, size_t number, Elf64_Shdr *section)
{
    return read_at(fd, section, sizeof(*section), head->e_shoff + number * sizeof(*section));
}

/*
 * Finds the dynamic symbol table, its number, and its string table; the size of both is 0 if
 * the file has none. Returns false if section headers are missing or invalid.
 */
static bool tables_of(int fd, const Elf64_Ehdr *head, Elf64_Shdr *symbols, Elf64_Shdr *names,
                      size_t *number)
{
    Elf64_Shdr section;

    if (head->e_shoff == 0 || head->e_shnum == 0 || head->e_shentsize != sizeof(section))
        return false;
    *symbols = *names = (Elf64_Shdr){0};
    *number = 0;
    for (size_t i = 0; i < head->e_shnum && i < MOST_SECTIONS; i++) {
        if (!section_of(fd, head, i, &section))
            return false;
        if (section.sh_type != SHT_DYNSYM || section.sh_link >= head->e_shnum)
            continue;
        if (!section_of(fd, head, section.sh_link, names) || names->sh_offset > INT64_MAX ||
            names->sh_size > INT64_MAX - names->sh_offset)
            return false;
        *symbols = section;
        *number = i;
        break;
    }
    return true;
}

/*
 * Returns the number of the symbol in the table, or 0, which is no symbol's: defined by the
 * file or looked for elsewhere, because a program that only calls the symbol has the name too.
 */
static uint64_t number_in(int fd, const Elf64_Shdr *symbols, const char *names,
                          size_t names_size, const char *symbol, bool defined)
{
    enum { BATCH = 512 };
    Elf64_Sym batch[BATCH];
    size_t length = strlen(symbol) + 1;
    uint64_t all = symbols->sh_size / sizeof(batch[0]);
    uint64_t end = all < MOST_SYMBOLS ? all : MOST_SYMBOLS;

    for (uint64_t first = 0; first < end; first += BATCH) {
        size_t count = end - first < BATCH ? (size_t)(end - first) : BATCH;

        if (!read_at(fd, batch, count * sizeof(batch[0]),
                     symbols->sh_offset + first * sizeof(batch[0])))
            return 0;
        for (size_t i = 0; i < count; i++) {
            if ((batch[i].st_shndx != SHN_UNDEF) == defined && batch[i].st_name < names_size &&
                names_size - batch[i].st_name >= length &&
                memcmp(names + batch[i].st_name, symbol, length) == 0)
                return first + i;
        }
    }
    return 0;
}

/* Returns true if a relocation of the section, other than that of a call, uses the symbol. */
static bool section_uses(int fd, const Elf64_Shdr *section, uint64_t symbol)
{
    enum { BATCH = 512 };
    Elf64_Rela batch[BATCH];
    uint64_t end = section->sh_size / sizeof(batch[0]);

    for (uint64_t first = 0; first < end && first < MOST_SYMBOLS; first += BATCH) {
        size_t count = end - first < BATCH ? (size_t)(end - first) : BATCH;

        if (!read_at(fd, batch, count * sizeof(batch[0]),
                     section->sh_offset + first * sizeof(batch[0])))
            return false;
        for (size_t i = 0; i < count; i++) {
            uint64_t type = ELF64_R_TYPE(batch[i].r_info);

            if (ELF64_R_SYM(batch[i].r_info) == symbol && type != R_X86_64_JUMP_SLOT &&
                type != R_AARCH64_JUMP_SLOT)
                return true;
        }
    }
    return false;
}

static bool is_placed(int fd, const Elf64_Ehdr *head, size_t table, uint64_t symbol)
{
    Elf64_Shdr section;

    for (size_t i = 0; i < head->e_shnum && i < MOST_SECTIONS; i++) {
        if (!section_of(fd, head, i, &section))
            return false;
        if (section.sh_type == SHT_RELA && section.sh_link == table &&
            section_uses(fd, &section, symbol))
            return true;
    }
    return false;
}

enum symbol_kind { DEFINED, SOUGHT, PLACED };

static bool has_symbol(int fd, const char *symbol, enum symbol_kind kind)
{
    Elf64_Ehdr head;
    Elf64_Shdr symbols, names;
    struct stat status;
    size_t table;
    uint64_t number = 0;
    char *text;

    if (!elf_head_of(fd, &head))
        return false;
    if (!tables_of(fd, &head, &symbols, &names, &table))
        return fstat(fd, &status) == 0 &&
               elf_find(fd, 0, (uint64_t)status.st_size, &symbol, 1, true) != 0;
    /* Most files do not contain the name at all. */
    if (names.sh_size > MOST_NAMES ||
        elf_find(fd, names.sh_offset, names.sh_offset + names.sh_size, &symbol, 1, true) == 0)
        return false;
    text = malloc(names.sh_size);
    if (text != NULL && read_at(fd, text, names.sh_size, names.sh_offset))
        number = number_in(fd, &symbols, text, names.sh_size, symbol, kind == DEFINED);
    free(text);
    return number != 0 && (kind != PLACED || is_placed(fd, &head, table, number));
}

bool file_exports(int fd, const char *symbol)
{
    return has_symbol(fd, symbol, DEFINED);
}

bool file_looks_for(int fd, const char *symbol)
{
    return has_symbol(fd, symbol, SOUGHT);
}

bool file_has_place_for(int fd, const char *symbol)
{
    return has_symbol(fd, symbol, PLACED);
}
