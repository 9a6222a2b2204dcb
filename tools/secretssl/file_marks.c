/* SPDX-License-Identifier: Apache-2.0 */
#include "file_marks.h"

#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WINDOW = 1 << 20, OVERLAP = 64, MOST_SECTIONS = 1 << 16 };

static bool read_at(int fd, void *into, size_t size, uint64_t offset)
{
    return offset <= INT64_MAX - size && pread(fd, into, size, (off_t)offset) == (ssize_t)size;
}

/* The texts with their ending zeroes (exact), or without, in a part of the file. */
static unsigned find(int fd, uint64_t from, uint64_t end, const char *const *texts,
                     size_t count, bool exact)
{
    char *window = malloc(WINDOW + OVERLAP);
    unsigned found = 0, all = count < 32 ? (1U << count) - 1 : ~0U;
    size_t kept = 0;

    while (window != NULL && from < end && found != all) {
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

static bool head_of(int fd, Elf64_Ehdr *head)
{
    return read_at(fd, head, sizeof(*head), 0) && memcmp(head->e_ident, ELFMAG, SELFMAG) == 0 &&
           head->e_ident[EI_CLASS] == ELFCLASS64;
}

bool file_is_elf64(int fd)
{
    Elf64_Ehdr head;

    return head_of(fd, &head);
}

unsigned file_find_texts(int fd, const char *const *texts, size_t count)
{
    struct stat status;

    if (fstat(fd, &status) != 0 || status.st_size <= 0)
        return 0;
    return find(fd, 0, (uint64_t)status.st_size, texts, count, false);
}

/* The table of names of the dynamic symbols. False: there are no section headers. */
static bool names_of(int fd, const Elf64_Ehdr *head, uint64_t *from, uint64_t *end)
{
    Elf64_Shdr section, names;

    if (head->e_shoff == 0 || head->e_shnum == 0 || head->e_shentsize != sizeof(section))
        return false;
    *from = *end = 0;
    for (size_t i = 0; i < head->e_shnum && i < MOST_SECTIONS; i++) {
        if (!read_at(fd, &section, sizeof(section), head->e_shoff + i * sizeof(section)))
            return false;
        if (section.sh_type != SHT_DYNSYM || section.sh_link >= head->e_shnum)
            continue;
        if (!read_at(fd, &names, sizeof(names),
                     head->e_shoff + section.sh_link * sizeof(section)) ||
            names.sh_offset > INT64_MAX || names.sh_size > INT64_MAX - names.sh_offset)
            return false;
        *from = names.sh_offset;
        *end = names.sh_offset + names.sh_size;
        break;
    }
    return true;
}

bool file_exports(int fd, const char *symbol)
{
    Elf64_Ehdr head;
    uint64_t from, end;
    struct stat status;

    if (!head_of(fd, &head))
        return false;
    if (names_of(fd, &head, &from, &end))
        return find(fd, from, end, &symbol, 1, true) != 0;
    return fstat(fd, &status) == 0 &&
           find(fd, 0, (uint64_t)status.st_size, &symbol, 1, true) != 0;
}
