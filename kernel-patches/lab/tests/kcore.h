/* SPDX-License-Identifier: GPL-2.0-only */
/* Physical memory, as the kernel can read it: /proc/kcore. */
#ifndef LAB_KCORE_H
#define LAB_KCORE_H

#include "secret.h"

#include <elf.h>

#define KCORE_CHUNK  (1UL << 20)
#define KCORE_RANGES 64

/* The part of the file that is the direct map, by physical address. */
static struct kcore_range {
    unsigned long physical, size;
    off_t offset;
} kcore_ranges[KCORE_RANGES];
static size_t kcore_count;
static int kcore_fd;

static void kcore_open(void)
{
    Elf64_Ehdr header;
    Elf64_Phdr part;

    kcore_fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
    if (kcore_fd < 0 || pread(kcore_fd, &header, sizeof(header), 0) != sizeof(header))
        tap_bail_out("/proc/kcore: %s", strerror(errno));
    for (unsigned i = 0; i < header.e_phnum && kcore_count < KCORE_RANGES; i++) {
        off_t at = (off_t)(header.e_phoff + (size_t)i * header.e_phentsize);
        if (pread(kcore_fd, &part, sizeof(part), at) != sizeof(part))
            tap_bail_out("/proc/kcore: its headers cannot be read");
        /* Between the end of user space and vmalloc is the direct map; the rest is a view of
         * it. */
        if (part.p_type != PT_LOAD || part.p_memsz > 1UL << 40 ||
            part.p_vaddr >= 0xffffc00000000000)
            continue;
        kcore_ranges[kcore_count++] =
            (struct kcore_range){part.p_paddr, part.p_memsz, (off_t)part.p_offset};
    }
    if (!kcore_count)
        tap_bail_out("/proc/kcore: no direct map in it");
}

/* Reads physical memory; what the kernel cannot read is zero. */
static __attribute__((unused)) bool kcore_read(unsigned long physical, void *buffer,
                                               size_t size)
{
    for (size_t i = 0; i < kcore_count; i++) {
        const struct kcore_range *range = &kcore_ranges[i];
        if (physical >= range->physical && physical - range->physical + size <= range->size)
            return pread(kcore_fd, buffer, size,
                         range->offset + (off_t)(physical - range->physical)) == (ssize_t)size;
    }
    return false;
}

/* How often each of some patterns of one length occurs; the buffer is the caller's. */
static __attribute__((unused)) void kcore_search(char *buffer, char *const *patterns,
                                                 size_t length, long *found, size_t count)
{
    for (size_t i = 0; i < kcore_count; i++) {
        const struct kcore_range *range = &kcore_ranges[i];
        for (unsigned long at = 0; at < range->size; at += KCORE_CHUNK - length) {
            size_t size = range->size - at < KCORE_CHUNK ? range->size - at : KCORE_CHUNK;
            if (pread(kcore_fd, buffer, size, range->offset + (off_t)at) != (ssize_t)size)
                continue;
            for (size_t p = 0; p < count; p++)
                for (char *hit = buffer;
                     (hit = memmem(hit, buffer + size - hit, patterns[p], length)) != NULL;
                     hit++)
                    found[p]++;
        }
    }
}

#endif
