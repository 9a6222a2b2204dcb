/* SPDX-License-Identifier: Apache-2.0 */
/* A libcrypto that would give a connection's keys to the kernel. Not every kernel takes them:
 * it is asked with a descriptor that there is not, so that it tells whether it was asked at
 * all.
 *
 *   ktls KIND served|left_alone */
#include "common.h"
#include "library.h"

#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LEVEL_TLS = 282, SEND = 1, RECEIVE = 2, NONE = -1 };

typedef int option_fn(int, int, int, const void *, unsigned);

static const char keys[40];

/* errno; 0: it worked */
static int result(option_fn *set, int fd, int level, int name, const void *value, unsigned size)
{
    errno = 0;
    return set(fd, level, name, value, size) == 0 ? 0 : errno;
}

static int direct(int fd, int level, int name, const void *value, unsigned size)
{
    return setsockopt(fd, level, name, value, size);
}

static void by(const char *library, int answer)
{
    option_fn *set =
        (option_fn *)symbol(opened(beside(library), RTLD_NOW | RTLD_LOCAL), "fake_option");
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0), got;

    if (fd < 0)
        broken("socket");
    got = result(set, NONE, LEVEL_TLS, SEND, keys, sizeof(keys));
    check(got == answer, "keys to send: %d, wanted %d", got, answer);
    got = result(set, NONE, LEVEL_TLS, RECEIVE, keys, sizeof(keys));
    check(got == answer, "keys to receive: %d, wanted %d", got, answer);
    got = result(set, fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    check(got == 0, "other options are set: %d", got);
    got = result(set, NONE, LEVEL_TLS, 99, keys, sizeof(keys));
    check(got == EBADF, "another of this level goes to the kernel: %d", got);
    got = result(direct, NONE, LEVEL_TLS, SEND, keys, sizeof(keys));
    check(got == EBADF, "so do the program's own keys: %d", got);
    close(fd);
}

static void served(void)
{
    by("libfake_3.so", expected == MEMORY_SECRET ? ENOPROTOOPT : EBADF);
}

/* Its keys are in ordinary memory in any case. */
static void left_alone(void)
{
    by("libfake_libressl.so", EBADF);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"served", served}, {"left_alone", left_alone}, {NULL, NULL}};

    return run_case(cases, argc, argv);
}
