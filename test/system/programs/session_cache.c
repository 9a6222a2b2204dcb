/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions as a program serialises them for a cache that its processes share.
 *
 *   session_cache KIND plain|sealed
 *   session_cache foreign FILE      what another process wrote: status 0 if it can be read
 */
#include "common.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>

enum { MASTER = 48, MOST = 4096 };

static unsigned char master[MASTER];

/* TLS 1.2 and ECDHE-RSA-AES128-GCM-SHA256, without a handshake */
static SSL_SESSION *made(void)
{
    static const unsigned char cipher[] = {0xc0, 0x2f}, id[32] = {1, 2, 3};
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(context);
    SSL_SESSION *session = SSL_SESSION_new();

    for (int i = 0; i < MASTER; i++)
        master[i] = (unsigned char)(i * 37 + 11);
    if (!ssl || !session || !SSL_SESSION_set_protocol_version(session, TLS1_2_VERSION) ||
        !SSL_SESSION_set_cipher(session, SSL_CIPHER_find(ssl, cipher)) ||
        !SSL_SESSION_set1_id(session, id, sizeof(id)) ||
        !SSL_SESSION_set1_master_key(session, master, MASTER))
        broken("a session");
    SSL_free(ssl);
    SSL_CTX_free(context);
    return session;
}

static bool is_same(SSL_SESSION *session)
{
    unsigned char key[MASTER];
    bool same = session && SSL_SESSION_get_master_key(session, key, MASTER) == MASTER &&
                memcmp(key, master, MASTER) == 0;

    SSL_SESSION_free(session);
    return same;
}

static bool parses(const unsigned char *bytes, int length)
{
    const unsigned char *at = bytes;

    return is_same(d2i_SSL_SESSION(NULL, &at, length));
}

/* Into a buffer of the caller's; its length */
static int serialised(SSL_SESSION *session, unsigned char *bytes)
{
    unsigned char *at = bytes;
    int length = i2d_SSL_SESSION(session, NULL);

    check(length > 0 && length <= MOST, "it has a length (%d)", length);
    check(i2d_SSL_SESSION(session, &at) == length && at == bytes + length,
          "which is what is written");
    return length;
}

/* What both do */
static int both(SSL_SESSION *session, unsigned char *bytes)
{
    int length = serialised(session, bytes);
    const unsigned char *from = bytes;
    unsigned char *allocated = NULL;

    check(is_same(d2i_SSL_SESSION(NULL, &from, length + 7)) && from == bytes + length,
          "it is read again, whatever is behind it");
    check(i2d_SSL_SESSION(session, &allocated) == length && allocated,
          "into memory of OpenSSL's own");
    check(parses(allocated, length), "and from there");
    OPENSSL_free(allocated);
    check(!parses(bytes, length - 1), "a part of it is not");
    check(!parses(bytes, 0) && !parses((const unsigned char *)"", 0), "nor is nothing");
    return length;
}

static void plain(void)
{
    unsigned char bytes[MOST + 16] = {0};
    SSL_SESSION *session = made();
    int length = both(session, bytes);

    check(memmem(bytes, (size_t)length, master, MASTER) != NULL, "the master secret is in it");
    SSL_SESSION_free(session);
}

/* Those of files go to other programs, and stay what they are. */
static void files(SSL_SESSION *session)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *name = NULL, *header = NULL;
    unsigned char *bytes = NULL;
    long length = 0;

    check(PEM_write_bio_SSL_SESSION(memory, session) == 1 &&
              PEM_read_bio(memory, &name, &header, &bytes, &length) == 1 &&
              memmem(bytes, (size_t)length, master, MASTER) != NULL &&
              parses(bytes, (int)length),
          "a PEM file has it plain");
    check(PEM_write_bio_SSL_SESSION(memory, session) == 1 &&
              is_same(PEM_read_bio_SSL_SESSION(memory, NULL, NULL, NULL)),
          "and is read again");
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(bytes);
    BIO_free(memory);
}

/* By OpenSSL's functions for streams, which call back */
static void streams(SSL_SESSION *session, int length)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *bytes;

    check(i2d_SSL_SESSION_bio(memory, session) == 1 &&
              BIO_get_mem_data(memory, &bytes) == length &&
              memmem(bytes, (size_t)length, master, MASTER) == NULL,
          "a stream has it sealed");
    check(is_same(d2i_SSL_SESSION_bio(memory, NULL)), "and is read again");
    BIO_free(memory);
}

static void relatives(SSL_SESSION *session, unsigned char *bytes, int length)
{
    unsigned char *shared =
        mmap(NULL, MOST, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned char *at = shared;

    pid_t child = fork();
    if (child == 0)
        _exit(parses(bytes, length) && i2d_SSL_SESSION(session, &at) == length ? 0 : 1);
    int status = status_within(child, 20);
    check(status == 0, "a child reads it (status %d)", status);
    check(parses(shared, length), "and its parent what the child wrote");
}

static void strangers(const unsigned char *bytes, int length)
{
    char name[] = "session.XXXXXX";
    int file = mkstemp(name);

    if (file < 0 || write(file, bytes, (size_t)length) != length || close(file) != 0)
        broken(name);
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "session_cache", "foreign", name, (char *)NULL);
        _exit(127);
    }
    int status = status_within(child, 20);
    check(status == 3, "another process does not (status %d)", status);
    unlink(name);
}

static void sealed(void)
{
    unsigned char bytes[MOST + 16] = {0}, again[MOST + 16];
    SSL_SESSION *session = made();
    int length = both(session, bytes), wrong = 0;

    for (int i = 0; i + 8 <= MASTER; i++)
        wrong += memmem(bytes, (size_t)length, master + i, 8) != NULL;
    check(wrong == 0, "no part of the master secret is in it");
    serialised(session, again);
    check(memcmp(bytes, again, (size_t)length) != 0, "no two are the same");
    for (int i = 0; i < length; i++) {
        bytes[i] ^= 1;
        wrong += parses(bytes, length);
        bytes[i] ^= 1;
    }
    check(wrong == 0, "one with a bit changed is not read");
    relatives(session, bytes, length);
    strangers(bytes, length);
    files(session);
    streams(session, length);
    SSL_SESSION_free(session);
}

static int foreign(const char *name)
{
    unsigned char bytes[MOST];
    FILE *file = fopen(name, "re");
    size_t length = file ? fread(bytes, 1, sizeof(bytes), file) : 0;

    if (!length)
        return 2;
    SSL_SESSION_free(made()); /* what the master secret is */
    return parses(bytes, (int)length) ? 0 : 3;
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"plain", plain}, {"sealed", sealed}, {NULL, NULL}};

    if (argc == 3 && strcmp(argv[1], "foreign") == 0)
        return foreign(argv[2]);
    return run_case(cases, argc, argv);
}
