// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fork bombs in a cgroup, every process of which touches secret memory: until the limit of
 * processes has refused hundreds of forks, and that of locked memory hundreds of touches; or
 * until the limit of the cgroup's memory has had many killed, which may keep the others from
 * ever being as many as the first limit. Then all of it is killed, and all memory is back.
 */
#include "memory.h"

#include <sys/stat.h>

#define CGROUP  "/sys/fs/cgroup/lab-forks"
#define SECONDS 60

struct bomb {
    const char *what, *memory_max;
    unsigned long memlock;
    bool by_memory; /* which of the two limits is the one that is met */
};

/* What all of a bomb's processes count. */
struct tally {
    unsigned long started, refused, touched, short_of;
};

static struct tally *tally;
/* As many at a time; a kernel that checks itself takes ten times as long for each. */
static unsigned long processes = 300;

static void count(unsigned long *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* Memory that stays: a file of one page, of some, or of a block. */
static void touch_some(unsigned long number)
{
    size_t size = number % 4 == 0 ? BLOCK : number % 4 * PAGE;
    int fd = memfd_secret(0);
    char *area = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, (off_t)size) == 0)
        area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    if (area != MAP_FAILED)
        ask_for_blocks(area, size);
    size_t wanted = size / PAGE < 8 ? size / PAGE : 8;
    count(area != MAP_FAILED && populate(area, wanted) == wanted ? &tally->touched
                                                                 : &tally->short_of);
}

/* Each child does as its parent does. */
static __attribute__((noreturn)) void explode(char *inherited)
{
    for (;;) {
        pid_t child = fork();
        if (child == 0)
            count(&tally->started);
        if (child < 0) {
            count(&tally->refused);
            usleep(20000);
        }
        populate(inherited, 4);
        touch_some(tally->started + (unsigned long)getpid());
    }
}

static bool has_refused(const struct bomb *bomb)
{
    return bomb->by_memory || tally->refused >= processes;
}

static bool has_happened(const struct bomb *bomb)
{
    bool full = bomb->by_memory ? proc_value(CGROUP "/memory.events", "oom_kill") >= 20
                                : tally->short_of >= processes / 3;

    return full && tally->started >= processes && has_refused(bomb) &&
           tally->touched >= processes;
}

static void light(const struct bomb *bomb)
{
    char *inherited = map_secret(BLOCK, 0), number[16];
    pid_t child = fork();

    if (child < 0)
        tap_bail_out("fork: %s", strerror(errno));
    if (child == 0) {
        set_memlock(bomb->memlock);
        write_text(CGROUP "/cgroup.procs", "0");
        count(&tally->started);
        explode(inherited);
    }
    munmap(inherited, BLOCK);
    for (int i = 0; i < SECONDS * 10 && !has_happened(bomb); i++)
        usleep(100000);
    write_text(CGROUP "/cgroup.kill", "1");
    if (waitpid(child, NULL, 0) != child)
        tap_bail_out("waitpid: %s", strerror(errno));
    for (int i = 0; i < SECONDS * 10 && proc_value(CGROUP "/cgroup.events", "populated"); i++)
        usleep(100000);
    snprintf(number, sizeof(number), "%ld", proc_value(CGROUP "/memory.events", "oom_kill"));
    tap_ok(tally->started >= processes && has_refused(bomb),
           "%s: %lu processes, %lu forks refused", bomb->what, tally->started, tally->refused);
    tap_ok(tally->touched >= processes && has_happened(bomb),
           "%lu had their secret memory, %lu did not, %s were killed for the cgroup's limit",
           tally->touched, tally->short_of, number);
}

static void run_bomb(const struct bomb *bomb)
{
    char text[24];

    memset(tally, 0, sizeof(*tally));
    if (mkdir(CGROUP, 0755) != 0)
        tap_bail_out("mkdir %s: %s", CGROUP, strerror(errno));
    snprintf(text, sizeof(text), "%lu", processes);
    write_text(CGROUP "/pids.max", text);
    write_text(CGROUP "/memory.max", bomb->memory_max);
    light(bomb);
    tap_ok(rmdir(CGROUP) == 0, "nothing is left of it");
    if (patched)
        tap_ok(counter("blocks") == 0 && counter("pages") == 0 && counter("lost") == 0,
               "no block or page is in use or lost");
}

static void run_all(void)
{
    static const struct bomb bombs[] = {
        {"under RLIMIT_MEMLOCK", "512M", 32UL << 20, false},
        {"under memory.max", "96M", RLIM_INFINITY, true},
    };

    for (size_t i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++)
        run_bomb(&bombs[i]);
}

int main(int argc, char **argv)
{
    secret_start(argc, argv);
    set_memlock(RLIM_INFINITY);
    if (access("/sys/kernel/debug/kmemleak", F_OK) == 0)
        processes = 100;
    /* Thousands of lines about processes: the log is to be read afterwards. */
    write_text("/proc/sys/vm/oom_dump_tasks", "0");
    tally = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tally == MAP_FAILED)
        tap_bail_out("mmap: %s", strerror(errno));

    run_all();
    long before = settled_free_kib();
    run_all();
    long after = settled_free_kib(), missing = before - after;
    /* Each run loses what is leaked; what a kernel's own caches keep is missing once. */
    if (missing > LEAK_KIB) {
        printf("# %ld KiB are missing after it: a third one\n", missing);
        run_all();
        missing = after - settled_free_kib();
    }
    tap_ok(missing <= LEAK_KIB, "no memory is gone after another run (%ld KiB)", missing);
    tap_ok(read_number("/proc/sys/kernel/tainted") == 0, "the kernel has found nothing wrong");
    return tap_finish();
}
