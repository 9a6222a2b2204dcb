/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key files and key logs, as `secretssl scan` reads them. The first byte of an input says how
 * to read the rest. Without a passphrase, each part that is taken from a file must be in the
 * file. Memory comes from the C library's malloc, so that AddressSanitizer knows each block's
 * bounds.
 */
#include "harness.h"
#include "scan/key_parts.h"
#include "scan/matcher.h"
#include "scan/patterns.h"
#include <dlfcn.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { KEY_LOG = 1, PASSPHRASE = 2 };

/* More would take longer than an input may. */
enum { ITERATIONS_MOST = 4096 };

static int file;
static char path[32];
static unsigned said;

/* Each message is one that names the command, and is formatted to find wrong conversions. */
void __wrap_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void __wrap_say(const char *format, ...)
{
    char line[512];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    EXPECT(strncmp(line, "scan: ", 6) == 0, "%s", line);
    said++;
}

/* libcrypto's own: refuses counts of iterations that only take time. */
int EVP_KDF_derive(EVP_KDF_CTX *context, unsigned char *key, size_t size,
                   const OSSL_PARAM params[])
{
    static int (*real)(EVP_KDF_CTX *, unsigned char *, size_t, const OSSL_PARAM *);
    const OSSL_PARAM *param = OSSL_PARAM_locate_const(params, OSSL_KDF_PARAM_ITER);
    uint64_t iterations = 0;

    if (param && (!OSSL_PARAM_get_uint64(param, &iterations) || iterations > ITERATIONS_MOST))
        return 0;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "EVP_KDF_derive");
    return real(context, key, size, params);
}

/* Whether the bytes of the part follow one another in the text, with a step of 1 or -1. */
static bool follows(const uint8_t *text, size_t size, const struct key_part *part, long step)
{
    size_t have = 0;

    /* Other bytes may lie between, because BER can divide a string. */
    for (size_t i = 0; i < size && have < part->size; i++)
        have += text[i] == part->bytes[step > 0 ? have : part->size - 1 - have];
    return have == part->size;
}

static bool is_in(const uint8_t *text, size_t size, const struct key_part *part)
{
    const uint8_t *at = text;
    X509_SIG *encrypted;
    PKCS12 *p12 = d2i_PKCS12(NULL, &at, (long)size);
    bool sealed;

    /* libcrypto tries the empty passphrase on PKCS#12, whose contents are not seen here. */
    at = text;
    encrypted = d2i_X509_SIG(NULL, &at, (long)size);
    sealed = p12 != NULL || encrypted != NULL;
    PKCS12_free(p12);
    X509_SIG_free(encrypted);
    return sealed || follows(text, size, part, 1) || follows(text, size, part, -1);
}

/* Looks for the part in the file as it is, and in each PEM block. */
static bool is_in_file(const uint8_t *text, size_t size, const struct key_part *part)
{
    BIO *bio = BIO_new_mem_buf(text, (int)size);
    bool found = is_in(text, size, part);
    char *name, *header;
    unsigned char *bytes;
    long length;

    while (!found && PEM_read_bio(bio, &name, &header, &bytes, &length)) {
        found = is_in(bytes, (size_t)length, part);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(bytes);
    }
    BIO_free(bio);
    return found;
}

/* The part in hexadecimal digits of either case. */
static bool is_in_log(const char *text, const struct key_part *part)
{
    char *digits = malloc(2 * part->size + 1);
    bool found;

    for (size_t i = 0; i < part->size; i++)
        sprintf(digits + 2 * i, "%02x", part->bytes[i]);
    found = strcasestr(text, digits) != NULL;
    free(digits);
    return found;
}

static void check_part(const struct key_part *part, const uint8_t *text, size_t size,
                       unsigned how)
{
    EXPECT(part->size >= KEY_PART_LEAST, "%s has %zu bytes", part->name, part->size);
    EXPECT(strnlen(part->type, sizeof(part->type)) < sizeof(part->type), "the type has no end");
    EXPECT(strnlen(part->name, sizeof(part->name)) < sizeof(part->name), "the name has no end");
    EXPECT(part->form != KEY_INTEGER || part->bytes[0] != 0, "%s has leading zeros",
           part->name);
    if (how & KEY_LOG)
        /* The file's text ends at a zero byte for strcasestr() alone. */
        EXPECT(memchr(text, 0, size) || is_in_log((const char *)text, part), "%s is not there",
               part->name);
    else if (!(how & PASSPHRASE) && part->form != KEY_WORDS)
        EXPECT(is_in_file(text, size, part), "%s %s is not in the file", part->type,
               part->name);
}

/* What the search makes of the parts */
static void make_needles(const struct key_parts *keys)
{
    for (int text = 0; text < 2; text++) {
        struct needles needles;
        struct matcher *matcher;

        EXPECT(needles_make(&needles, keys, text), "out of memory");
        for (size_t i = 0; i < needles.count; i++)
            EXPECT(needles.list[i].size <= needles.longest, "a needle is longer than any");
        matcher = matcher_make(&needles);
        EXPECT(matcher != NULL, "out of memory");
        matcher_free(matcher);
        needles_free(&needles);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    file = memfd_create("key", MFD_CLOEXEC);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct key_parts keys = {0};
    unsigned how;
    char *text;
    bool good;

    if (size < 1)
        return -1;
    how = *data++ % 4;
    size--;
    text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    EXPECT(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size, "a file");
    said = 0;
    good = how & KEY_LOG ? key_log_load(&keys, path)
                         : key_parts_load(&keys, path, how & PASSPHRASE ? "fuzz" : NULL);
    EXPECT(good || said > 0, "a failure without a message");
    EXPECT(!good || keys.count > 0, "no part, and no failure");
    for (size_t i = 0; i < keys.count; i++)
        check_part(&keys.parts[i], (const uint8_t *)text, size, how);
    if (keys.count > 0)
        make_needles(&keys);
    key_parts_free(&keys);
    ERR_clear_error();
    free(text);
    return 0;
}
