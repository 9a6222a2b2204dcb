// SPDX-License-Identifier: GPL-2.0-only
/*
 * copy-cost: what fork() costs a process with 16 MiB live, in milliseconds, median of the
 * rounds: with nothing of it passed on, as ordinary memory, as SECRETMEM_COPY, and as secret
 * memory that the child copies itself, as the library does where the kernel does not. Run
 * without arguments.
 */
#include "../tests/secret.h"

#include <time.h>

#define SIZE   (16UL << 20)
#define ROUNDS 9
/* What takes a hundred times as long needs fewer. */
#define ROUNDS_BY_HAND 3

enum memory { NOTHING, ORDINARY, COPIED, BY_HAND, MEMORIES };
enum act { EXIT, EXEC, CHILD_READS, ACTS };

static const char *const memory_names[] = {"nothing live", "ordinary memory", "SECRETMEM_COPY",
                                           "copied by hand"};
static const char *const act_names[] = {"fork+_exit", "fork+exec", "child reads all"};
static const int rounds[] = {ROUNDS, ROUNDS, ROUNDS, ROUNDS_BY_HAND};
static char *areas[MEMORIES];
static char *self;

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static int ascending(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;

    return (a > b) - (a < b);
}

static void in_child(enum memory memory, enum act act)
{
    char *area = areas[memory];
    unsigned sum = 0;

    if (memory == BY_HAND)
        for (size_t at = 0; at < SIZE; at += BLOCK) {
            char *copy = map_plain(BLOCK, 0);
            for (size_t page = 0; page < BLOCK; page += PAGE)
                memcpy(copy + page, area + at + page, PAGE);
        }
    if (act == EXEC) {
        execl(self, self, "end", NULL);
        _exit(9);
    }
    if (act == CHILD_READS)
        for (size_t at = 0; area && at < SIZE; at += PAGE)
            sum += *(volatile char *)(area + at);
    _exit(sum == 1);
}

static double round_of(enum memory memory, enum act act)
{
    char *area = areas[memory];
    bool private = memory == ORDINARY || memory == COPIED;
    double start;
    int status;
    pid_t pid;

    if (private && madvise(area, SIZE, MADV_DOFORK) != 0)
        tap_bail_out("MADV_DOFORK: %s", strerror(errno));
    start = now();
    pid = fork();
    if (pid == 0)
        in_child(memory, act);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        tap_bail_out("a child failed");
    start = now() - start;
    if (private && madvise(area, SIZE, MADV_DONTFORK) != 0)
        tap_bail_out("MADV_DONTFORK: %s", strerror(errno));
    return start;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return 0;
    self = argv[0];
    set_memlock(RLIM_INFINITY);
    areas[ORDINARY] =
        mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(areas[ORDINARY], SIZE, MADV_NOHUGEPAGE);
    areas[COPIED] = map_plain(SIZE, COPY);
    areas[BY_HAND] = map_plain(SIZE, 0);
    for (int memory = ORDINARY; memory < MEMORIES; memory++)
        memset(areas[memory], 1, SIZE);
    madvise(areas[ORDINARY], SIZE, MADV_DONTFORK);
    madvise(areas[COPIED], SIZE, MADV_DONTFORK);

    for (int act = EXIT; act < ACTS; act++) {
        double times[MEMORIES][ROUNDS];
        /* One after the other in each round: the machine is not equally fast all the time. */
        for (int i = 0; i < ROUNDS; i++)
            for (int memory = 0; memory < MEMORIES; memory++)
                if (i < rounds[memory])
                    times[memory][i] = round_of((enum memory)memory, (enum act)act);
        for (int memory = 0; memory < MEMORIES; memory++) {
            qsort(times[memory], (size_t)rounds[memory], sizeof(double), ascending);
            printf("%-16s %-16s %8.1f ms (%.1f to %.1f)\n", act_names[act],
                   memory_names[memory], times[memory][rounds[memory] / 2], times[memory][0],
                   times[memory][rounds[memory] - 1]);
            fflush(stdout);
        }
    }
    return 0;
}
