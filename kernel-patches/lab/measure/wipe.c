// SPDX-License-Identifier: GPL-2.0-only
/*
 * wipe MODE SEED DISK: hibernates to a swap area with secret memory in use, which is to be
 * wiped (secretmem.hibernate=wipe), and says what there is afterwards. Secret memory is a
 * block, a page, an uncached page, a page that a child shares, and memory that two children
 * have a copy of; all have the pattern of SEED + 2, and a page of ordinary memory has that of
 * SEED.
 *
 * MODE is what becomes of it. wipe: first a refusal, then an image, and the machine ends; all
 * else is said in a later boot of it, by what is back from the image. fail: the image does not
 * fit into the swap area. core, devices and the like: the kernel's own test of that name ends
 * it before there is an image (/sys/power/pm_test). large: as wipe, with more than half of
 * memory secret. lost: memory that nobody could find to leave it out.
 *
 * The lines "wipe: WHAT NUMBER" go to the kernel's log, as the guest's other ports do not
 * survive an image, and the machine is powered off at the end.
 */
#include "wipe.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/reboot.h>
#include <sys/swap.h>

#define POLICY "/sys/module/secretmem/parameters/hibernate"
/* Of a guest that has 640 MiB. */
#define LARGE (400UL << 20)

struct area {
    const char *name;
    size_t size;
    unsigned flags;
    int fd;
    char *at;
};

static struct area areas[] = {
    {.name = "block", .size = BLOCK},
    {.name = "page", .size = PAGE},
    {.name = "uncached", .size = PAGE, .flags = UNCACHED},
    {.name = "shared", .size = PAGE},
};

#define AREAS  (sizeof(areas) / sizeof(areas[0]))
#define SHARED (&areas[3])

static char ordinary[PAGE] __attribute__((aligned(PAGE)));

static void make(struct area *area)
{
    area->fd = secret_file(area->size, area->flags);
    area->at = map_aligned(area->fd, area->size);
    ask_for_blocks(area->at, area->size);
    fill(area->at, seed + 2);
    fill(area->at + area->size - LENGTH, seed + 2);
}

/* -SIGNAL, or whether all that was written is there. */
static int content_of(const struct area *area)
{
    char expected[LENGTH];
    int number = signal_of(area->at);

    if (number == 0)
        number = signal_of(area->at + area->size - LENGTH);
    if (number != 0)
        return -number;
    fill(expected, seed + 2);
    return memcmp(area->at, expected, LENGTH) == 0 &&
           memcmp(area->at + area->size - LENGTH, expected, LENGTH) == 0;
}

static int events_of(int fd, int timeout)
{
    struct pollfd wait = {.fd = fd};

    return poll(&wait, 1, timeout) > 0 ? wait.revents : 0;
}

/* errno of a new mapping, or 0. */
static int error_of_mapping(int fd)
{
    char *again = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

    if (again == MAP_FAILED)
        return errno;
    munmap(again, PAGE);
    return 0;
}

/* Waits for the descriptor that both have, with nothing but poll(), and touches the page. */
static pid_t start_child(void)
{
    int ends[2];
    pid_t child;

    if (pipe(ends) != 0 || (child = fork()) < 0)
        tap_bail_out("fork: %s", strerror(errno));
    if (child == 0) {
        if (mlockall(MCL_CURRENT) != 0 || write(ends[1], "", 1) != 1)
            _exit(100);
        int events = events_of(SHARED->fd, 120000);
        _exit(events == POLLERR ? signal_of(SHARED->at) : 101);
    }
    await_child(ends, "the child did not start");
    return child;
}

static int hibernate(void)
{
    int fd = open("/sys/power/state", O_WRONLY | O_CLOEXEC);
    int error = fd < 0 || write(fd, "disk", 4) != 4 ? errno : 0;

    if (fd >= 0)
        close(fd);
    return error;
}

/* How many pages of secret memory a limit leaves, which are all of it if nothing is charged. */
static long room_of_limit(void)
{
    char *area = map_plain(128 * PAGE, 0);
    set_memlock(64 * PAGE);
    long had = (long)populate(area, 128);

    munmap(area, 128 * PAGE);
    return had;
}

