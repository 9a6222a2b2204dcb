/* SPDX-License-Identifier: Apache-2.0 */
#include "process/tls_libraries.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/elf_search.h"
#include "process/known_files.h"
#include "process/list.h"
#include "process/mapped_file.h"
#include "process/try_in_child.h"

/*
 * The marks that each library's code leaves in a file. Each mark is in two pieces, so that this
 * program's own file does not contain it.
 */
static const struct mark {
    const char *text[2];
    const char *what;
} marks[] = {
    {{"crypto/mem", "_sec.c"}, "a copy of OpenSSL that exports no symbols"},
    {{"(compatible; ", "BoringSSL)"}, "BoringSSL"},
    {{"(compatible; ", "AWS-LC"}, "AWS-LC"},
    {{"BAD_GET_ASN1", "_OBJECT_CALL"}, "BoringSSL or AWS-LC"},
    {{"Go build", "inf:"}, "a Go program (crypto/tls, if it uses TLS)"},
    {{"/rustls", "-0."}, "Rust's rustls"},
    /* libsecretssl exports OpenSSL's functions, and is not OpenSSL. */
    {{"SECRETSSL_", "ARENA_SIZE"}, NULL},
};

enum {
    MARKS = sizeof(marks) / sizeof(marks[0]),
    OPENSSL = 1 << 0,
    NAMES =
        1 << 1 | 1 << 2, /* of headers: a program that is linked with a shared one has these */
    CODE = 1 << 3,       /* of the table of errors */
    RELATIVES = NAMES | CODE, /* some of these export the symbol, without its effect */
    OURS = 1 << (MARKS - 1),
    REACHED = 1 << MARKS,
    LOOKED_INTO = REACHED << 1, /* the file could be opened */
    STUCK = LOOKED_INTO << 1,   /* the file could not be read in time */
};

/* The most waits that may time out, for a process and for all processes of a user. */
enum { STUCK_MOST = 2, STUCK_MOST_OF_USER = 4 };

/* libsecretssl can reach a copy of OpenSSL that exports this symbol. */
static const char reaching_symbol[] = "CRYPTO_set_mem_functions";
/* It also reaches a BoringSSL or AWS-LC that looks for this symbol. */
static const char sought_symbol[] = "OPENSSL_memory_alloc";
/* A file that looks for one of these is linked with a shared library. */
static const char *const shared_symbols[] = {"SSL_CTX_new", "ERR_clear_error",
                                             "EVP_DigestInit_ex"};

/*
 * Libraries recognised by the end of their paths, before any version. UNREACHED: has TLS that
 * libsecretssl does not reach. HOOKED: has TLS whose allocator libsecretssl replaces. LOCKING:
 * has no TLS, and libsecretssl protects the memory that it locks or allocates.
 */
enum reach { UNREACHED, HOOKED, LOCKING };
static const struct known_library {
    const char *name, *what;
    enum reach reach;
} libraries[] = {
    {"/libgnutls.so", "GnuTLS", UNREACHED},
    {"/libnss3.so", "NSS", UNREACHED},
    {"/libjvm.so", "a Java virtual machine (its own TLS)", UNREACHED},
    {"/libmbedtls.so", "Mbed TLS", UNREACHED},
    {"/libwolfssl.so", "wolfSSL", HOOKED},
    {"/libgcrypt.so", "libgcrypt", LOCKING},
    {"/libsodium.so", "libsodium", LOCKING},
    {"/libbotan-2.so", "Botan", LOCKING},
    {"/libbotan-3.so", "Botan", LOCKING},
    /*
     * Erlang has its own TLS, with libcrypto's primitives. Keys and secrets are terms on
     * Erlang's heaps.
     */
    {"/priv/lib/crypto.so", "Erlang/OTP (its own TLS, if it uses TLS)", UNREACHED},
};

static bool tls_add(struct unreached_list *found, const struct mapping *mapping,
                    const char *what)
{
    struct unreached *more = list_grown(found->list, found->count, sizeof(*more));

    if (more == NULL)
        return false;
    found->list = more;
    more[found->count++] = (struct unreached){mapping, what};
    return true;
}

