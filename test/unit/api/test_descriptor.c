/* SPDX-License-Identifier: Apache-2.0 */
/* Secret memory that goes to other processes by descriptor. */
#include "api.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static int pair[2];

static void pair_up(void)
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
}

/* How many mappings of this process are of secret memory. */
static int secret_mappings(void)
{
    char line[512];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");

    while (fgets(line, sizeof(line), maps))
        count += strstr(line, "/secretmem") != NULL;
    fclose(maps);
    return count;
}

Test(descriptor, map)
{
    int fd = secretmem_fd_create(5000);
    size_t size = 0;
    char *p, *q;

    cr_assert_geq(fd, 0);
    cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    cr_assert_eq(secret_mappings(), 0);
    p = secretmem_fd_map(fd, &size);
    cr_assert_not_null(p);
    cr_assert_eq(size % 4096, 0);
    cr_assert_geq(size, 5000);
    for (size_t i = 0; i < size; i++)
        cr_assert_eq(p[i], 0);
    memset(p, 7, size);
    cr_assert_eq(secretmem_contains(p + size - 1), 1);
    cr_assert_not(seen_from_outside(p));
    q = secretmem_fd_map(fd, NULL);
    cr_assert_neq(p, q);
    cr_assert_eq(q[4999], 7, "the same memory, and mapping it changes nothing");
    cr_assert_eq(q[0], 7);
    cr_assert_eq(q[4096], 7);
    close(fd);
    cr_assert_eq(secretmem_fd_unmap(p), 0);
    cr_assert_eq(secretmem_contains(p), 0);
    cr_assert_not(readable(p));
    cr_assert_eq(secretmem_fd_unmap(p), -1, "twice");
    cr_assert_eq(errno, EINVAL);
    cr_assert_eq(secretmem_fd_unmap(q + 4096), -1);
    cr_assert_eq(secretmem_fd_unmap(NULL), 0);
    cr_assert_eq(secretmem_fd_unmap(q), 0);
    cr_assert_eq(secret_mappings(), 0);
}

static void sender(void *arg)
{
    int fd = secretmem_fd_create(100);
    char *p = secretmem_fd_map(fd, NULL);

    (void)arg;
    EXPECT(p != NULL);
    strcpy(p, "from another process");
    EXPECT(secretmem_fd_send(pair[1], fd) == 0);
}

/* One process fills it, this one passes it on, and another one reads it. */
static void reader(void *arg)
{
    int fd = secretmem_fd_receive(*(int *)arg);
    char *p = secretmem_fd_map(fd, NULL);

    EXPECT(p && strcmp(p, "from another process") == 0);
    EXPECT(!seen_from_outside(p));
}

static int onward[2];

static void reads_or_not(void *arg)
{
    reader(arg);
}

Test(descriptor, passed_on)
{
    int fd;

    pair_up();
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, onward), 0);
    cr_assert_eq(child_of(sender, NULL), 0);
    fd = secretmem_fd_receive(pair[0]);
    cr_assert_geq(fd, 0);
    cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    cr_assert_eq(secret_mappings(), 0, "never mapped here");
    cr_assert_eq(secretmem_fd_send(onward[0], fd), 0);
    close(fd);
    cr_assert_eq(child_of(reads_or_not, &onward[1]), 0);
    cr_assert_eq(secret_mappings(), 0);
}

static void child_without(void *arg)
{
    EXPECT(!readable(arg));
    EXPECT(secretmem_contains(arg) == 0);
    EXPECT(secretmem_fd_unmap(arg) == 0);
}

Test(descriptor, fork)
{
    char *p = secretmem_fd_map(secretmem_fd_create(100), NULL);

    strcpy(p, "the parent's");
    cr_assert_eq(child_of(child_without, p), 0);
    cr_assert_str_eq(p, "the parent's");
}

static void send_raw(int socket, const int *fds, size_t count)
{
    char byte = 0, room[CMSG_SPACE(16 * sizeof(int))] = {0};
    struct iovec bytes = {&byte, 1};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = room};
    struct cmsghdr *header = (struct cmsghdr *)room;

    if (count) {
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    }
    cr_assert_eq(sendmsg(socket, &message, 0), 1);
}

