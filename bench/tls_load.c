/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drives a TLS 1.3 server on loopback.
 *
 *   tls-load handshakes PORT COUNT THREADS   full handshakes, each on a connection of its own
 *   tls-load bulk PORT COUNT BYTES PATH      COUNT responses of BYTES over one connection
 *   tls-load idle PORT PATH                  for each line "N" of standard input: opens
 * connections until N are idle after one request each, prints "N"
 *
 * The first two print one JSON object about what was negotiated, so that the caller can see
 * that it measured what it meant to.
 */
#include "common.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_THREADS = 64, MAX_IDLE = 100000 };

static SSL_CTX *context;
static uint16_t port;
static atomic_long handshakes_left;
static atomic_long sessions_reused;

_Noreturn static void die_tls(const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    bench_die("%s: %s", what, reason != NULL ? reason : "connection lost");
}

static int connect_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        bench_die_errno("socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        bench_die_errno("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static SSL *connect_tls(void)
{
    SSL *tls = SSL_new(context);

    if (tls == NULL || SSL_set_fd(tls, connect_loopback()) != 1)
        die_tls("SSL_new");
    if (SSL_connect(tls) != 1)
        die_tls("handshake");
    return tls;
}

/*
 * Says goodbye and waits for the server's end of it: what the server spends on a connection is
 * spent when this returns. The reset then spares both sides TIME_WAIT, and us the port.
 */
static void close_tls(SSL *tls)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    int fd = SSL_get_fd(tls);
    char rest[256];

    SSL_shutdown(tls);
    while (recv(fd, rest, sizeof(rest), 0) > 0)
        ;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    SSL_free(tls);
    close(fd);
}

static void print_negotiated(SSL *tls)
{
    EVP_PKEY *key = X509_get0_pubkey(SSL_get0_peer_certificate(tls));

    printf("{\"protocol\": \"%s\", \"cipher\": \"%s\", \"group\": \"%s\", \"key\": \"%s-%d\"",
           SSL_get_version(tls), SSL_get_cipher_name(tls),
           SSL_group_to_name(tls, (int)SSL_get_negotiated_group(tls)),
           EVP_PKEY_get0_type_name(key), EVP_PKEY_get_bits(key));
}

static void *handshake_loop(void *unused)
{
    (void)unused;
    while (atomic_fetch_sub(&handshakes_left, 1) > 0) {
        SSL *tls = connect_tls();

        if (SSL_session_reused(tls))
            atomic_fetch_add(&sessions_reused, 1);
        close_tls(tls);
    }
    return NULL;
}

static void run_handshakes(long count, unsigned threads)
{
    pthread_t thread[MAX_THREADS];
    uint64_t start = bench_now();
    SSL *first = connect_tls();

    print_negotiated(first);
    close_tls(first);
    atomic_store(&handshakes_left, count - 1);
    for (unsigned i = 0; i < threads; i++) {
        if (pthread_create(&thread[i], NULL, handshake_loop, NULL) != 0)
            bench_die("cannot start a thread");
    }
    for (unsigned i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    printf(", \"handshakes\": %ld, \"reused\": %ld, \"seconds\": %.6f}\n", count,
           atomic_load(&sessions_reused), (double)(bench_now() - start) / 1e9);
}

static void send_request(SSL *tls, const char *path)
{
    char request[256];
    int length =
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);

    if (length < 0 || (size_t)length >= sizeof(request))
        bench_die("PATH: '%s' is too long", path);
    if (SSL_write(tls, request, length) != length)
        die_tls("request");
}

/* Reads one response with BODY bytes of content; its headers come in the first record. */
static void read_response(SSL *tls, uint64_t body)
{
    static char buffer[65536];
    int got = SSL_read(tls, buffer, sizeof(buffer) - 1);
    uint64_t received;
    char *end;

    if (got <= 0)
        die_tls("response");
    buffer[got] = '\0';
    end = strstr(buffer, "\r\n\r\n");
    if (strncmp(buffer, "HTTP/1.1 2", 10) != 0 || end == NULL)
        bench_die("the server answered '%.*s'", (int)strcspn(buffer, "\r\n"), buffer);
    received = (uint64_t)(buffer + got - (end + 4));
    while (received < body) {
        got = SSL_read(tls, buffer, sizeof(buffer));
        if (got <= 0)
            die_tls("response");
        received += (uint64_t)got;
    }
    if (received != body)
        bench_die("the response has more than the %" PRIu64 " bytes asked for", body);
}

static void run_bulk(uint64_t count, uint64_t bytes, const char *path)
{
    uint64_t start = bench_now();
    SSL *tls = connect_tls();

    print_negotiated(tls);
    for (uint64_t i = 0; i < count; i++) {
        send_request(tls, path);
        read_response(tls, bytes);
    }
    close_tls(tls);
    printf(", \"responses\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"seconds\": %.6f}\n", count,
           (count * bytes), (double)(bench_now() - start) / 1e9);
}

/* Connections are left to the end of the process: closing them is not what is looked at. */
static void run_idle(const char *path)
{
    uint64_t open = 0;
    char line[32];

    while (fgets(line, sizeof(line), stdin) != NULL) {
        uint64_t wanted;

        line[strcspn(line, "\n")] = '\0';
        wanted = bench_number("connections", line, 0, MAX_IDLE);
        for (; open < wanted; open++) {
            SSL *tls = connect_tls();

            send_request(tls, path);
            read_response(tls, 0);
        }
        printf("%" PRIu64 "\n", open);
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    bench_program = "tls-load";
    signal(SIGPIPE, SIG_IGN);
    if (argc < 3)
        bench_die("usage: tls-load handshakes|bulk|idle PORT ...");
    port = (uint16_t)bench_number("PORT", argv[2], 1, 65535);
    context = SSL_CTX_new(TLS_client_method());
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1)
        die_tls("SSL_CTX_new");
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);

    if (strcmp(argv[1], "handshakes") == 0 && argc == 5)
        run_handshakes((long)bench_number("COUNT", argv[3], 1, 1000000000),
                       (unsigned)bench_number("THREADS", argv[4], 1, MAX_THREADS));
    else if (strcmp(argv[1], "bulk") == 0 && argc == 6)
        run_bulk(bench_number("COUNT", argv[3], 1, 1000000),
                 bench_number("BYTES", argv[4], 0, 1U << 30), argv[5]);
    else if (strcmp(argv[1], "idle") == 0 && argc == 4)
        run_idle(argv[3]);
    else
        bench_die("unknown operation or wrong number of arguments: '%s'", argv[1]);
    return 0;
}