static bool same_file(const struct mapping *a, const struct mapping *b)
{
    return a->inode == b->inode && a->device == b->device && !a->anonymous && !b->anonymous;
}

static bool tls_add_copy(struct unreached_list *found, const struct mapping *mapping)
{
    const struct mapping **more = list_grown(found->copies, found->copy_count, sizeof(*more));

    if (more == NULL)
        return false;
    found->copies = more;
    more[found->copy_count++] = mapping;
    return true;
}

/*
 * Adds one copy for each mapping of the file's code, because each linker namespace has its own
 * copy.
 */
static bool add_copies(struct unreached_list *found, const struct process_map *map,
                       const struct mapping *file)
{
    const struct mapping *first = NULL;
    bool good = true;

    for (size_t i = 0; i < found->copy_count; i++) {
        if (same_file(found->copies[i], file))
            return true;
    }
    /* A mapping at a higher offset is a later part of a copy. */
    for (size_t i = 0; i < map->count; i++) {
        const struct mapping *code = &map->list[i];

        if (code->executable && same_file(code, file) &&
            (first == NULL || code->offset < first->offset))
            first = code;
    }
    for (size_t i = 0; good && first != NULL && i < map->count; i++) {
        const struct mapping *code = &map->list[i];

        if (code->executable && same_file(code, file) && code->offset == first->offset)
            good = tls_add_copy(found, code);
    }
    return good;
}

static bool is_linked_with_shared(int fd)
{
    for (size_t i = 0; i < sizeof(shared_symbols) / sizeof(shared_symbols[0]); i++) {
        if (file_looks_for(fd, shared_symbols[i]))
            return true;
    }
    return false;
}

/* Drops a name that a header has put into a program, or a second name for the same code. */
static unsigned relatives_of(int fd, unsigned has)
{
    if (has & NAMES && !(has & CODE) && is_linked_with_shared(fd))
        return has & ~(unsigned)NAMES;
    return has & NAMES ? has & ~(unsigned)CODE : has;
}

/* Returns the marks of an open file, and REACHED. */
static unsigned tls_look_into(int fd)
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
    /*
     * Tests the symbol as well, because not every build has OpenSSL's mark: a build can leave
     * out file names, and other builds never had the mark.
     */
    if (has & OURS)
        has &= ~(unsigned)OPENSSL;
    has = relatives_of(fd, has);
    if (!(has & OURS) && (has & OPENSSL || !(has & RELATIVES)) &&
        file_exports(fd, reaching_symbol))
        has = (has & ~(unsigned)OPENSSL) | REACHED;
    if (has & RELATIVES && file_has_place_for(fd, sought_symbol))
        has = (has & ~(unsigned)RELATIVES) | REACHED;
    return has;
}

const char *unreached_copy(int fd)
{
    unsigned has = tls_look_into(fd);

    for (size_t i = 0; i < MARKS; i++) {
        if (has & (OPENSSL | RELATIVES) & 1U << i)
            return marks[i].what;
    }
    return NULL;
}

struct job {
    pid_t pid;
    const struct mapping *mapping;
};

static struct job job; /* for the child that reads the file */

static unsigned open_and_look(const struct job *at)
{
    int fd = backing_open(at->pid, at->mapping);
    unsigned has;

    if (fd < 0)
        return 0;
    has = tls_look_into(fd) | LOOKED_INTO;
    close(fd);
    return has;
}

static void look_in_child(void *has)
{
    *(unsigned *)has = open_and_look(&job);
}

static unsigned look_at_file(const struct job *at, unsigned patience,
                             struct unreached_list *found)
{
    unsigned has = known_file_find(at->mapping), *waited = waited_for_user_of(at->pid);
    int end = 0;

