/* SPDX-License-Identifier: Apache-2.0 */
/* Clients and servers in threads that shake hands while the process forks and other threads
 * allocate; the children finish handshakes that were under way, and shake hands anew.
 *
 *   tls_threads KIND KEY CERTIFICATE */
#include "common.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

enum { PAIRS = 3, ALLOCATORS = 2, CHILDREN = 40, STEPS = 40 };

struct pair {
    SSL *client;
    SSL *server;
};

static SSL_CTX *context;
static atomic_bool stopped;
static atomic_long handshakes, allocations, failures;

/* Held for reading while OpenSSL's own locks may be held: a child that inherits one of those
 * locked hangs, with and without us. Handshakes stand still in their middle, not in a call. */
static pthread_rwlock_t in_openssl = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

static bool open_pair(struct pair *pair)
{
    BIO *client_end, *server_end;

    pair->client = SSL_new(context);
    pair->server = SSL_new(context);
    if (!pair->client || !pair->server || BIO_new_bio_pair(&client_end, 0, &server_end, 0) != 1)
        return false;
    SSL_set_bio(pair->client, client_end, client_end);
    SSL_set_bio(pair->server, server_end, server_end);
    SSL_set_connect_state(pair->client);
    SSL_set_accept_state(pair->server);
    return true;
}

static void close_pair(struct pair *pair)
{
    SSL_free(pair->client);
    SSL_free(pair->server);
    pair->client = pair->server = NULL;
}

/* One step of both ends; 1 done, 0 more to do, -1 failed. */
static int step(struct pair *pair)
{
    int client = SSL_do_handshake(pair->client), server = SSL_do_handshake(pair->server);
    int client_error = SSL_get_error(pair->client, client);
    int server_error = SSL_get_error(pair->server, server);

    if (client_error == SSL_ERROR_SSL || server_error == SSL_ERROR_SSL)
        return -1;
    return client == 1 && server == 1;
}

static int complete(struct pair *pair)
{
    int done = 0;
    for (int i = 0; i < STEPS && done == 0; i++)
        done = step(pair);
    return done;
}

static struct pair pairs[PAIRS];

static void *shake_hands(void *argument)
{
    struct pair *pair = argument;

    while (!atomic_load(&stopped)) {
        pthread_rwlock_rdlock(&in_openssl);
        int done = pair->client ? step(pair) : open_pair(pair) ? 0 : -1;
        if (done != 0) {
            close_pair(pair);
            handshakes += done == 1;
            failures += done == -1;
        }
        pthread_rwlock_unlock(&in_openssl);
    }
    return NULL;
}

static void *allocate(void *argument)
{
    uint64_t seed = (uintptr_t)argument;
    void *held[50] = {NULL};
    size_t sizes[50] = {0};

    while (!atomic_load(&stopped)) {
        size_t i = ++seed * 31 % 50;
        failures += held[i] && !whole(held[i], sizes[i], i);
        OPENSSL_clear_free(held[i], sizes[i]);
        sizes[i] = 1 + seed * 131 % 3000;
        held[i] = filled_block(sizes[i], i);
        allocations++;
    }
    return NULL;
}

/* In a child: what was under way in the parent's threads goes on here. */
static int child(void)
{
    struct pair fresh;

    for (int i = 0; i < PAIRS; i++) {
        if (pairs[i].client && complete(&pairs[i]) != 1)
            return 1;
    }
    if (!open_pair(&fresh) || complete(&fresh) != 1)
        return 2;
    close_pair(&fresh);
    return 0;
}

static void load(const char *key, const char *certificate)
{
    context = SSL_CTX_new(TLS_method());
    if (!context || SSL_CTX_use_certificate_file(context, certificate, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        broken("load the key");
    check_kind(context, "the context");
}

int main(int argc, char **argv)
{
    pthread_t ids[PAIRS + ALLOCATORS];
    int unfinished = 0, fresh = 0, otherwise = 0;

    if (argc != 4) {
        fprintf(stderr, "usage: %s KIND KEY CERTIFICATE\n", argv[0]);
        return 2;
    }
    set_expected(argv[1]);
    load(argv[2], argv[3]);
    for (uintptr_t i = 0; i < PAIRS + ALLOCATORS; i++) {
        if (pthread_create(&ids[i], NULL, i < PAIRS ? shake_hands : allocate,
                           i < PAIRS ? (void *)&pairs[i] : (void *)i) != 0)
            broken("pthread_create");
    }
    for (int turn = 0; turn < CHILDREN; turn++) {
        sleep_seconds(0.01);
        pthread_rwlock_wrlock(&in_openssl);
        pid_t pid = fork();
        if (pid == 0)
            _exit(child());
        pthread_rwlock_unlock(&in_openssl);
        int status = status_within(pid, 30);
        unfinished += status == 1;
        fresh += status == 2;
        otherwise += status != 0 && status != 1 && status != 2;
    }
    atomic_store(&stopped, true);
    for (int i = 0; i < PAIRS + ALLOCATORS; i++)
        pthread_join(ids[i], NULL);
    check(unfinished == 0, "%d of %d children could not finish a handshake", unfinished,
          CHILDREN);
    check(fresh == 0, "%d of %d children could not shake hands anew", fresh, CHILDREN);
    check(otherwise == 0, "%d of %d children died or hung", otherwise, CHILDREN);
    check(failures == 0, "%ld failures in the threads", (long)failures);
    check(handshakes > 100 && allocations > 1000,
          "%ld handshakes and %ld allocations meanwhile", (long)handshakes, (long)allocations);
    return finish();
}
