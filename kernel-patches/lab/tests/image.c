// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's image has a mapping of its own, up to the end of the 2 MiB in which the image
 * ends. What of that the page allocator has - freed after boot, or never part of the image -
 * may become secret memory, and must not be in it: that mapping is not the direct map. Each
 * page there that the kernel's dump of its page tables shows as mapped is looked up in
 * /proc/kpageflags; without the patches hundreds of them are no longer reserved.
 */
#include "secret.h"

#define KPF_NOPAGE   20
#define KPF_RESERVED 32

static unsigned long symbol(const char *name)
{
    FILE *file = fopen("/proc/kallsyms", "re");
    unsigned long address = 0, found = 0;
    char line[256], is[128];

    while (file && found == 0 && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "%lx %*c %127s", &address, is) == 2 && strcmp(is, name) == 0)
            found = address;
    }
    if (found == 0)
        tap_bail_out("no %s in /proc/kallsyms", name);
    fclose(file);
    return found;
}

/* Where the image is in physical memory. */
static unsigned long physical_text(void)
{
    FILE *file = fopen("/proc/iomem", "re");
    unsigned long found = 0;
    char line[256];

    while (file && found == 0 && fgets(line, sizeof(line), file))
        if (strstr(line, "Kernel code"))
            found = strtoul(line, NULL, 16);
    if (found == 0)
        tap_bail_out("no kernel code in /proc/iomem");
    fclose(file);
    return found;
}

/* Whether the page allocator has, or has handed out, a page. */
static bool is_allocators(int flags_file, unsigned long place)
{
    unsigned long flags = 0;

    if (pread(flags_file, &flags, sizeof(flags), (off_t)(place / PAGE * 8)) != sizeof(flags))
        tap_bail_out("/proc/kpageflags: %s", strerror(errno));
    return !(flags >> KPF_NOPAGE & 1) && !(flags >> KPF_RESERVED & 1);
}

/* Pages from an address to another one that the kernel has mapped; and those that are the page
 * allocator's. */
static long count_mapped(unsigned long from, unsigned long to, unsigned long text,
                         unsigned long place, long *exposed)
{
    FILE *file = fopen("/sys/kernel/debug/page_tables/kernel", "re");
    int flags_file = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
    unsigned long start, end;
    char line[256];
    long count = 0;

    if (!file || flags_file < 0)
        tap_bail_out("no dump of the page tables, or no /proc/kpageflags: %s", strerror(errno));
    while (fgets(line, sizeof(line), file)) {
        /* A line of what is mapped names ro or RW. */
        if (sscanf(line, "0x%lx-0x%lx", &start, &end) != 2 ||
            (!strstr(line, " RW ") && !strstr(line, " ro ")))
            continue;
        start = start > from ? start : from;
        end = end < to ? end : to;
        for (unsigned long at = start; at < end; at += PAGE) {
            count++;
            *exposed += is_allocators(flags_file, place + (at - text));
        }
    }
    fclose(file);
    close(flags_file);
    return count;
}

int main(int argc, char **argv)
{
    long exposed = 0, freed = 0, behind = 0;

    secret_start(argc, argv);
    unsigned long text = symbol("_text"), end = symbol("_end"), place = physical_text();
    unsigned long top = (end + BLOCK - 1) & ~(BLOCK - 1);
    unsigned long begin = symbol("__init_begin"), finish = symbol("__init_end");

    tap_ok(begin < finish &&
               count_mapped(symbol("_stext"), symbol("_etext"), text, place, &exposed) > 0 &&
               exposed == 0,
           "the kernel's text is in its image's mapping, and not the page allocator's");
    count_mapped(begin, finish, text, place, &freed);
    count_mapped((end + PAGE - 1) & ~(PAGE - 1), top, text, place, &behind);
    count_mapped(text, top, text, place, &exposed);
    tap_ok(patched ? exposed == 0 : exposed > 0,
           "%s of the page allocator's memory is mapped there (%ld pages: %ld of init "
           "sections, %ld behind the image)",
           patched ? "nothing" : "some", exposed, freed, behind);
    return tap_finish();
}