    if (has != 0)
        return has;
    if (patience == 0) {
        has = open_and_look(at);
    } else if (found->waited < STUCK_MOST && waited != NULL && *waited < STUCK_MOST_OF_USER) {
        job = *at;
        end = trial_within(patience, look_in_child, &has, sizeof(has));
    } else {
        return STUCK;
    }
    if (end == SIGALRM) {
        found->waited++;
        (*waited)++;
        has = STUCK;
    } else if (end != 0) {
        has = 0; /* no child, or another process ended it: no fact about the file */
    }
    /* 0 is not remembered, because the file may be opened by way of another process. */
    if (has != 0)
        known_file_add(at->mapping, has);
    return has;
}

/* Returns the end of path with as many slashes as `like`, or NULL if path has fewer. */
static const char *path_end(const char *path, const char *like)
{
    const char *end = path + strlen(path);
    int slashes = 0;

    for (; *like != '\0'; like++)
        slashes += *like == '/';
    while (end > path && slashes > 0)
        slashes -= *--end == '/';
    return slashes == 0 ? end : NULL;
}

static const struct known_library *known_library(const char *path)
{
    for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
        const char *end = path_end(path, libraries[i].name);

        if (end != NULL && strncmp(end, libraries[i].name, strlen(libraries[i].name)) == 0)
            return &libraries[i];
    }
    return NULL;
}

static bool tls_seen(const struct process_map *map, size_t number)
{
    for (size_t i = 0; i < number; i++) {
        if (map->list[i].inode == map->list[number].inode &&
            strcmp(map->list[i].name, map->list[number].name) == 0)
            return true;
    }
    return false;
}

/*
 * Returns true for a file name that only OpenSSL and its relatives use, whatever the file
 * contains.
 */
static bool is_named_openssl(const char *name)
{
    const char *base = strrchr(name, '/');

    return base != NULL &&
           (strncmp(base, "/libcrypto.so", 13) == 0 || strncmp(base, "/libssl.so", 10) == 0);
}

static bool tls_look_at(const struct job *at, const struct process_map *map, unsigned patience,
                        struct unreached_list *found)
{
    const struct mapping *mapping = at->mapping;
    const struct known_library *library = known_library(mapping->name);
    unsigned has;
    bool good = true;

    if (library != NULL && library->reach == UNREACHED)
        return tls_add(found, mapping, library->what);
    if (library != NULL && library->reach == HOOKED)
        found->hooked = mapping;
    if (library != NULL && library->reach == LOCKING)
        found->locking = library->what;
    if (library != NULL)
        return true;
    has = look_at_file(at, patience, found);
    found->stuck += (has & STUCK) != 0;
    if (has == 0 && process_map_runs(map, mapping)) {
        found->closed++;
        found->closed_first = found->closed_first != NULL ? found->closed_first : mapping;
    }
    if (found->openssl == NULL && has & REACHED)
        found->openssl = mapping;
    if (found->named == NULL && !(has & RELATIVES) && is_named_openssl(mapping->name))
        found->named = mapping;
    if (has & REACHED)
        good = add_copies(found, map, mapping);
    for (size_t i = 0; good && i < MARKS; i++) {
        if (has & 1U << i && marks[i].what != NULL)
            good = tls_add(found, mapping, marks[i].what);
    }
    return good;
}

bool unreached_find(pid_t pid, const struct process_map *map, unsigned patience,
                    struct unreached_list *found)
{
    bool good = true;

    for (size_t i = 0; good && i < map->count; i++) {
        const struct mapping *mapping = &map->list[i];

        if (!mapping->anonymous && !mapping->kernel && mapping->offset == 0 &&
            mapping->name[0] == '/' && !tls_seen(map, i))
            good = tls_look_at(&(struct job){pid, mapping}, map, patience, found);
    }
    if (found->openssl == NULL)
        found->openssl = found->named;
    return good;
}

bool unreached_is_repeated(const struct unreached_list *found, size_t number)
{
    for (size_t i = 0; i < number; i++) {
        if (strcmp(found->list[i].what, found->list[number].what) == 0)
            return true;
    }
    return false;
}

void unreached_free(struct unreached_list *found)
{
    free(found->list);
    free(found->copies);
    *found = (struct unreached_list){0};
}
