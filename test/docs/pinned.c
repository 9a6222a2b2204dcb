/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel must pin pages for, tried with ordinary and with secret memory: a line for
 * each. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

enum { PAGE = 4096 };

static const char *directory;

static void *secret_page(void)
{
    int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    void *page = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, PAGE) == 0)
        page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        perror("memfd_secret");
        exit(1);
    }
    return page;
}

static int answer(long result)
{
    return result < 0 ? errno : 0;
}

static int try_write(void *page)
{
    int ends[2];
    int error = pipe(ends) == 0 ? answer(write(ends[1], page, PAGE)) : errno;

    close(ends[0]);
    close(ends[1]);
    return error;
}

static int try_direct(void *page)
{
    char name[512];
    int fd, error;

    snprintf(name, sizeof(name), "%s/direct", directory);
    fd = open(name, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
    error = fd < 0 ? errno : answer(write(fd, page, PAGE));
    close(fd);
    return error;
}

static int try_vmsplice(void *page)
{
    struct iovec part = {page, PAGE};
    int ends[2];
    int error = pipe(ends) == 0 ? answer(vmsplice(ends[1], &part, 1, 0)) : errno;

    close(ends[0]);
    close(ends[1]);
    return error;
}

static int try_zerocopy(void *page)
{
    struct sockaddr_in here = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(here);
    int listener = socket(AF_INET, SOCK_STREAM, 0), sender = socket(AF_INET, SOCK_STREAM, 0);
    int one = 1, error = 0;

    if (bind(listener, (struct sockaddr *)&here, length) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&here, &length) != 0 ||
        connect(sender, (struct sockaddr *)&here, length) != 0 ||
        setsockopt(sender, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) != 0)
        error = errno;
    else
        error = answer(send(sender, page, PAGE, MSG_ZEROCOPY));
    close(listener);
    close(sender);
    return error;
}

static int try_io_uring(void *page)
{
    struct io_uring_params parameters = {0};
    struct iovec part = {page, PAGE};
    int ring = (int)syscall(SYS_io_uring_setup, 4, &parameters);
    int error =
        ring < 0
            ? errno
            : answer(syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &part, 1));

    close(ring);
    return error;
}

static int try_futex(void *page)
{
    return answer(syscall(SYS_futex, page, FUTEX_WAKE, 1, NULL, NULL, 0));
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*try)(void *page);
    } all[] = {{"write", try_write},       {"O_DIRECT", try_direct},
               {"vmsplice", try_vmsplice}, {"MSG_ZEROCOPY", try_zerocopy},
               {"io_uring", try_io_uring}, {"futex", try_futex}};
    void *ordinary = aligned_alloc(PAGE, PAGE), *secret = secret_page();

    directory = argc > 1 ? argv[1] : ".";
    memset(ordinary, 0, PAGE);
    memset(secret, 0, PAGE);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        int without = all[i].try(ordinary), with = all[i].try(secret);

        printf("%s: %s, %s\n", all[i].name, without ? strerrorname_np(without) : "0",
               with ? strerrorname_np(with) : "0");
    }
    return 0;
}