static int descriptors_open(void)
{
    int count = 0;

    for (int fd = 0; fd < 200; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void check_refused(int error)
{
    int before = descriptors_open();

    errno = 0;
    cr_assert_eq(secretmem_fd_receive(pair[0]), -1);
    cr_assert_eq(errno, error);
    cr_assert_eq(descriptors_open(), before, "what came is closed");
}

Test(descriptor, peer_sends_something_else)
{
    int ordinary = open("/dev/zero", O_RDWR), shared = (int)syscall(SYS_memfd_create, "m", 0);
    int fds[16];

    pair_up();
    for (int i = 0; i < 16; i++)
        fds[i] = secretmem_fd_create(1);
    send_raw(pair[1], &ordinary, 1);
    check_refused(EINVAL);
    send_raw(pair[1], &shared, 1);
    check_refused(EINVAL);
    send_raw(pair[1], NULL, 0);
    check_refused(EPROTO);
    for (size_t count = 2; count <= 16; count++) {
        send_raw(pair[1], fds, count);
        check_refused(EPROTO);
    }
    close(pair[1]);
    check_refused(ECONNRESET);
}

Test(descriptor, mistakes)
{
    int ordinary = open("/dev/zero", O_RDWR);
    int unsized = (int)syscall(SYS_memfd_secret, 0);
    struct rlimit limit = {4096, 8192};

    pair_up();
    cr_assert_eq(secretmem_fd_create(0), -1);
    cr_assert_eq(errno, EINVAL);
    cr_assert_eq(secretmem_fd_create(((size_t)1 << 40) + 1), -1);
    cr_assert_eq(errno, EINVAL);
    cr_assert_null(secretmem_fd_map(ordinary, NULL));
    cr_assert_eq(errno, EINVAL);
    cr_assert_null(secretmem_fd_map(unsized, NULL), "of no size yet");
    cr_assert_eq(errno, EINVAL);
    cr_assert_null(secretmem_fd_map(-1, NULL));
    cr_assert_eq(errno, EBADF);
    cr_assert_eq(secretmem_fd_send(pair[1], ordinary), -1);
    cr_assert_eq(errno, EINVAL);
    cr_assert_eq(secretmem_fd_unmap(&limit), -1);
    cr_assert_eq(errno, EINVAL);
    close(pair[0]);
    cr_assert_eq(secretmem_fd_send(pair[1], secretmem_fd_create(1)), -1, "and no SIGPIPE");
    cr_assert_eq(errno, EPIPE);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_eq(secretmem_fd_create(100000), -1, "and no SIGXFSZ");
    cr_assert_eq(errno, EFBIG);
}

/* At the limit: an error, no SIGBUS, and nothing that stays taken. */
Test(descriptor, limit)
{
    int large, small;
    char *p;

    become_limited();
    large = secretmem_fd_create(131072);
    small = secretmem_fd_create(16384);
    for (int i = 0; i < 50; i++) {
        errno = 0;
        cr_assert_null(secretmem_fd_map(large, NULL));
        cr_assert_eq(errno, ENOMEM);
    }
    close(large);
    p = secretmem_fd_map(small, NULL);
    cr_assert_not_null(p);
    memset(p, 1, 16384);
}

Test(descriptor, refused)
{
    refuse_call(SYS_memfd_secret);
    cr_assert_eq(secretmem_fd_create(1), -1);
    cr_assert_eq(errno, EPERM);
}

static int answers[2];

static void holds_open(void *arg)
{
    int fd = secretmem_fd_create(100);
    char byte, *p = secretmem_fd_map(fd, NULL);

    EXPECT(p != NULL);
    strcpy(p, "left open");
    if (arg)
        close(fd);
    EXPECT(write(pair[1], &fd, sizeof(fd)) == sizeof(fd));
    EXPECT(read(answers[0], &byte, 1) == 1);
}

/* What root can do while a descriptor is open, and cannot once it is closed. */
static void check_taken(bool closed)
{
    int fd, taken, status, process;
    pid_t pid;

    pair_up();
    cr_assert_eq(pipe(answers), 0);
    pid = fork();
    if (pid == 0) {
        holds_open(closed ? answers : NULL);
        _exit(0);
    }
    cr_assert_eq(read(pair[0], &fd, sizeof(fd)), (ssize_t)sizeof(fd));
    process = (int)syscall(SYS_pidfd_open, pid, 0);
    taken = (int)syscall(SYS_pidfd_getfd, process, fd, 0);
    if (closed) {
        cr_assert_eq(taken, -1);
        cr_assert_eq(errno, EBADF);
    } else {
        cr_assert_str_eq(secretmem_fd_map(taken, NULL), "left open");
    }
    cr_assert_eq(write(answers[1], "x", 1), 1);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
}

Test(descriptor, taken_while_open)
{
    check_taken(false);
}

Test(descriptor, not_taken_when_closed)
{
    check_taken(true);
}

Test(descriptor, freed_as_a_block, .signal = SIGABRT)
{
    secretmem_free(secretmem_fd_map(secretmem_fd_create(1), NULL));
}
