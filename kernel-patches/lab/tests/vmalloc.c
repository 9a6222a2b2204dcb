// SPDX-License-Identifier: GPL-2.0-only
/*
 * While secret memory is made uncached the kernel has an alias of it among vmalloc's areas. Who
 * reads these through /proc/kcore at that moment must not have the kernel look for the memory
 * in the direct map, where it is not any more: that is an oops, which ends the guest.
 *
 * There is nothing to see of it but that: what is read is zero either way. On 6.12 such a read
 * is only tried until the alias has gone, and passes here.
 */
#include "kcore.h"

#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#define PLACES  16
#define READ    (16 * PAGE) /* at most, of one area */
#define REPEATS 64          /* reads of each place for one look at the list */

/* A hundred touches or more, in emulation; a busy machine is given longer for a few. */
#define SECONDS      3
#define MOST_SECONDS 60
#define TOUCHES      20

struct area {
    unsigned long start, size;
};

/* What the reader has done; shared with it. */
static struct {
    long seen, reads, failed;
} *done;

/* Where aliases have been: the next ones are at the same places, the lowest that are free. */
static struct area places[PLACES];
static unsigned place_count;

static char buffer[READ];

/* The next of the kernel's areas that is of this kind, without the page behind it. */
static bool next_area(FILE *list, const char *kind, struct area *area)
{
    unsigned long end;
    char line[512];

    while (fgets(line, sizeof(line), list))
        if (strstr(line, kind) && sscanf(line, "0x%lx-0x%lx", &area->start, &end) == 2) {
            area->size = end - area->start - PAGE;
            return true;
        }
    return false;
}

static FILE *open_list(void)
{
    FILE *list = fopen("/proc/vmallocinfo", "re");

    if (!list)
        tap_bail_out("/proc/vmallocinfo: %s", strerror(errno));
    return list;
}

static void add_place(const struct area *area)
{
    for (unsigned i = 0; i < PLACES; i++)
        if (places[i].start == area->start && places[i].size == area->size)
            return;
    places[place_count++ % PLACES] = *area;
}

static void find_places(void)
{
    FILE *list = open_list();
    struct area area;

    while (next_area(list, " secretmem_", &area)) {
        done->seen++;
        add_place(&area);
    }
    fclose(list);
}

static void read_places(void)
{
    for (unsigned i = 0; i < PLACES && places[i].start; i++) {
        size_t size = places[i].size < READ ? places[i].size : READ;
        if (kcore_read_vmalloc(places[i].start, buffer, size))
            done->reads++;
        else
            done->failed++;
    }
}

static pid_t start_reader(void)
{
    pid_t child = fork();

    if (child < 0)
        tap_bail_out("fork: %s", strerror(errno));
    if (child > 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        find_places();
        for (int i = 0; i < REPEATS; i++)
            read_places();
    }
}

static long seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* Takes secret memory and gives it back, again and again; answers how often all was there. */
static long touch(size_t size, unsigned flags, long *blocks)
{
    long begin = seconds(), count = 0;

    for (;;) {
        long passed = seconds() - begin;
        bool enough = !patched || (done->reads > 0 && count >= TOUCHES);
        if (passed > MOST_SECONDS || (passed > SECONDS && enough))
            return count;
        char *area = map_secret(size, flags);
        count += populate(area, size / PAGE) == size / PAGE;
        *blocks += patched && counter("blocks") > 0;
        munmap(area, size);
    }
}

static void test_reader(size_t size, const char *what)
{
    long blocks = 0;
    int status;

    memset(done, 0, sizeof(*done));
    pid_t reader = start_reader();
    long count = touch(size, patched ? UNCACHED : 0, &blocks);
    bool alive = waitpid(reader, &status, WNOHANG) == 0;
    kill(reader, SIGKILL);
    waitpid(reader, &status, 0);

    tap_ok(count > 0, "%s: there was secret memory to be had meanwhile (%ld times)", what,
           count);
    if (patched && size >= BLOCK)
        tap_ok(blocks > 0, "%s: it was in blocks (%ld times)", what, blocks);
    if (patched)
        tap_ok(alive && done->reads > 0 && done->failed == 0,
               "%s: the reader has read where aliases were (met: %ld, reads: %ld, failed: %ld)",
               what, done->seen, done->reads, done->failed);
    else
        tap_ok(alive && done->seen == 0, "%s: there are no aliases", what);
    tap_ok(read_number("/proc/sys/kernel/tainted") == 0,
           "%s: the kernel has found nothing wrong", what);
}

/* That reading works at all: an ordinary area has something in it. */
static void test_control(void)
{
    FILE *list = open_list();
    long areas = 0, full = 0;
    struct area area;

    while (next_area(list, " vmalloc", &area)) {
        static const char zero[PAGE];
        areas++;
        full += kcore_read_vmalloc(area.start, buffer, PAGE) && memcmp(buffer, zero, PAGE) != 0;
    }
    fclose(list);
    tap_ok(full > 0, "what is in ordinary areas of vmalloc can be read (%ld of %ld)", full,
           areas);
}

int main(int argc, char **argv)
{
    static const char restriction[] = "/proc/sys/kernel/kptr_restrict";
    char before[32];

    secret_start(argc, argv);
    set_memlock(RLIM_INFINITY);
    kcore_open();
    done = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!kcore_vmalloc.size || done == MAP_FAILED)
        tap_bail_out("/proc/kcore: no vmalloc in it, or no memory");
    /* With 1 root is shown addresses; with 0 they are hashes. */
    snprintf(before, sizeof(before), "%ld", read_number(restriction));
    write_text(restriction, "1");

    test_control();
    test_reader(16 * PAGE, "pages");
    test_reader(BLOCK, "blocks");
    write_text(restriction, before);
    return tap_finish();
}
