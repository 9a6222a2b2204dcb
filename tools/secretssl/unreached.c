/* SPDX-License-Identifier: Apache-2.0 */
#include "unreached.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backing.h"

/* What the code leaves in a file. In pieces here, so that this program does not have them. */
static const struct mark {
    const char *text[2];
    const char *unless; /* an exported symbol: then it is reached */
    const char *what;
} marks[] = {
    {{"crypto/mem", "_sec.c"},
     "CRYPTO_set_mem_functions",
     "a copy of OpenSSL that exports no symbols"},
    {{"(compatible; ", "BoringSSL)"}, NULL, "BoringSSL"},
    {{"(compatible; ", "AWS-LC"}, NULL, "AWS-LC"},
    {{"Go build", "inf:"}, NULL, "a Go program (crypto/tls, if it uses TLS)"},
    {{"/rustls", "-0."}, NULL, "Rust's rustls"},
};

/* Libraries that are known by their names. */
static const struct {
    const char *name, *what;
} libraries[] = {
    {"/libgnutls.so", "GnuTLS"},
    {"/libnss3.so", "NSS"},
    {"/libjvm.so", "a Java virtual machine (its own TLS)"},
    {"/libmbedtls.so", "Mbed TLS"},
    {"/libwolfssl.so", "wolfSSL"},
};

static bool add(struct unreached_list *found, const struct mapping *mapping, const char *what)
{
    struct unreached *more = reallocarray(found->list, found->count + 1, sizeof(*more));

    if (more == NULL)
        return false;
    found->list = more;
    more[found->count++] = (struct unreached){mapping, what};
    return true;
}

static bool holds(const char *bytes, size_t size, const struct mark *mark)
{
    size_t length = strlen(mark->text[0]), rest = strlen(mark->text[1]);
    const char *at = bytes;

    while ((at = memmem(at, size - (size_t)(at - bytes), mark->text[0], length)) != NULL) {
        if (size - (size_t)(at - bytes) >= length + rest &&
            memcmp(at + length, mark->text[1], rest) == 0)
            return true;
        at++;
    }
    return false;
}

/* In the table of names that the linker sees; a debugger's is another. */
static bool exports(const char *bytes, size_t size, const char *symbol)
{
    const Elf64_Ehdr *head = (const void *)bytes;
    const Elf64_Shdr *sections = (const void *)(bytes + head->e_shoff);

    if (head->e_shoff == 0 || head->e_shoff >= size ||
        head->e_shnum > (size - head->e_shoff) / sizeof(*sections))
        return memmem(bytes, size, symbol, strlen(symbol) + 1) != NULL;
    for (size_t i = 0; i < head->e_shnum; i++) {
        const Elf64_Shdr *symbols = &sections[i];

        if (symbols->sh_type != SHT_DYNSYM || symbols->sh_link >= head->e_shnum)
            continue;

        const Elf64_Shdr *names = &sections[symbols->sh_link];

        if (names->sh_offset < size && names->sh_size <= size - names->sh_offset)
            return memmem(bytes + names->sh_offset, names->sh_size, symbol,
                          strlen(symbol) + 1) != NULL;
    }
    return false;
}

static bool look_into(const char *bytes, size_t size, const struct mapping *mapping,
                      struct unreached_list *found)
{
    bool good = true;

    if (size < sizeof(Elf64_Ehdr) || memcmp(bytes, ELFMAG, SELFMAG) != 0 ||
        bytes[EI_CLASS] != ELFCLASS64)
        return true;
    for (size_t i = 0; good && i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (holds(bytes, size, &marks[i]) &&
            !(marks[i].unless != NULL && exports(bytes, size, marks[i].unless)))
            good = add(found, mapping, marks[i].what);
    }
    return good;
}

static bool look_at_file(pid_t pid, const struct mapping *mapping, struct unreached_list *found)
{
    int fd = backing_open(pid, mapping);
    struct stat status;
    bool good = true;

    if (fd < 0)
        return true;
    if (fstat(fd, &status) == 0 && status.st_size > 0) {
        void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

        if (bytes != MAP_FAILED) {
            good = look_into(bytes, (size_t)status.st_size, mapping, found);
            munmap(bytes, (size_t)status.st_size);
        }
    }
    close(fd);
    return good;
}

static const char *known_library(const char *name)
{
    const char *base = strrchr(name, '/');

    for (size_t i = 0; base != NULL && i < sizeof(libraries) / sizeof(libraries[0]); i++) {
        if (strncmp(base, libraries[i].name, strlen(libraries[i].name)) == 0)
            return libraries[i].what;
    }
    return NULL;
}

static bool seen(const struct process_map *map, size_t number)
{
    for (size_t i = 0; i < number; i++) {
        if (map->list[i].inode == map->list[number].inode &&
            strcmp(map->list[i].name, map->list[number].name) == 0)
            return true;
    }
    return false;
}

bool unreached_find(pid_t pid, const struct process_map *map, struct unreached_list *found)
{
    bool good = true;

    for (size_t i = 0; good && i < map->count; i++) {
        const struct mapping *mapping = &map->list[i];
        const char *what;

        if (mapping->anonymous || mapping->kernel || mapping->offset != 0 ||
            mapping->name[0] != '/' || seen(map, i))
            continue;
        what = known_library(mapping->name);
        good = what != NULL ? add(found, mapping, what) : look_at_file(pid, mapping, found);
    }
    return good;
}

void unreached_free(struct unreached_list *found)
{
    free(found->list);
    *found = (struct unreached_list){0};
}
