/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/kernel.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEGMENTS_MOST = 4096 };

static const char why_alias[] = "other mappings of memory that is searched where it lies";
static const char why_refused[] = "refused by the kernel";

struct kernel {
    const char *core;
    int fd;
    uint64_t page;
    Elf64_Phdr *segments; /* of memory, sorted by address */
    size_t count;
    struct searcher *searcher;
    const volatile int *stop;
    struct process_result *result;
};

static bool kernel_fail(struct kernel *kernel, const char *what, const char *why)
{
    snprintf(kernel->result->failure, sizeof(kernel->result->failure), "%s: %s%s%s",
             kernel->core, what, *why == '\0' ? "" : ": ", why);
    return false;
}

static bool by_open(struct kernel *kernel)
{
    if (errno == ENOENT)
        return kernel_fail(kernel, "this kernel does not show its memory",
                           "it has no such file");
    if (errno == EACCES || errno == EPERM)
        return kernel_fail(kernel, "not permitted to read it",
                           "run this as root, on a kernel that is not locked down");
    return kernel_fail(kernel, "cannot open it", strerror(errno));
}

static int by_address(const void *one, const void *other)
{
    uint64_t a = ((const Elf64_Phdr *)one)->p_vaddr, b = ((const Elf64_Phdr *)other)->p_vaddr;

    return (a > b) - (a < b);
}

static bool read_segments(struct kernel *kernel)
{
    Elf64_Ehdr head;

    if (pread(kernel->fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
        memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
        head.e_type != ET_CORE || head.e_phentsize != sizeof(Elf64_Phdr) ||
        head.e_phnum > SEGMENTS_MOST)
        return kernel_fail(kernel, "no ELF core file of a kernel",
                           "give " KERNEL_CORE " or a dump");
    kernel->segments = calloc((size_t)head.e_phnum + 1, sizeof(*kernel->segments));
    if (kernel->segments == NULL)
        return kernel_fail(kernel, "out of memory", "");
    for (size_t i = 0; i < head.e_phnum; i++) {
        Elf64_Phdr *segment = &kernel->segments[kernel->count];
        off_t at = (off_t)(head.e_phoff + i * sizeof(*segment));

        if (pread(kernel->fd, segment, sizeof(*segment), at) != (ssize_t)sizeof(*segment))
            return kernel_fail(kernel, "it is cut short", "");
        kernel->count += segment->p_type == PT_LOAD && segment->p_filesz > 0;
    }
    qsort(kernel->segments, kernel->count, sizeof(*kernel->segments), by_address);
    return true;
}

/*
 * Returns true for the kernel's text and dynamic mappings, whose pages are in the direct map
 * too.
 */
static bool is_alias(const struct kernel *kernel, const Elf64_Phdr *segment)
{
    if (segment->p_paddr == UINT64_MAX)
        return true;
    for (size_t i = 0; i < kernel->count; i++) {
        const Elf64_Phdr *other = &kernel->segments[i];

        if (other->p_paddr != UINT64_MAX && other->p_filesz > segment->p_filesz &&
            segment->p_paddr >= other->p_paddr &&
            segment->p_paddr - other->p_paddr <= other->p_filesz - segment->p_filesz)
            return true;
    }
    return false;
}

static bool map_segments(struct kernel *kernel)
{
    struct process_map *map = &kernel->result->map;

    map->list = calloc(kernel->count + 1, sizeof(*map->list));
    for (size_t i = 0; map->list != NULL && i < kernel->count; i++) {
        const Elf64_Phdr *segment = &kernel->segments[i];
        struct mapping *mapping = &map->list[i];

        *mapping = (struct mapping){.start = segment->p_vaddr,
                                    .end = segment->p_vaddr + segment->p_filesz,
                                    .offset = segment->p_offset,
                                    .kernel = is_alias(kernel, segment),
                                    .name = strdup("[kernel memory]")};
        if (mapping->name == NULL)
            return kernel_fail(kernel, "out of memory", "");
        /* Segments of a broken dump may overlap. */
        mapping_clip(mapping, i > 0 ? map->list[i - 1].end : 0);
        map->count++;
    }
    return map->list != NULL || kernel_fail(kernel, "out of memory", "");
}

static void kernel_found(void *context, const struct copy *copy)
{
    struct kernel *kernel = context;

    if (!process_result_add(kernel->result, copy))
        kernel_fail(kernel, "out of memory", "");
}

static bool scan_segment(struct kernel *kernel, const struct mapping *mapping)
{
    uint64_t at = mapping->start;

    while (at < mapping->end) {
        size_t room;
        uint8_t *to = searcher_room(kernel->searcher, at, mapping->end, &room);

        if (*kernel->stop)
            return kernel_fail(kernel, "interrupted", "");

        ssize_t got =
            pread(kernel->fd, to, room, (off_t)(at - mapping->start + mapping->offset));

        if (got > 0) {
            searcher_take(kernel->searcher, (size_t)got);
            kernel->result->searched += (uint64_t)got;
            at += (uint64_t)got;
        } else if (got == 0 || errno == EINVAL) {
            /* EINVAL: a segment of a broken dump lies where no file reaches. */
            return kernel_fail(kernel, "it is cut short", "");
        } else if (errno != EINTR) {
            uint64_t next = (at / kernel->page + 1) * kernel->page;

            if (!process_result_note(kernel->result, mapping, next - at, why_refused))
                return kernel_fail(kernel, "out of memory", "");
            at = next;
        }
    }
    return true;
}

static bool kernel_look(struct kernel *kernel)
{
    const struct process_map *map = &kernel->result->map;
    bool good = true;

    kernel->fd = open(kernel->core, O_RDONLY | O_CLOEXEC);
    if (kernel->fd < 0)
        return by_open(kernel);
    if (!read_segments(kernel) || !map_segments(kernel))
        return false;
    searcher_begin(kernel->searcher, kernel_found, kernel);
    for (size_t i = 0; good && i < map->count; i++) {
        const struct mapping *mapping = &map->list[i];

        if (mapping->kernel)
            good = process_result_note(kernel->result, mapping, mapping->end - mapping->start,
                                       why_alias);
        else
            good = scan_segment(kernel, mapping);
    }
    searcher_end(kernel->searcher);
    return good && kernel->result->failure[0] == '\0';
}

bool kernel_scan(const char *core, struct searcher *searcher, const volatile int *stop,
                 struct process_result *result)
{
    struct kernel kernel = {
        .core = core,
        .fd = -1,
        .page = (uint64_t)sysconf(_SC_PAGESIZE),
        .searcher = searcher,
        .stop = stop,
        .result = result,
    };

    *result = (struct process_result){.name = "kernel"};

    bool good = kernel_look(&kernel);

    if (kernel.fd >= 0)
        close(kernel.fd);
    free(kernel.segments);
    return good;
}
