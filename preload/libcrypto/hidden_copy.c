/* SPDX-License-Identifier: Apache-2.0 */
#include "libcrypto/hidden_copy.h"
#include "libcrypto/registry.h"
#include "loader/elf_symbols.h"
#include "log/log.h"
#include <link.h>
#include <string.h>

/*
 * Texts in the code of each library. Each is in two pieces, so that `secretssl` does not find
 * them in the preload.
 */
static const struct mark {
    const char *begin, *end;
    const char *what;
    bool by_name; /* of a kind that finds the preload by name */
} marks[] = {
    {"crypto/mem", "_sec.c", "a copy of OpenSSL that exports no symbols", false},
    {"BAD_GET_ASN1", "_OBJECT_CALL",
     "a copy of BoringSSL or AWS-LC that looks for no allocator", true},
};

static bool has_mark(const char *from, size_t size, const struct mark *mark)
{
    const char *to = from + size, *at = from;
    size_t begin = strlen(mark->begin), end = strlen(mark->end);

    while ((at = memmem(at, (size_t)(to - at), mark->begin, begin)) != NULL) {
        at += begin;
        if ((size_t)(to - at) >= end && memcmp(at, mark->end, end) == 0)
            return true;
    }
    return false;
}

/*
 * Constants lie in segments that are not writable. The mark of the library for which the
 * program is registered, if it is, hides nothing.
 */
static const char *copy_in(const struct dl_phdr_info *info, const struct libcrypto *lib)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_R) || segment->p_flags & PF_W)
            continue;
        for (size_t k = 0; k < sizeof(marks) / sizeof(marks[0]); k++) {
            if ((!lib || lib->kind->by_name != marks[k].by_name) &&
                has_mark((const char *)(info->dlpi_addr + segment->p_vaddr), segment->p_filesz,
                         &marks[k]))
                return marks[k].what;
        }
    }
    return NULL;
}

/* The program is the first object; no more are visited. */
static int look_into_program(struct dl_phdr_info *info, size_t size, void *what)
{
    struct elf_object object = elf_object(info);

    (void)size;
    *(const char **)what = copy_in(info, registry_find(&object));
    return 1;
}

void hidden_copy_refuse(void)
{
    const char *what = NULL;

    dl_iterate_phdr(look_into_program, &what);
    if (what)
        sm_exit_refused("SECRETSSL_REQUIRE=1: the program contains %s: it cannot be protected; "
                        "use a build with shared libraries",
                        what);
}
