/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS server with AWS-LC. It answers each connection in a process of its own, which makes the
 * handshake with the key that it has from its parent.
 *
 *   aws_lc CERTIFICATE KEY [own]
 *
 * own: memory functions of its own come first, and it says whether AWS-LC takes them, and used
 * them. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <openssl/mem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned long used;

static void *own_malloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    used++;
    return malloc(size);
}

static void *own_realloc(void *p, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    used++;
    return realloc(p, size);
}

static void own_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    free(p);
}

static int listening(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int server = socket(AF_INET, SOCK_STREAM, 0);

    if (server < 0 || bind(server, (struct sockaddr *)&address, size) != 0 ||
        listen(server, 64) != 0 ||
        getsockname(server, (struct sockaddr *)&address, &size) != 0) {
        perror("socket");
        exit(1);
    }
    *port = ntohs(address.sin_port);
    return server;
}

static void answer(SSL_CTX *context, int client)
{
    static const char hello[] = "HTTP/1.0 200 OK\r\n\r\nhello\n";
    SSL *connection = SSL_new(context);
    char request[4096];

    SSL_set_fd(connection, client);
    if (SSL_accept(connection) == 1 && SSL_read(connection, request, sizeof(request)) > 0) {
        SSL_write(connection, hello, sizeof(hello) - 1);
        SSL_shutdown(connection);
    }
    SSL_free(connection);
}

int main(int argc, char **argv)
{
    SSL_CTX *context;
    int server, port;

    if (argc < 3)
        return 2;
    if (argc > 3)
        printf("set %d\n", CRYPTO_set_mem_functions(own_malloc, own_realloc, own_free));
    context = SSL_CTX_new(TLS_server_method());
    if (!context || SSL_CTX_use_certificate_chain_file(context, argv[1]) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, argv[2], SSL_FILETYPE_PEM) != 1) {
        fputs("the key cannot be used\n", stderr);
        return 1;
    }
    printf("used %d\n", used != 0);
    signal(SIGCHLD, SIG_IGN);
    server = listening(&port);
    printf("port %d\n", port);
    fflush(stdout);
    for (;;) {
        int client = accept(server, NULL, NULL);
        pid_t child = client < 0 ? -1 : fork();

        if (child == 0) {
            answer(context, client);
            _exit(0);
        }
        if (client >= 0)
            close(client);
    }
}
