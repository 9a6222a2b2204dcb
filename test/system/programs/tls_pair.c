/* SPDX-License-Identifier: Apache-2.0 */
/* TLS handshakes between two ends in one process, over memory.
 *
 *   tls_pair KEY CERTIFICATE COUNT
 *
 * Prints "fine" and ends with 0; or the phase that failed (setup, handshake, data) with
 * OpenSSL's error, and ends with 1. Ends in no other way, however little memory there is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

static int fail(const char *phase)
{
    printf("%s: %s\n", phase, ERR_error_string(ERR_peek_error(), NULL));
    return 1;
}

static int attach(SSL *ssl, BIO *in, BIO *out)
{
    BIO_up_ref(in);
    BIO_up_ref(out);
    SSL_set_bio(ssl, in, out);
    return 1;
}

static const char *talk(SSL *client, SSL *server)
{
    static const char request[] = "request";
    char answer[sizeof(request)];
    int client_done = 0, server_done = 0;

    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    for (int turn = 0; turn < 20 && !(client_done && server_done); turn++) {
        client_done = SSL_do_handshake(client) == 1;
        server_done = SSL_do_handshake(server) == 1;
    }
    if (!client_done || !server_done)
        return "handshake";
    if (SSL_write(client, request, sizeof(request)) != sizeof(request) ||
        SSL_read(server, answer, sizeof(answer)) != sizeof(answer) ||
        memcmp(request, answer, sizeof(request)) != 0)
        return "data";
    return NULL;
}

static const char *converse(SSL_CTX *context)
{
    const char *phase = "setup";
    BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());
    SSL *client = SSL_new(context), *server = SSL_new(context);

    if (up && down && client && server && attach(client, down, up) && attach(server, up, down))
        phase = talk(client, server);
    SSL_free(client);
    SSL_free(server);
    BIO_free(up);
    BIO_free(down);
    return phase;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s KEY CERTIFICATE COUNT\n", argv[0]);
        return 2;
    }
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    if (!context || SSL_CTX_use_certificate_file(context, argv[2], SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, argv[1], SSL_FILETYPE_PEM) != 1)
        return fail("setup");
    for (int count = atoi(argv[3]); count > 0; count--) {
        const char *phase = converse(context);
        if (phase)
            return fail(phase);
    }
    SSL_CTX_free(context);
    puts("fine");
    return 0;
}
