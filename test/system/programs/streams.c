/* SPDX-License-Identifier: Apache-2.0 */
/* Streams that libcrypto reads or opens, and what else programs do with them.
 *
 *   streams KIND CASE */
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/bio.h>

static void read_by_libcrypto(FILE *file)
{
    BIO *bio = BIO_new_fp(file, BIO_NOCLOSE);
    char text[5];

    BIO_read(bio, text, sizeof(text));
    BIO_free(bio);
}

/* What cannot be written is an error of fclose(). */
static void full(void)
{
    FILE *file = fopen("/dev/full", "r+e");

    if (!file)
        broken("/dev/full");
    read_by_libcrypto(file);
    fseek(file, 0, SEEK_CUR);
    fputs("data", file);
    errno = 0;
    check(fclose(file) == EOF && errno == ENOSPC, "the data are lost, and fclose() says so");
}

/* Nor is anything else written instead, once there is room. */
static void blocked(void)
{
    char block[512] = {'x'};
    int ends[2], bytes = 4096;
    FILE *file;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0 ||
        setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) != 0 ||
        fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0 || write(ends[1], "line\n", 5) != 5)
        broken("socketpair");
    file = fdopen(ends[0], "r+");
    read_by_libcrypto(file);
    while (write(ends[0], block, sizeof(block)) > 0)
        ;
    fseek(file, 0, SEEK_CUR);
    fputs("data", file);
    errno = 0;
    check(fclose(file) == EOF && errno == EAGAIN, "there is no room for the data");
    close(ends[1]);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"full", full},
        {"blocked", blocked},
        {NULL, NULL},
    };

    return run_case(cases, argc, argv);
}
