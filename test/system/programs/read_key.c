/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a private key, signs with it, and waits, to be looked at, until its input ends.
 *
 *   read_key WAY FILE [PASSPHRASE]
 *
 * WAY: pem_fp, pem_mapped, pem_pipe, pem_reopened, der_fp, p12_fp, pem_bio, pem_fd_bio,
 * der_bio, store, or pem_written_bio, which also writes the key to FILE.written. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <openssl/x509.h>

/* The passphrase is the program's own business: this one has it as an argument. */
static char *passphrase = "";

static int answer(char *buffer, int size, int writing, void *data)
{
    size_t length = strlen(passphrase);

    (void)writing, (void)data;
    if (length > (size_t)size)
        return -1;
    for (size_t i = 0; i < length; i++)
        buffer[i] = passphrase[i];
    return (int)length;
}

static EVP_PKEY *from_p12(FILE *file)
{
    PKCS12 *p12 = d2i_PKCS12_fp(file, NULL);
    EVP_PKEY *key = NULL;
    X509 *certificate = NULL;

    if (p12)
        PKCS12_parse(p12, passphrase, &key, &certificate, NULL);
    PKCS12_free(p12);
    X509_free(certificate);
    return key;
}

/* A pipe from another process. */
static FILE *pipe_of(const char *name)
{
    return setenv("FILE_TO_READ", name, 1) == 0 ? popen("exec cat \"$FILE_TO_READ\"", "re")
                                                : NULL;
}

/* A stream that this program opens. */
static EVP_PKEY *by_stream(const char *how, const char *name)
{
    bool is_pipe = strcmp(how, "pem_pipe") == 0;
    FILE *file =
        is_pipe ? pipe_of(name) : fopen(name, strcmp(how, "pem_mapped") == 0 ? "rme" : "re");
    EVP_PKEY *key = NULL;

    if (!file)
        return NULL;
    if (strncmp(how, "pem", 3) == 0)
        key = PEM_read_PrivateKey(file, NULL, answer, NULL);
    else if (strcmp(how, "der_fp") == 0)
        key = d2i_PrivateKey_fp(file, NULL);
    else
        key = from_p12(file);
    if (strcmp(how, "pem_reopened") == 0)
        file = freopen("/dev/null", "re", file);
    if (is_pipe ? pclose(file) != 0 : !file || fclose(file) != 0)
        return NULL;
    return key;
}

/* One that libcrypto opens. */
static EVP_PKEY *by_bio(const char *how, const char *name)
{
    BIO *bio = strcmp(how, "pem_fd_bio") == 0
                   ? BIO_new_fd(open(name, O_RDONLY | O_CLOEXEC), BIO_CLOSE)
                   : BIO_new_file(name, "r");
    EVP_PKEY *key = NULL;

    if (bio)
        key = strcmp(how, "der_bio") == 0 ? d2i_PrivateKey_bio(bio, NULL)
                                          : PEM_read_bio_PrivateKey(bio, NULL, answer, NULL);
    BIO_free(bio);
    return key;
}

static bool written(EVP_PKEY *key, const char *name)
{
    char copy[512];
    BIO *bio;
    bool good;

    snprintf(copy, sizeof(copy), "%s.written", name);
    bio = BIO_new_file(copy, "w");
    good = bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1 &&
           BIO_flush(bio) == 1;
    BIO_free(bio);
    return good;
}

static EVP_PKEY *by_store(const char *name)
{
    UI_METHOD *ui = UI_UTIL_wrap_read_pem_callback(answer, 0);
    OSSL_STORE_CTX *store = OSSL_STORE_open(name, ui, NULL, NULL, NULL);
    EVP_PKEY *key = NULL;

    while (store && !key && !OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);
        if (info && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
            key = OSSL_STORE_INFO_get1_PKEY(info);
        OSSL_STORE_INFO_free(info);
    }
    OSSL_STORE_close(store);
    UI_destroy_method(ui);
    return key;
}

static int sign(EVP_PKEY *key)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char text[100] = "text", signature[1 << 15];
    size_t length = sizeof(signature);
    const EVP_MD *digest =
        EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "EC") ? EVP_sha256() : NULL;
    /* A key that only encapsulates is held, and not used. */
    int good = !EVP_PKEY_can_sign(key) ||
               (EVP_DigestSignInit(context, NULL, digest, NULL, key) == 1 &&
                EVP_DigestSign(context, signature, &length, text, sizeof(text)) == 1);

    EVP_MD_CTX_free(context);
    return good;
}

int main(int argc, char **argv)
{
    EVP_PKEY *key = NULL;
    char byte;

    if (argc < 3)
        return 2;
    passphrase = argc > 3 ? argv[3] : "";
    if (strcmp(argv[1], "store") == 0)
        key = by_store(argv[2]);
    else if (strstr(argv[1], "_bio"))
        key = by_bio(argv[1], argv[2]);
    else
        key = by_stream(argv[1], argv[2]);
    if (!key || !sign(key))
        return 1;
    if (strcmp(argv[1], "pem_written_bio") == 0 && !written(key, argv[2]))
        return 1;
    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    EVP_PKEY_free(key);
    return 0;
}
