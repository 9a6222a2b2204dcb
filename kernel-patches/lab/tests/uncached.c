// SPDX-License-Identifier: GPL-2.0-only
/*
 * What uncached memory costs others, and what it leaves behind: a page of it has every CPU
 * flush its TLB twice, where other secret memory does so once; it takes no alias from vmalloc;
 * and what has been uncached is back in the direct map as it was, cached.
 */
#include "cpu.h"
#include "secret.h"

#include <elf.h>

#define PAGES       256
#define PAGE_TABLES "/sys/kernel/debug/page_tables/kernel"

/* Calls that CPUs have had from others, flushes of TLBs among them. */
static long count_calls(void)
{
    FILE *file = fopen("/proc/interrupts", "re");
    char line[1024];
    long sum = -1;

    while (file && sum < 0 && fgets(line, sizeof(line), file)) {
        char *at = strstr(line, "CAL:");
        if (!at)
            continue;
        sum = 0;
        at += strlen("CAL:");
        for (char *end = at;; at = end) {
            long value = strtol(at, &end, 10);
            if (end == at)
                break;
            sum += value;
        }
    }
    if (sum < 0)
        tap_bail_out("/proc/interrupts: no line CAL");
    fclose(file);
    return sum;
}

/* Areas of vmalloc that a function of secretmem has made, whose name begins so. */
static long count_areas(const char *function)
{
    FILE *file = fopen("/proc/vmallocinfo", "re");
    char line[512];
    long count = 0;

    if (!file)
        tap_bail_out("/proc/vmallocinfo: %s", strerror(errno));
    while (fgets(line, sizeof(line), file))
        count += strstr(line, function) != NULL;
    fclose(file);
    return count;
}

static double calls_for_page(unsigned flags)
{
    char *area = map_plain(PAGES * PAGE, flags);
    long before = count_calls();

    if (populate(area, PAGES) != PAGES)
        tap_bail_out("%d pages of secret memory cannot be had", PAGES);
    double calls = (double)(count_calls() - before) / PAGES;
    munmap(area, PAGES * PAGE);
    return calls;
}

static void test_cost(void)
{
    /* The first pages split entries of the direct map, which has its own flushes. */
    calls_for_page(0);
    double plain = calls_for_page(0);
    tap_ok(plain > 0.9 && plain < 1.5, "a secret page: one call of the other CPU (is: %.2f)",
           plain);
    if (!patched)
        return;
    calls_for_page(UNCACHED);
    double uncached = calls_for_page(UNCACHED);
    tap_ok(uncached > 1.8 && uncached < 2.5,
           "an uncached page: two calls of the other CPU (is: %.2f)", uncached);
    tap_ok(count_areas(" secretmem_") == 1 && count_areas(" secretmem_init_copy+") == 1,
           "no area of vmalloc is secretmem's but the one through which pages are copied");
}

/* The address in the direct map of physical memory, from the headers of /proc/kcore. */
static unsigned long direct_address(unsigned long place)
{
    int fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
    unsigned long found = 0;
    Elf64_Ehdr header;
    Elf64_Phdr part;

    if (fd < 0 || pread(fd, &header, sizeof(header), 0) != sizeof(header))
        tap_bail_out("/proc/kcore: %s", strerror(errno));
    for (unsigned i = 0; i < header.e_phnum && !found; i++) {
        if (pread(fd, &part, sizeof(part),
                  (off_t)(header.e_phoff + (size_t)i * header.e_phentsize)) != sizeof(part))
            tap_bail_out("/proc/kcore: its headers cannot be read");
        if (part.p_type == PT_LOAD && part.p_vaddr < 0xffffc00000000000 &&
            place >= part.p_paddr && place < part.p_paddr + part.p_memsz)
            found = part.p_vaddr + (place - part.p_paddr);
    }
    close(fd);
    if (!found)
        tap_bail_out("/proc/kcore: %#lx is not in it", place);
    return found;
}

/* What the kernel's dump of its page tables says of an address: mapped at all, and uncached. */
static void look_up(unsigned long address, bool *mapped, bool *uncached)
{
    FILE *file = fopen(PAGE_TABLES, "re");
    unsigned long start, end;
    char line[256];

    *mapped = *uncached = false;
    if (!file)
        tap_bail_out(PAGE_TABLES ": %s", strerror(errno));
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "0x%lx-0x%lx", &start, &end) != 2 || address < start || address >= end)
            continue;
        *mapped |= strstr(line, " RW ") != NULL || strstr(line, " ro ") != NULL;
        *uncached |= strstr(line, " PCD ") != NULL;
    }
    fclose(file);
}

static void test_direct_map(size_t size, unsigned flags, const char *what)
{
    char *area = map_secret(size, flags);
    bool mapped, uncached, back;

    if (populate(area, size / PAGE) != size / PAGE)
        tap_bail_out("%zu KiB of secret memory cannot be had", size >> 10);
    unsigned long address = direct_address(physical_address(area + size - PAGE));
    look_up(address, &mapped, &uncached);
    munmap(area, size);
    look_up(address, &back, &uncached);
    /* The dump counts an entry of 2 MiB that is not present to its neighbours: removal has
     * blocks. */
    if (size < BLOCK)
        tap_ok(!mapped, "%s: it is not in the direct map", what);
    tap_ok(back && !uncached, "%s: when it is unmapped it is, and cached%s", what,
           uncached ? " (it is uncached)" : "");
}

int main(int argc, char **argv)
{
    secret_start(argc, argv);
    set_memlock(RLIM_INFINITY);
    run_on(0);
    test_cost();
    if (access(PAGE_TABLES, F_OK) != 0) {
        printf("# no dump of the page tables: the base as the lab builds it has one\n");
        return tap_finish();
    }
    test_direct_map(PAGE, 0, "a page");
    if (patched) {
        test_direct_map(PAGE, UNCACHED, "an uncached page");
        test_direct_map(BLOCK, UNCACHED, "an uncached block");
    }
    return tap_finish();
}
