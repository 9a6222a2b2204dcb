/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A daemon that holds a key and signs for others: no other program needs the key.
 *
 *   signer KEY SOCKET
 *
 * KEY is a private key of Ed25519 as openssl genpkey writes it (PEM). A client connects to the
 * Unix socket (SOCK_SEQPACKET), sends a message of at most 64 KiB, and receives its signature
 * of 64 bytes. Whoever may connect may have signatures: put the socket where only they can.
 *
 * The key's 32 bytes lie in a sealed arena, which is open while libcrypto copies them.
 * libcrypto's own memory is secret memory, too, and what it frees is cleared.
 */
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <secretmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { SEED = 32, SIGNATURE = 64, MESSAGE = 65536 };

static secretmem_arena *arena;
static unsigned char *seed; /* in the arena */

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void *malloc_secret(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return size ? secretmem_malloc(size) : NULL;
}

static void *realloc_secret(void *p, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return secretmem_realloc(p, size);
}

static void free_secret(void *p, const char *file, int line)
{
    (void)file, (void)line;
    secretmem_free(p);
}

static int load_key(const char *path)
{
    void *text;
    size_t size, length = SEED;
    EVP_PKEY *key;
    BIO *bio;
    int good, result = secretmem_read_file(NULL, path, 65536, &text, &size);

    if (result < 0)
        fail(path);
    if (result != SECRETMEM_FILE_DROPPED)
        fprintf(stderr, "signer: %s may stay in the kernel's page cache\n", path);
    bio = BIO_new_mem_buf(text, (int)size);
    key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"");
    if (secretmem_begin(arena) != 0)
        fail("secretmem_begin");
    good = key && EVP_PKEY_is_a(key, "ED25519") &&
           EVP_PKEY_get_raw_private_key(key, seed, &length) == 1;
    if (secretmem_end(arena) != 0)
        fail("secretmem_end");
    EVP_PKEY_free(key);
    BIO_free(bio);
    secretmem_free(text);
    return good;
}

static int sign(const unsigned char *message, size_t size, unsigned char *signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t length = SIGNATURE;
    EVP_PKEY *key;
    int good;

    if (secretmem_begin(arena) != 0)
        fail("secretmem_begin");
    key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, SEED);
    if (secretmem_end(arena) != 0)
        fail("secretmem_end");
    good = key && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
           EVP_DigestSign(context, signature, &length, message, size) == 1;
    EVP_PKEY_free(key);
    EVP_MD_CTX_free(context);
    return good;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof(address.sun_path)) {
        fprintf(stderr, "signer: %s: the name is too long\n", path);
        exit(2);
    }
    strcpy(address.sun_path, path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, 16) != 0)
        fail(path);
    return fd;
}

static void serve(int client)
{
    static unsigned char message[MESSAGE];
    unsigned char signature[SIGNATURE];
    ssize_t size;

    while ((size = recv(client, message, sizeof(message), MSG_TRUNC)) > 0) {
        if ((size_t)size > sizeof(message) || !sign(message, (size_t)size, signature) ||
            send(client, signature, sizeof(signature), MSG_NOSIGNAL) < 0)
            break;
    }
    close(client);
}

int main(int argc, char **argv)
{
    int server, client;

    if (argc != 3) {
        fprintf(stderr, "usage: signer KEY SOCKET\n");
        return 2;
    }
    /* Secret memory or nothing; and before libcrypto allocates for the first time. */
    if (secretmem_configure("REQUIRE", "1") != SECRETMEM_OK ||
        CRYPTO_set_mem_functions(malloc_secret, realloc_secret, free_secret) != 1) {
        fprintf(stderr, "signer: too late\n");
        return 1;
    }
    arena = secretmem_arena_create(4096, SECRETMEM_ARENA_SEALED | SECRETMEM_ARENA_REQUIRE |
                                             SECRETMEM_ARENA_FORK_DENY);
    if (!arena || !(seed = secretmem_arena_malloc(arena, SEED)))
        fail("no secret memory");
    if (!load_key(argv[1])) {
        fprintf(stderr, "signer: %s: no private key of Ed25519\n", argv[1]);
        return 1;
    }
    server = listen_at(argv[2]);
    printf("ready\n");
    fflush(stdout);
    while ((client = accept(server, NULL, NULL)) >= 0)
        serve(client);
    fail("accept");
}
