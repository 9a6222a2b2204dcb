// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory is from the node of the CPU that touches it, or from where a policy sends it: blocks,
 * from the reservation at boot and from the page allocator, and pages. With one node there is
 * nothing else to be had: run --nodes has two, a CPU on each.
 */
#include "nodes.h"

#include <linux/mempolicy.h>

#define BLOCKS 6
#define COUNT  (BLOCKS * (long)(BLOCK / PAGE))

static int count_nodes(void)
{
    char path[64];
    int count = 0;

    for (int node = 0; node < NODES; node++) {
        snprintf(path, sizeof(path), "/sys/devices/system/node/node%d", node);
        count += access(path, F_OK) == 0;
    }
    return count;
}

static void expect_node(const char *area, long count, unsigned node, const char *what)
{
    long pages[NODES];

    pages_by_node(area, pages);
    tap_ok(pages[node] == count, "%s: all from node %u (are: %ld of %ld)", what, node,
           pages[node], count);
}

/* The blocks have come from the reserve as far as it has some on the node, or all from without.
 */
static void test_node(unsigned node, bool from_reserve, const char *what)
{
    long left = counter("reserved_free");
    char *area = map_blocks(BLOCKS * BLOCK, 0, what);
    char *small = map_secret(16 * PAGE, 0);

    expect_node(area, COUNT, node, what);
    if (patched && counter("reserved_total") > 0)
        tap_ok((counter("reserved_free") < left) == from_reserve, "%s: %s the reservation",
               what, from_reserve ? "from" : "not from");
    populate(small, 16);
    expect_node(small, 16, node, "pages");
    munmap(area, BLOCKS * BLOCK);
    munmap(small, 16 * PAGE);
}

static void set_policy(int mode, unsigned node)
{
    unsigned long nodes = 1UL << node;

    if (syscall(SYS_set_mempolicy, mode, mode == MPOL_DEFAULT ? NULL : &nodes,
                mode == MPOL_DEFAULT ? 0 : NODES + 1) != 0)
        tap_bail_out("set_mempolicy: %s", strerror(errno));
}

static void test_policy(unsigned other)
{
    char what[64];

    snprintf(what, sizeof(what), "a policy for node %u", other);
    set_policy(MPOL_BIND, other);
    /* Where a policy is, it is the page allocator's to follow it. */
    test_node(other, false, what);
    set_policy(MPOL_DEFAULT, 0);
}

/* A policy of the mapping is nothing to blocks, as it is nothing to pages: both follow the
 * task's. */
static void test_mapping_policy(unsigned node, unsigned other)
{
    const size_t sizes[] = {16 * PAGE, BLOCK};
    unsigned long nodes = 1UL << other;

    for (size_t i = 0; i < 2; i++) {
        char *area = map_secret(sizes[i], 0), what[64];
        if (syscall(SYS_mbind, area, sizes[i], MPOL_BIND, &nodes, NODES + 1, 0) != 0)
            tap_bail_out("mbind: %s", strerror(errno));
        populate(area, sizes[i] / PAGE);
        snprintf(what, sizeof(what), "a mapping of %zu KiB with a policy for node %u",
                 sizes[i] >> 10, other);
        expect_node(area, (long)(sizes[i] / PAGE), node, what);
        munmap(area, sizes[i]);
    }
}

int main(int argc, char **argv)
{
    int nodes, seen = 0;
    bool fake;

    secret_start(argc, argv);
    set_memlock(RLIM_INFINITY);
    nodes = count_nodes();
    fake = fake_nodes();
    for (int cpu = 0; cpu < 2; cpu++) {
        unsigned node = run_on_node_of(cpu);
        char what[64];
        snprintf(what, sizeof(what), "touched on CPU %d", cpu);
        test_node(node, true, what);
        seen |= 1 << node;
        if (nodes > 1) {
            test_policy(!node);
            test_mapping_policy(node, !node);
        }
    }
    tap_ok(fake || seen == (1 << nodes) - 1, "the CPUs are on all of %d nodes", nodes);
    return tap_finish();
}
