// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's image has a mapping of its own. What of it went to the page allocator after
 * boot, and so may become secret memory, must not be in it: that mapping is not the direct map.
 * The kernel's dump of its page tables shows it; without the patches the memory is still
 * mapped.
 */
#include "secret.h"

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

/* Bytes between two addresses that the kernel has mapped: such a line names ro or RW. */
static unsigned long mapped(unsigned long from, unsigned long to)
{
    FILE *file = fopen("/sys/kernel/debug/page_tables/kernel", "re");
    unsigned long start, end, sum = 0;
    char line[256];

    if (!file)
        tap_bail_out("no dump of the page tables: %s", strerror(errno));
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "0x%lx-0x%lx", &start, &end) != 2 ||
            (!strstr(line, " RW ") && !strstr(line, " ro ")))
            continue;
        start = start > from ? start : from;
        end = end < to ? end : to;
        sum += start < end ? end - start : 0;
    }
    fclose(file);
    return sum;
}

int main(int argc, char **argv)
{
    unsigned long begin, end, found;

    secret_start(argc, argv);
    begin = symbol("__init_begin");
    end = symbol("__init_end");
    tap_ok(begin < end && mapped(symbol("_stext"), symbol("_etext")) > 0,
           "the kernel's text is in its image's mapping");
    found = mapped(begin, end);
    tap_ok(patched ? found == 0 : found > 0,
           "what was freed of it after boot is %s (%lu of %lu KiB)", patched ? "not" : "still",
           found / 1024, (end - begin) / 1024);
    return tap_finish();
}
