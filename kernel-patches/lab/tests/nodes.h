/* SPDX-License-Identifier: GPL-2.0-only */
/* Which CPU is on which node, and which node memory is from. */
#ifndef LAB_NODES_H
#define LAB_NODES_H

#include "cpu.h"
#include "secret.h"

#define NODES 8

/* Whether the nodes are made up by the kernel, with all CPUs on the first. */
static __attribute__((unused)) bool fake_nodes(void)
{
    return file_says("/proc/cmdline", "numa=fake");
}

/* Goes to a CPU for good; answers its node. */
static unsigned run_on_node_of(int cpu)
{
    unsigned node, at;

    run_on(cpu);
    if (syscall(SYS_getcpu, &at, &node, NULL) != 0 || at != (unsigned)cpu || node >= NODES)
        tap_bail_out("getcpu: on CPU %u of node %u", at, node);
    return node;
}

/* The present pages of a mapping by node, as /proc/self/numa_maps counts them. */
static __attribute__((unused)) void pages_by_node(const char *area, long pages[NODES])
{
    FILE *file = fopen("/proc/self/numa_maps", "re");
    bool found = false;
    char line[1024];

    memset(pages, 0, NODES * sizeof(pages[0]));
    if (!file)
        tap_bail_out("/proc/self/numa_maps: %s", strerror(errno));
    while (!found && fgets(line, sizeof(line), file)) {
        found = strtoul(line, NULL, 16) == (unsigned long)area;
        for (char *at = found ? line : NULL; at && (at = strstr(at, " N")) != NULL; at++) {
            unsigned node;
            long count;
            if (sscanf(at, " N%u=%ld", &node, &count) == 2 && node < NODES)
                pages[node] = count;
        }
    }
    fclose(file);
    if (!found)
        tap_bail_out("/proc/self/numa_maps has no mapping at %p", (void *)area);
}

#endif
