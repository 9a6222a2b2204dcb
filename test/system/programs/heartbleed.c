/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TLS server that is read as by Heartbleed: 64 KiB upward from its live record buffers.
 *
 *   heartbleed KIND RSA_KEY RSA_CERTIFICATE EC_KEY EC_CERTIFICATE
 *
 * Prints "port N", and serves COUNT connections on loopback one after the other, with the
 * RSA and the EC key in turns. Half-way it loads its keys again, as a server that is told
 * to reload: by then there are connections whose buffers are older than the keys. All
 * connections stay open. Then it reads.
 */
#include "arena.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

enum { COUNT = 8, REACH = 65536, WINDOW = 8 };

static struct connection {
    SSL *ssl;
    const unsigned char *in, *out; /* the last record headers, in the record buffers */
} connections[COUNT];

/* The headers of records are told where they lie. */
static void on_message(int write, int version, int type, const void *bytes, size_t size,
                       SSL *ssl, void *argument)
{
    struct connection *connection = argument;

    (void)version, (void)size, (void)ssl;
    if (type != SSL3_RT_HEADER)
        return;
    if (write)
        connection->out = bytes;
    else
        connection->in = bytes;
}

static SSL_CTX *load(const char *key, const char *certificate)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    if (!context || SSL_CTX_use_certificate_file(context, certificate, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        broken("a key and its certificate");
    return context;
}

static int listen_somewhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, 8) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        broken("listen");
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void serve(struct connection *connection, SSL_CTX *context, int listener)
{
    static const char answer[] = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    char request[4096];
    int fd = accept(listener, NULL, NULL);
    int got;

    connection->ssl = SSL_new(context);
    if (fd < 0 || !connection->ssl || SSL_set_fd(connection->ssl, fd) != 1)
        broken("accept");
    SSL_set_msg_callback(connection->ssl, on_message);
    SSL_set_msg_callback_arg(connection->ssl, connection);
    if (SSL_accept(connection->ssl) != 1)
        broken("handshake");
    got = SSL_read(connection->ssl, request, sizeof(request));
    if (got < 4 || memcmp(request, "GET ", 4) != 0 ||
        SSL_write(connection->ssl, answer, sizeof(answer) - 1) != (int)sizeof(answer) - 1)
        broken("a request and its answer");
}

static sigjmp_buf stopped;

static void on_fault(int number)
{
    siglongjmp(stopped, number);
}

/* Copies upward until it is done, or a signal stops it. Returns how much it got. */
static size_t leak(const unsigned char *from, unsigned char *to)
{
    static volatile size_t done;

    done = 0;
    if (sigsetjmp(stopped, 1) == 0) {
        for (; done < REACH; done++)
            to[done] = ((const volatile unsigned char *)from)[done];
    }
    return done;
}

static unsigned char leaked[2 * COUNT][REACH];
static size_t lengths[2 * COUNT];

int main(int argc, char **argv)
{
    SSL_CTX *contexts[4];
    struct numbers numbers = {.count = 0};
    unsigned found = 0, full = 0;
    int listener;

    if (argc != 6) {
        fprintf(stderr, "usage: %s KIND RSA_KEY RSA_CERTIFICATE EC_KEY EC_CERTIFICATE\n",
                *argv);
        return 2;
    }
    set_expected(argv[1]);
    listener = listen_somewhere();
    for (int i = 0; i < COUNT; i++) {
        if (i % (COUNT / 2) == 0) {
            contexts[i / (COUNT / 2) * 2] = load(argv[2], argv[3]);
            contexts[i / (COUNT / 2) * 2 + 1] = load(argv[4], argv[5]);
        }
        serve(&connections[i], contexts[i / (COUNT / 2) * 2 + i % 2], listener);
    }

    signal(SIGSEGV, on_fault);
    signal(SIGBUS, on_fault);
    for (int i = 0; i < COUNT; i++) {
        lengths[2 * i] = leak(connections[i].in, leaked[2 * i]);
        lengths[2 * i + 1] = leak(connections[i].out, leaked[2 * i + 1]);
    }
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);

    /* Only now, so that no copy of a number is where was read. */
    for (int i = 0; i < 2; i++)
        numbers_add(&numbers, SSL_CTX_get0_privatekey(contexts[i]));
    check(numbers.count == 7, "six private numbers of RSA and one of EC");
    for (int i = 0; i < 2 * COUNT; i++) {
        unsigned here = numbers_search(&numbers, WINDOW, leaked[i], lengths[i], NULL);
        const unsigned char *record = i % 2 ? connections[i / 2].out : connections[i / 2].in;
        printf("%s buffer %d: %zu bytes, %u places with key bytes\n", i % 2 ? "write" : "read",
               i / 2, lengths[i], here);
        /* The record that the buffer held last: of application data */
        check(lengths[i] > 16 && leaked[i][0] == 23 && leaked[i][1] == 3, "it is a record");
        check_part(record, PART_IO, "the record buffer");
        found += here;
        full += lengths[i] == REACH;
    }
    if (expected == MEMORY_ORDINARY) {
        check(found > 0, "the control: %u places with bytes of private numbers", found);
        check(full > 0, "%u of %d reads get all of 64 KiB", full, 2 * COUNT);
    } else {
        check(found == 0, "no %d bytes of any private number", WINDOW);
        check(full == 0, "a guard stops every read");
    }
    return finish();
}
