// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one process cannot have, another does not go without: with a process that may use one
 * node only, where no block is left, blocks of the other node's reservation are still there to
 * be had.
 */
#include "cpu.h"
#include "secret.h"

#include <signal.h>

#define MPOL_BIND 2

/* Free memory of a node, in bytes. */
static size_t free_of_node(unsigned node)
{
    char path[64], line[128];
    size_t kib = 0;

    snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/meminfo", node);
    FILE *file = fopen(path, "re");
    while (file && kib == 0 && fgets(line, sizeof(line), file))
        if (sscanf(line, "Node %*u MemFree: %zu", &kib) != 1)
            kib = 0;
    if (!kib)
        tap_bail_out("%s: there is no MemFree", path);
    fclose(file);
    return kib * 1024;
}

/*
 * Leaves every other page of nearly all the node free: few blocks can be had, and single pages
 * for as long as anybody wants them, as an end of these would be this process's.
 */
static void fragment_node(unsigned node)
{
    size_t size = free_of_node(node) - 32 * BLOCK;
    char *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (area == MAP_FAILED || madvise(area, size, MADV_NOHUGEPAGE) != 0)
        tap_bail_out("mmap: %s", strerror(errno));
    memset(area, 1, size);
    for (size_t at = 0; at < size; at += 2 * PAGE)
        madvise(area + at, PAGE, MADV_DONTNEED);
}

/* Takes blocks of a node until there are none: true if it came to that. */
static bool fill_node(unsigned node)
{
    unsigned long mask = 1UL << node;
    long before = counter("fallbacks");

    if (syscall(SYS_set_mempolicy, MPOL_BIND, &mask, 8 * sizeof(mask)) != 0)
        tap_bail_out("set_mempolicy: %s", strerror(errno));
    fragment_node(node);
    for (int i = 0; i < 4096 && counter("fallbacks") == before; i++)
        if (populate(map_secret(BLOCK, 0), 1) != 1)
            return false;
    return counter("fallbacks") > before;
}

/* In a child that holds what it has: its end of the pipe. */
static pid_t fill_in_child(unsigned node, bool *none)
{
    int ends[2];
    pid_t child;

    if (pipe(ends) != 0 || (child = fork()) < 0)
        tap_bail_out("fork: %s", strerror(errno));
    if (child == 0) {
        *none = fill_node(node);
        if (write(ends[1], none, sizeof(*none)) != sizeof(*none))
            _exit(1);
        for (;;)
            pause();
    }
    close(ends[1]);
    if (read(ends[0], none, sizeof(*none)) != sizeof(*none))
        tap_bail_out("the child that fills a node has ended");
    close(ends[0]);
    return child;
}

static void test_reserve(unsigned other)
{
    bool none = false;
    int status;
    pid_t child = fill_in_child(other, &none);
    long blocks = counter("blocks"), reserved = counter("reserved_free");
    char *area = map_secret(BLOCK, 0);

    tap_ok(none, "a process finds no block on node %u, and has to do with a page", other);
    bool had = populate(area, 1) == 1 && counter("blocks") == blocks + 1;
    long then = counter("reserved_free");
    tap_ok(had && then == reserved - 1,
           "one on another node gets a block of the reservation at once (free: %ld, then %ld)",
           reserved, then);
    munmap(area, BLOCK);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    tap_ok(counter("blocks") == 0 && counter("pages") == 0, "nothing is left in use");
}

int main(int argc, char **argv)
{
    unsigned node;

    secret_start(argc, argv);
    if (counter("reserved_total") < 1 || access("/sys/devices/system/node/node1", F_OK) != 0) {
        tap_ok(true, "nothing to do: there is no reservation on two nodes");
        return tap_finish();
    }
    set_memlock(RLIM_INFINITY);
    run_on(0);
    if (syscall(SYS_getcpu, NULL, &node, NULL) != 0)
        tap_bail_out("getcpu: %s", strerror(errno));
    test_reserve(!node);
    return tap_finish();
}
