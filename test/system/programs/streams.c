/* SPDX-License-Identifier: Apache-2.0 */
/* Streams that libcrypto reads or opens, and what else programs do with them.
 *
 *   streams KIND CASE */
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
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

/* A line written to a terminal is seen at once. */
static void terminal(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct pollfd wait = {master, POLLIN, 0};
    BIO *bio;

    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        broken("posix_openpt");
    bio = BIO_new_file(ptsname(master), "w");
    if (!bio)
        broken("BIO_new_file");
    BIO_printf(bio, "a part");
    check(poll(&wait, 1, 100) == 0, "a part of a line waits");
    BIO_printf(bio, " and the rest\n");
    check(poll(&wait, 1, 5000) == 1, "a line does not");
    BIO_free(bio);
    close(master);
}

/* A stream of libcrypto's that is opened anew: its secret buffer is given back once. */
static void reopened(void)
{
    BIO *bio = BIO_new_file("/proc/self/exe", "r");
    FILE *file = NULL;
    char text[5];

    if (!bio || BIO_get_fp(bio, &file) != 1)
        broken("BIO_new_file");
    check(BIO_read(bio, text, 4) == 4 && memcmp(text, "\177ELF", 4) == 0, "it reads");
    check_kind(file->_IO_buf_base, "its buffer");
    check(freopen("/dev/zero", "re", file) == file, "it is opened anew");
    check(BIO_read(bio, text, 4) == 4 && text[0] == 0, "and reads");
    check(BIO_free(bio) == 1, "it is closed");
    bio = BIO_new_file("/proc/self/exe", "r");
    if (!bio || BIO_get_fp(bio, &file) != 1)
        broken("BIO_new_file");
    check(freopen("/nowhere/file", "re", file) == NULL, "it cannot be opened anew");
    /* The stream ended with that. */
    BIO_set_close(bio, BIO_NOCLOSE);
    BIO_free(bio);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"full", full},         {"blocked", blocked}, {"terminal", terminal},
        {"reopened", reopened}, {NULL, NULL},
    };

    return run_case(cases, argc, argv);
}
