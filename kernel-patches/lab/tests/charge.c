// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a copy of SECRETMEM_COPY is charged to, and what a memcg's limit does: who touches a
 * page pays for it, and who writes pays for the page that its child is given. At the limit of
 * a child's memcg that child is ended, as for any memory. A parent at its limit goes on, and
 * its child lacks what it could not be given. Memory that is shared is charged once.
 */
#include "children.h"

#include <sys/klog.h>
#include <sys/stat.h>

#define CGROUP "/sys/fs/cgroup/lab-charge"
#define PARENT CGROUP "/parent"
#define CHILD  CGROUP "/child"
#define AREA   (16UL << 20)
#define NUMBER (AREA / PAGE)

static long event(const char *group, const char *name)
{
    char path[128];
    long value;

    snprintf(path, sizeof(path), "%s/memory.events", group);
    value = proc_value(path, name);
    if (value < 0)
        tap_bail_out("%s has no %s", path, name);
    return value;
}

static long charged_kib(const char *group)
{
    char path[128];
    long bytes;

    snprintf(path, sizeof(path), "%s/memory.current", group);
    bytes = read_number(path);
    if (bytes < 0)
        tap_bail_out("%s: %s", path, strerror(errno));
    return bytes >> 10;
}

static int times_in_log(const char *text)
{
    static char log[1 << 18];
    int count = 0, length = klogctl(3 /* read all */, log, sizeof(log) - 1);

    if (length < 0)
        tap_bail_out("the kernel's log: %s", strerror(errno));
    log[length] = '\0';
    for (const char *at = log; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

static void make_groups(const char *of_parent, const char *of_child)
{
    if (mkdir(CGROUP, 0755) != 0)
        tap_bail_out("mkdir %s: %s", CGROUP, strerror(errno));
    write_text(CGROUP "/cgroup.subtree_control", "+memory");
    if (mkdir(PARENT, 0755) != 0 || mkdir(CHILD, 0755) != 0)
        tap_bail_out("mkdir in %s: %s", CGROUP, strerror(errno));
    write_text(PARENT "/memory.max", of_parent);
    write_text(CHILD "/memory.max", of_child);
}

/* What is left is less than a part of the memory that was charged: the kernel's own. */
static void remove_groups(const char *what)
{
    long left = -1, of_parent = 0, of_child = 0;

    for (int tries = 50; tries > 0; tries--) {
        left = counter("pages");
        of_parent = charged_kib(PARENT);
        of_child = charged_kib(CHILD);
        if (left <= 0 && of_parent < 1024 && of_child < 1024)
            break;
        usleep(100000);
    }
    tap_ok(left == (patched ? 0 : -1) && of_parent < 1024 && of_child < 1024,
           "%s: afterwards no page is in use, and none is charged (%ld and %ld KiB)", what,
           of_parent, of_child);
    if (rmdir(CHILD) != 0 || rmdir(PARENT) != 0 || rmdir(CGROUP) != 0)
        tap_bail_out("rmdir in %s: %s", CGROUP, strerror(errno));
}

static char *filled_area(void)
{
    char *area;

    write_text(PARENT "/cgroup.procs", "0");
    area = map_plain(AREA, flag);
    fill(area, NUMBER, 1);
    return area;
}

/* A child of its own memcg touches all of its parent's memory. */
static pid_t toucher(char *area)
{
    pid_t pid = child();

    if (pid == 0) {
        write_text(CHILD "/cgroup.procs", "0");
        board->found = populate(area, NUMBER) == NUMBER && is_filled(area, NUMBER, 1);
        board->pages = charged_kib(CHILD) * 1024 / (long)PAGE;
        board->of_parent = charged_kib(PARENT);
        _exit(0);
    }
    return pid;
}

static int touched(const void *unused)
{
    char *area = filled_area();
    long before = charged_kib(PARENT);
    int status = status_of(toucher(area));

    (void)unused;
    tap_ok(status == 0 && board->found, "a child touches all of its parent's memory (%d)",
           status);
    private_ok(board->pages >= (long)NUMBER, "its copy is charged to the memcg that it is in");
    tap_ok(board->of_parent <= before + 1024,
           "and nothing of it to that of its parent (%ld KiB, of %ld)", board->of_parent,
           before);
    return 0;
}

/* A child that is too large for its memcg. */
static int too_much(const void *unused)
{
    char *area = filled_area();
    int status = status_of(toucher(area));

    (void)unused;
    private_ok(status == 128 + SIGKILL && event(CHILD, "oom_kill") == 1,
               "a child that its memcg has no room for is ended there");
    tap_ok(event(PARENT, "oom_kill") == 0 && is_filled(area, NUMBER, 1),
           "its parent has lost nothing");
    return 0;
}

/* What a child has of its parent's memory once that was overwritten. */
static int reader_at_limit(char *area)
{
    write_text(CHILD "/cgroup.procs", "0");
    go_on(1);
    wait_for(2);
    board->pages = (long)populate(area, NUMBER);
    board->found = is_filled(area, (size_t)board->pages, 1);
    /* Nor is there any page behind the first that is missing. */
    for (size_t i = (size_t)board->pages; i < NUMBER; i++)
        board->found &= populate(area + i * PAGE, 1) == 0;
    /* SIGBUS, if there is nothing. */
    if (board->pages < (long)NUMBER)
        area[board->pages * (long)PAGE] = 1;
    return 0;
}

/* A parent without room for what its child is to be given. */
static int writer_at_limit(const void *unused)
{
    static const char line[] = "secretmem: a copy lacks a page";
    int status, before = times_in_log(line);
    char *area = filled_area();
    pid_t pid = child();

    (void)unused;
    if (pid == 0)
        _exit(reader_at_limit(area));
    wait_for(1);
    fill(area, NUMBER, 60);
    go_on(2);
    status = status_of(pid);
    tap_ok(is_filled(area, NUMBER, 60) && event(PARENT, "oom_kill") == 0,
           "a parent at the limit of its memcg writes, and nobody is killed");
    private_ok(board->found && board->pages > 256 && board->pages < (long)NUMBER,
               "its child was given what there was room for, as it was at the fork");
    private_ok(status == 128 + SIGBUS, "it has SIGBUS for the rest");
    printf("# the child had %ld of %lu pages\n", board->pages, NUMBER);
    private_ok(event(PARENT, "max") > 0 && times_in_log(line) == before + 1,
               "that limit was reached, and a line in the log says so");
    return 0;
}

static void run(int (*test)(const void *), const char *of_parent, const char *of_child,
                const char *what)
{
    board->stage = board->found = 0;
    board->pages = 0;
    make_groups(of_parent, of_child);
    run_in_child(test, NULL);
    remove_groups(what);
}

int main(int argc, char **argv)
{
    secret_start(argc, argv);
    set_memlock(RLIM_INFINITY);
    board = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    flag = patched ? COPY : 0;
    run(touched, "max", "max", "no limit");
    run(too_much, "max", "8M", "a child's limit");
    run(writer_at_limit, "24M", "max", "a parent's limit");
    return tap_finish();
}