static void look_at_new(void)
{
    struct area fresh[] = {{.size = BLOCK}, {.size = PAGE}};
    int good = 0;

    for (int i = 0; i < 2; i++) {
        make(&fresh[i]);
        good += content_of(&fresh[i]) == 1 && events_of(fresh[i].fd, 0) == 0;
    }
    say("new %d", good);
    say("newblocks %ld", counter("blocks"));
    for (int i = 0; i < 2; i++) {
        munmap(fresh[i].at, fresh[i].size);
        close(fresh[i].fd);
    }
}

static void look_at_old(pid_t child, bool wiped)
{
    char expected[LENGTH], path[64];

    fill(expected, seed);
    say("ordinary %d", memcmp(ordinary, expected, LENGTH) == 0);
    for (size_t i = 0; i < AREAS; i++) {
        say("%s %d", areas[i].name, content_of(&areas[i]));
        say("%s.mmap %d", areas[i].name, error_of_mapping(areas[i].fd));
        say("%s.poll %d", areas[i].name, events_of(areas[i].fd, 0));
        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", areas[i].fd);
        say("%s.wiped %ld", areas[i].name, proc_value(path, "secret-wiped"));
    }
    say("child %d", end_of_child(child, wiped));
    /* What the wiped files have is theirs until they end. */
    say("held %ld", counter("blocks") * 512 + counter("pages"));
    look_at_copies();
}

static void close_all(void)
{
    for (size_t i = 0; i < AREAS; i++) {
        munmap(areas[i].at, areas[i].size);
        close(areas[i].fd);
    }
}

static void look_at_rest(void)
{
    say("left %ld", counter("blocks") + counter("pages") + counter("lost"));
    look_at_new();
    say("room %ld", room_of_limit());
    say("leftagain %ld", counter("blocks") + counter("pages") + counter("lost"));
    write_text(POLICY, "refuse");
    say("offered %d", hibernation_on_offer());
    say("tainted %ld", read_number("/proc/sys/kernel/tainted"));
}

/* A page of a process that ends after the hardware has given it up. */
static void lose_a_page(void)
{
    unsigned long place = 0;
    int ends[2], status;
    pid_t child;

    if (pipe(ends) != 0 || (child = fork()) < 0)
        tap_bail_out("fork: %s", strerror(errno));
    if (child == 0) {
        char *page = map_plain(PAGE, 0);
        page[0] = 1;
        place = physical_address(page);
        if (write(ends[1], &place, sizeof(place)) != sizeof(place))
            _exit(1);
        for (;;)
            pause();
    }
    if (read(ends[0], &place, sizeof(place)) != sizeof(place) || place == 0)
        tap_bail_out("the page of a child cannot be found");
    poison(place);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    say("lost %ld", counter("lost"));
}

static void prepare(const char *mode, const char *disk)
{
    fill(ordinary, seed);
    /* Refused once there is secret memory. */
    write_text("/sys/power/disk", "shutdown");
    for (size_t i = 0; i < AREAS; i++)
        make(&areas[i]);
    make_copies();
    if (strcmp(mode, "large") == 0) {
        char *much = map_secret(LARGE, 0);
        say("large %d", populate(much, LARGE / PAGE) == LARGE / PAGE);
    }
    if (strcmp(mode, "lost") == 0)
        lose_a_page();
    say("blocks %ld", counter("blocks"));
    if (swapon(disk, 0) != 0 || mlockall(MCL_CURRENT) != 0)
        tap_bail_out("swapon %s: %s", disk, strerror(errno));
    if (strcmp(mode, "wipe") == 0)
        say("refused %d", hibernate());
    write_text(POLICY, "wipe");
}

int main(int argc, char **argv)
{
    messages = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
    if (argc != 4 || messages < 0)
        tap_bail_out("usage: wipe MODE SEED DISK");
    const char *mode = argv[1];
    bool wiped = strcmp(mode, "wipe") == 0 || strcmp(mode, "large") == 0;
    seed = strtoul(argv[2], NULL, 10);
    patched = true;
    set_memlock(RLIM_INFINITY);
    signal(SIGBUS, on_signal);
    prepare(mode, argv[3]);
    if (!wiped && strcmp(mode, "fail") != 0 && strcmp(mode, "lost") != 0)
        write_text("/sys/power/pm_test", mode);
    pid_t child = start_child();

    /* The end of the first boot, if an image is made and written. */
    int error = hibernate();
    say("back %d", error);
    look_at_old(child, wiped);
    if (strcmp(mode, "large") != 0) {
        close_all();
        look_at_rest();
    }
    say("end 0");
    reboot(RB_POWER_OFF);
    return 1;
}
