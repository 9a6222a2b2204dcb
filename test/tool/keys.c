/* SPDX-License-Identifier: Apache-2.0 */
#include "keys.h"

#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static EVP_PKEY *generate_rsa(unsigned bits, unsigned primes)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *pkey = NULL;

    cr_assert(EVP_PKEY_keygen_init(context) > 0);
    cr_assert(EVP_PKEY_CTX_set_rsa_keygen_bits(context, (int)bits) > 0);
    cr_assert(EVP_PKEY_CTX_set_rsa_keygen_primes(context, (int)primes) > 0);
    cr_assert(EVP_PKEY_generate(context, &pkey) > 0);
    EVP_PKEY_CTX_free(context);
    return pkey;
}

static EVP_PKEY *generate(const char *name)
{
    if (strcmp(name, "rsa3prime") == 0)
        return generate_rsa(2048, 3);
    if (strncmp(name, "rsa", 3) == 0)
        return generate_rsa((unsigned)atoi(name + 3), 2);
    if (name[0] == 'P')
        return EVP_EC_gen(name);
    return EVP_PKEY_Q_keygen(NULL, NULL, name);
}

static struct part *new_part(struct test_key *key, const char *name, size_t size)
{
    struct part *part = &key->parts[key->part_count++];

    cr_assert(key->part_count <= PARTS_MOST && size <= sizeof(part->bytes));
    part->name = name;
    part->size = size;
    return part;
}

static void reverse(struct part *part)
{
    for (size_t i = 0; i < part->size; i++)
        part->reversed[i] = part->bytes[part->size - 1 - i];
}

static void add_number(struct test_key *key, const char *parameter, const char *name, int width)
{
    BIGNUM *number = NULL;

    if (!EVP_PKEY_get_bn_param(key->pkey, parameter, &number))
        return;
    if (width == 0)
        width = BN_num_bytes(number);

    struct part *part = new_part(key, name, (size_t)width);

    part->integer = 1;
    cr_assert(BN_bn2binpad(number, part->bytes, width) == width);
    reverse(part);
    BN_free(number);
}

static void take_parts(struct test_key *key)
{
    static const char *const rsa[][2] = {
        {OSSL_PKEY_PARAM_RSA_D, "d"},
        {OSSL_PKEY_PARAM_RSA_FACTOR1, "p"},
        {OSSL_PKEY_PARAM_RSA_FACTOR2, "q"},
        {OSSL_PKEY_PARAM_RSA_FACTOR3, "r3"},
        {OSSL_PKEY_PARAM_RSA_EXPONENT1, "dP"},
        {OSSL_PKEY_PARAM_RSA_EXPONENT2, "dQ"},
        {OSSL_PKEY_PARAM_RSA_EXPONENT3, "d3"},
        {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, "qInv"},
        {OSSL_PKEY_PARAM_RSA_COEFFICIENT2, "t3"},
    };
    size_t size;

    if (EVP_PKEY_is_a(key->pkey, "RSA")) {
        for (size_t i = 0; i < sizeof(rsa) / sizeof(rsa[0]); i++)
            add_number(key, rsa[i][0], rsa[i][1], 0);
    } else if (EVP_PKEY_is_a(key->pkey, "EC")) {
        add_number(key, OSSL_PKEY_PARAM_PRIV_KEY, "private",
                   (EVP_PKEY_get_bits(key->pkey) + 7) / 8);
    } else {
        struct part *part = new_part(key, "private", 0);

        size = sizeof(part->bytes);
        cr_assert(EVP_PKEY_get_raw_private_key(key->pkey, part->bytes, &size) == 1);
        part->size = size;
        reverse(part);
    }
}

static void add_blob(struct test_key *key, const char *encoding, char *bytes, size_t size)
{
    cr_assert(key->blob_count < BLOB_MOST);
    key->blobs[key->blob_count++] =
        (struct blob){.encoding = encoding, .bytes = bytes, .size = size};
}

/* The text with each line break replaced. */
static void add_text(struct test_key *key, const char *text, size_t size, const char *line_end)
{
    char *bytes = calloc(1, 2 * size + 1);
    size_t used = 0;

    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n')
            used += (size_t)sprintf(bytes + used, "%s", line_end);
        else
            bytes[used++] = text[i];
    }
    add_blob(key, "PEM", bytes, used);
}

static void take_blobs(struct test_key *key)
{
    unsigned char *der = NULL;
    char *text;
    BIO *bio = BIO_new(BIO_s_mem());
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key->pkey);
    int size = i2d_PKCS8_PRIV_KEY_INFO(info, &der);

    add_blob(key, "DER", (char *)der, (size_t)size);
    cr_assert(PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL));
    size = (int)BIO_get_mem_data(bio, &text);
    add_text(key, text, (size_t)size, "\n");
    add_text(key, text, (size_t)size, "\r\n");
    add_text(key, text, (size_t)size, "\\n"); /* as in JSON */
    add_text(key, text, (size_t)size, "");
    add_text(key, text, (size_t)size, "\n    ");
    if (EVP_PKEY_is_a(key->pkey, "RSA") || EVP_PKEY_is_a(key->pkey, "EC")) {
        der = NULL;
        size = i2d_PrivateKey(key->pkey, &der);
        add_blob(key, "DER", (char *)der, (size_t)size);
        (void)BIO_reset(bio);
        cr_assert(
            PEM_write_bio_PrivateKey_traditional(bio, key->pkey, NULL, NULL, 0, NULL, NULL));
        size = (int)BIO_get_mem_data(bio, &text);
        add_text(key, text, (size_t)size, "\n");
    }
    PKCS8_PRIV_KEY_INFO_free(info);
    BIO_free(bio);
}

struct test_key *take_key(EVP_PKEY *pkey)
{
    struct test_key *key = calloc(1, sizeof(*key));

    cr_assert(key != NULL && pkey != NULL);
    key->pkey = pkey;
    take_parts(key);
    take_blobs(key);
    return key;
}

struct test_key *make_key(const char *name)
{
    return take_key(generate(name));
}

void write_key(const struct test_key *key, const char *file)
{
    FILE *stream = fopen(file, "w");

    cr_assert(stream != NULL, "%s", file);
    cr_assert(PEM_write_PKCS8PrivateKey(stream, key->pkey, NULL, NULL, 0, NULL, NULL));
    fclose(stream);
}
