/* SPDX-License-Identifier: Apache-2.0 */
#include "unreached.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backing.h"
#include "file_marks.h"

/* What the code leaves in a file. Put together here, so that this program does not have them.
 */
static const struct mark {
    const char *text[2];
    const char *what;
} marks[] = {
    {{"crypto/mem", "_sec.c"}, "a copy of OpenSSL that exports no symbols"},
    {{"(compatible; ", "BoringSSL)"}, "BoringSSL"},
    {{"(compatible; ", "AWS-LC"}, "AWS-LC"},
    {{"Go build", "inf:"}, "a Go program (crypto/tls, if it uses TLS)"},
    {{"/rustls", "-0."}, "Rust's rustls"},
};

enum { MARKS = sizeof(marks) / sizeof(marks[0]), OPENSSL = 0, REACHED = 1 << MARKS };

/* With this one exported, a copy of OpenSSL is reached. */
static const char reaching_symbol[] = "CRYPTO_set_mem_functions";

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

/* The marks that an open file has, with REACHED. */
static unsigned look_into(int fd)
{
    char texts[MARKS][64];
    const char *list[MARKS];
    unsigned has;

    if (!file_is_elf64(fd))
        return 0;
    for (size_t i = 0; i < MARKS; i++) {
        snprintf(texts[i], sizeof(texts[i]), "%s%s", marks[i].text[0], marks[i].text[1]);
        list[i] = texts[i];
    }
    has = file_find_texts(fd, list, MARKS);
    explicit_bzero(texts, sizeof(texts));
    if (has & 1U << OPENSSL && file_exports(fd, reaching_symbol))
        has = (has & ~(1U << OPENSSL)) | REACHED;
    return has;
}

/* Most processes of a machine have the same libraries mapped. */
static struct known {
    uint64_t device, inode;
    unsigned has;
} * known;
static size_t known_count;

static unsigned look_at_file(pid_t pid, const struct mapping *mapping)
{
    unsigned has = 0;
    int fd;

    for (size_t i = 0; i < known_count; i++) {
        if (known[i].inode == mapping->inode && known[i].device == mapping->device)
            return known[i].has;
    }
    fd = backing_open(pid, mapping);
    if (fd < 0)
        return 0;
    has = look_into(fd);
    close(fd);

    struct known *more = reallocarray(known, known_count + 1, sizeof(*more));

    if (more != NULL) {
        known = more;
        known[known_count++] = (struct known){mapping->device, mapping->inode, has};
    }
    return has;
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

/* A name that only OpenSSL has, for a file that cannot be opened any more. */
static bool is_libcrypto(const char *name)
{
    const char *base = strrchr(name, '/');

    return base != NULL && strncmp(base, "/libcrypto.so", 13) == 0;
}

static bool look_at(pid_t pid, const struct mapping *mapping, struct unreached_list *found)
{
    const char *what = known_library(mapping->name);
    unsigned has;
    bool good = true;

    if (what != NULL)
        return add(found, mapping, what);
    has = look_at_file(pid, mapping);
    if (found->openssl == NULL && (has & REACHED || (has == 0 && is_libcrypto(mapping->name))))
        found->openssl = mapping;
    for (size_t i = 0; good && i < MARKS; i++) {
        if (has & 1U << i)
            good = add(found, mapping, marks[i].what);
    }
    return good;
}

bool unreached_find(pid_t pid, const struct process_map *map, struct unreached_list *found)
{
    bool good = true;

    for (size_t i = 0; good && i < map->count; i++) {
        const struct mapping *mapping = &map->list[i];

        if (!mapping->anonymous && !mapping->kernel && mapping->offset == 0 &&
            mapping->name[0] == '/' && !seen(map, i))
            good = look_at(pid, mapping, found);
    }
    return good;
}

void unreached_free(struct unreached_list *found)
{
    free(found->list);
    *found = (struct unreached_list){0};
}
