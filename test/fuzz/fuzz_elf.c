/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the preload reads of loaded objects. An input is an ELF file, which is loaded as the
 * dynamic linker does: segments at their addresses, and nothing else is checked. Everything
 * between the segments is poisoned.
 */
#include "harness.h"
#include "loader/elf_symbols.h"
#include <elf.h>
#include <sanitizer/asan_interface.h>
#include <string.h>

enum { SPAN = 1 << 18, SEGMENTS_MOST = 16 };

static char image[SPAN] __attribute__((aligned(4096)));

static const char *const names[] = {
    "CRYPTO_set_mem_functions",
    "OPENSSL_memory_alloc",
    "hash_object_function",
    "hash_object_sought",
    "libcrypto.so.3",
    "f",
    "",
};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

/* Loads a segment; false if the linker would refuse the file. */
static bool load(const uint8_t *data, size_t size, const ElfW(Phdr) * segment)
{
    uint64_t from = segment->p_vaddr, length = segment->p_memsz;

    if (from > SPAN || length > SPAN - from || segment->p_filesz > length ||
        segment->p_offset > size || segment->p_filesz > size - segment->p_offset)
        return false;
    if (segment->p_flags & PF_R) {
        ASAN_UNPOISON_MEMORY_REGION(image + from, length);
        memset(image + from, 0, length);
        memcpy(image + from, data + segment->p_offset, segment->p_filesz);
    }
    return true;
}

/* Returns the number of segments, which are loaded, or 0. */
static unsigned load_all(const uint8_t *data, size_t size, ElfW(Phdr) * segments)
{
    ElfW(Ehdr) head;

    if (size < sizeof(head))
        return 0;
    memcpy(&head, data, sizeof(head));
    if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_phnum > SEGMENTS_MOST ||
        head.e_phoff > size || head.e_phnum * sizeof(*segments) > size - head.e_phoff)
        return 0;
    memcpy(segments, data + head.e_phoff, head.e_phnum * sizeof(*segments));
    for (unsigned i = 0; i < head.e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD && !load(data, size, &segments[i]))
            return 0;
    }
    return head.e_phnum;
}

static bool is_readable(const void *at, size_t size)
{
    return (const char *)at >= image && (const char *)at <= image + SPAN - size &&
           !__asan_region_is_poisoned((void *)(uintptr_t)at, size);
}

/* Each string that is handed out ends inside of the object, unless it is a constant. */
static void check_text(const char *text)
{
    size_t length = strlen(text);

    EXPECT(length == 0 || is_readable(text, length + 1), "a string outside of the object");
}

static void check_symbol(const struct elf_object *object, const char *name)
{
    const struct range function = elf_function_of(object, name);
    const uintptr_t *place = elf_place_for(object, name);
    const struct range code =
        elf_code_of(object->base, object->segments, object->segment_count);

    EXPECT((uintptr_t)elf_symbol_of(object, name) == function.from, "two addresses of %s",
           name);
    EXPECT(function.from == 0 || elf_range_has(code, (void *)function.from),
           "%s is not in the code", name);
    EXPECT(place == NULL || is_readable(place, sizeof(*place)), "no place for %s", name);
    elf_named(object, "/usr/lib/libcrypto.so.3", name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ElfW(Phdr) segments[SEGMENTS_MOST];
    struct dl_phdr_info info = {.dlpi_addr = (uintptr_t)image, .dlpi_phdr = segments};
    struct elf_object object;
    const char *needed;

    ASAN_POISON_MEMORY_REGION(image, SPAN);
    info.dlpi_phnum = (ElfW(Half))load_all(data, size, segments);
    if (info.dlpi_phnum == 0)
        return -1;
    object = elf_object(&info);
    for (unsigned i = 0; i < NAMES; i++)
        check_symbol(&object, names[i]);
    check_text(elf_soname(&object));
    for (unsigned i = 0; (needed = elf_needed(&object, i)) != NULL; i++)
        check_text(needed);
    return 0;
}
