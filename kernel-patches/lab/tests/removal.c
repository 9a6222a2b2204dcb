// SPDX-License-Identifier: GPL-2.0-only
/*
 * Removal from the direct map is real: what is in secret pages and blocks cannot be found
 * through /proc/kcore, while what is in ordinary memory is; not on the other CPU either, which
 * has just read the same address and so has it in its TLB; and after they are closed it is
 * nowhere.
 *
 * The searcher keeps what it looks for, and what it reads, in secret memory: it would find
 * itself.
 */
#include "cpu.h"
#include "kcore.h"
#include "pattern.h"

#include <time.h>

/* In secret memory, all of it. */
static struct {
    char *secret, *ordinary; /* what to look for */
    char *buffer;
} held;

/* Made here: what /dev/urandom gives has passed through the kernel's own memory. */
static void make_pattern(char *at)
{
    static unsigned long seed;

    if (!seed)
        seed = (unsigned long)getpid() * 0x9e3779b97f4a7c15 + (unsigned long)time(NULL);
    fill(at, seed += 2);
}

static void search(long *secret, long *ordinary)
{
    char *patterns[] = {held.secret, held.ordinary};
    long found[2] = {0, 0};

    kcore_search(held.buffer, patterns, LENGTH, found, 2);
    *secret = found[0];
    *ordinary = found[1];
}

static void test_search(size_t size, unsigned flags, const char *what)
{
    char *area = size < BLOCK ? map_secret(size, flags) : map_blocks(size, flags, what);
    char *plain = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long secret, ordinary;

    make_pattern(held.secret);
    make_pattern(held.ordinary);
    for (size_t at = 0; at < size; at += PAGE)
        memcpy(area + at + 100, held.secret, LENGTH);
    memcpy(plain + 100, held.ordinary, LENGTH);
    search(&secret, &ordinary);
    tap_ok(ordinary >= 1, "%s: what is in ordinary memory is found", what);
    tap_ok(secret == 0, "%s: what is in secret memory is not (found: %ld)", what, secret);

    munmap(area, size);
    search(&secret, &ordinary);
    tap_ok(ordinary >= 1 && secret == 0, "%s: nor after it was unmapped (found: %ld)", what,
           secret);
    munmap(plain, PAGE);
}

/* Where secret memory has been; all of it is ordinary again. */
static unsigned long places[64];

/*
 * Has CPU 1 read every place where secret memory has been, takes some on CPU 0, and reads that
 * on CPU 1. True if it is in such a place, in a block if it could be: the address is one that
 * CPU 1 has just translated.
 */
static bool test_other_cpu_once(size_t size, unsigned round, bool *leaked)
{
    bool seen = false;
    long blocks = counter("blocks");

    run_on(1);
    for (unsigned i = 0; i < 64; i++)
        if (places[i] && !kcore_read(places[i], held.buffer, PAGE))
            tap_bail_out("physical memory at %#lx cannot be read", places[i]);
    run_on(0);
    char *area = map_secret(size, 0);
    memcpy(area, held.secret, LENGTH);
    unsigned long place = physical_address(area);
    bool whole = !patched || counter("blocks") - blocks == (long)(size / BLOCK);
    run_on(1);
    memset(held.buffer, 0, PAGE);
    kcore_read(place, held.buffer, PAGE);
    *leaked |= memcmp(held.buffer, held.secret, LENGTH) == 0;
    run_on(0);
    munmap(area, size);
    for (unsigned i = 0; i < 64; i++)
        seen |= places[i] == place;
    places[round % 64] = place;
    return seen && whole;
}

static void test_other_cpu(size_t size, const char *what)
{
    unsigned seen = 0, round;
    bool leaked = false;

    make_pattern(held.secret);
    for (round = 0; round < 400 && seen < 20; round++)
        seen += test_other_cpu_once(size, round, &leaked);
    tap_ok(seen == 20, "%s: 20 times where the other CPU had read (are: %u of %u)", what, seen,
           round);
    tap_ok(!leaked, "%s: the other CPU never reads the secret", what);
}

static void test_other_cpu_control(void)
{
    char *area = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    run_on(0);
    make_pattern(area);
    run_on(1);
    tap_ok(kcore_read(physical_address(area), held.buffer, PAGE) &&
               memcmp(held.buffer, area, LENGTH) == 0,
           "the other CPU reads ordinary memory");
    munmap(area, PAGE);
}

int main(int argc, char **argv)
{
    secret_start(argc, argv);
    set_memlock(RLIM_INFINITY);
    kcore_open();
    held.buffer = map_secret(KCORE_CHUNK + PAGE, 0);
    held.secret = held.buffer + KCORE_CHUNK;
    held.ordinary = held.secret + LENGTH;

    test_search(16 * PAGE, 0, "pages");
    test_search(4 * BLOCK, 0, "blocks");
    if (patched)
        test_search(2 * BLOCK, UNCACHED, "uncached blocks");
    test_other_cpu_control();
    test_other_cpu(PAGE, "a page");
    test_other_cpu(BLOCK, "2 MiB");
    return tap_finish();
}
