// SPDX-License-Identifier: GPL-2.0-only
/*
 * wipe DISK SEED: hibernates to a swap area on the disk with secret memory in use, which is to
 * be wiped (secretmem.hibernate=wipe), and says what there is when the machine is back from the
 * image. Before: a page and a block of secret memory and a page of ordinary memory, each with a
 * pattern. The lines "wipe: WHAT NUMBER" go to the console, as the guest's other ports do not
 * survive an image; then the machine is powered off.
 */
#include "../lab/tests/secret.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/reboot.h>
#include <sys/swap.h>
#include <termios.h>

#define LENGTH 512
#define POLICY "/sys/module/secretmem/parameters/hibernate"

static int console;
static sigjmp_buf back;

/* xorshift64, as check has it: what it makes is in no other place. */
static void fill(char *at, unsigned long state)
{
    for (size_t i = 0; i < LENGTH; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        at[i] = (char)(state >> 24);
    }
}

static __attribute__((format(printf, 1, 2))) void say(const char *text, ...)
{
    char line[128];
    va_list list;

    va_start(list, text);
    int length = vsnprintf(line, sizeof(line), text, list);
    va_end(list);
    if (dprintf(console, "\nwipe: %.*s\n", length, line) < 0)
        _exit(1);
    tcdrain(console);
}

static void on_signal(int number)
{
    siglongjmp(back, number);
}

/* The signal that a read of a page raises, or 0. */
static int signal_of(const char *page)
{
    int number = sigsetjmp(back, 1);

    if (number == 0)
        (void)*(const volatile char *)page;
    return number;
}

static char *map_file(int *fd, size_t size)
{
    *fd = secret_file(size, 0);
    char *area = map_aligned(*fd, size);

    ask_for_blocks(area, size);
    return area;
}

static int hibernate(void)
{
    int fd = open("/sys/power/state", O_WRONLY | O_CLOEXEC);
    int error = fd < 0 || write(fd, "disk", 4) != 4 ? errno : 0;

    close(fd);
    return error;
}

static void look(char *block, char *page, int fd)
{
    struct pollfd wait = {.fd = fd};
    char *again = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

    say("mmap %d", again == MAP_FAILED ? errno : 0);
    say("poll %d", poll(&wait, 1, 0) == 1 ? wait.revents : 0);
    say("block %d", signal_of(block));
    say("blockend %d", signal_of(block + BLOCK - PAGE));
    say("page %d", signal_of(page));
}

int main(int argc, char **argv)
{
    static char ordinary[2 * PAGE], expected[LENGTH];
    int block_fd, page_fd;

    console = open("/dev/ttyS0", O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (argc != 3 || console < 0)
        tap_bail_out("usage: wipe DISK SEED");
    unsigned long seed = strtoul(argv[2], NULL, 10);
    patched = true;
    set_memlock(RLIM_INFINITY);
    signal(SIGBUS, on_signal);
    fill(ordinary, seed);
    char *block = map_file(&block_fd, BLOCK), *page = map_file(&page_fd, PAGE);
    fill(block, seed + 2);
    fill(block + BLOCK - PAGE, seed + 2);
    fill(page, seed + 2);
    if (swapon(argv[1], 0) != 0 || mlockall(MCL_CURRENT) != 0)
        tap_bail_out("swapon %s: %s", argv[1], strerror(errno));
    say("blocks %ld", counter("blocks"));
    write_text("/sys/power/disk", "shutdown");
    say("refused %d", hibernate());
    write_text(POLICY, "wipe");
    int error = hibernate();

    /* In the first boot only if no image was made. */
    say("back %d", error);
    fill(expected, seed);
    say("ordinary %d", memcmp(ordinary, expected, LENGTH) == 0);
    look(block, page, page_fd);
    char *fresh = map_plain(PAGE, 0);
    say("fresh %d", signal_of(fresh));
    munmap(fresh, PAGE);
    munmap(block, BLOCK);
    munmap(page, PAGE);
    close(block_fd);
    close(page_fd);
    say("left %ld", counter("blocks") + counter("pages") + counter("lost"));
    say("tainted %ld", read_number("/proc/sys/kernel/tainted"));
    say("end 0");
    reboot(RB_POWER_OFF);
    return 1;
}
