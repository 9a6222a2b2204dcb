/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/key_parts.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/message.h"
#include "scan/key_openssh.h"
#include "scan/key_source.h"
#include "secretmem.h"

/* A key source with libcrypto's key. */
struct source {
    struct key_source parts;
    const EVP_PKEY *pkey;
};

struct passphrase {
    const char *text;
    bool asked;
};

static int answer_passphrase(char *buffer, int size, int writing, void *data)
{
    struct passphrase *passphrase = data;

    (void)writing;
    passphrase->asked = true;
    if (passphrase->text == NULL || strlen(passphrase->text) > (size_t)size)
        return -1;

    size_t length = strlen(passphrase->text);

    memcpy(buffer, passphrase->text, length);
    return (int)length;
}

/* Adds a number of the key. A number that the key lacks is no error. */
static bool add_number(struct source *from, const char *parameter, const char *name)
{
    BIGNUM *number = NULL;

    ERR_set_mark();

    int found = EVP_PKEY_get_bn_param(from->pkey, parameter, &number);

    ERR_pop_to_mark();
    if (!found)
        return true;

    size_t size = (size_t)BN_num_bytes(number);
    uint8_t *bytes = secretmem_calloc(1, size + 1);

    if (bytes == NULL) {
        say("scan: out of memory");
        BN_clear_free(number);
        return false;
    }
    BN_bn2bin(number, bytes);
    BN_clear_free(number);
    return key_source_add(&from->parts, name, KEY_INTEGER, bytes, size);
}

static bool add_rsa(struct source *from)
{
    static const char *const names[][2] = {
        {OSSL_PKEY_PARAM_RSA_D, "d"},          {OSSL_PKEY_PARAM_RSA_FACTOR1, "p"},
        {OSSL_PKEY_PARAM_RSA_FACTOR2, "q"},    {OSSL_PKEY_PARAM_RSA_EXPONENT1, "dP"},
        {OSSL_PKEY_PARAM_RSA_EXPONENT2, "dQ"}, {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, "qInv"},
    };
    /* The further primes r, exponents d and coefficients t of RFC 8017's multi-prime keys. */
    static const struct {
        const char *parameter, *name;
        int behind; /* libcrypto numbers coefficients from the second prime on */
    } further[] = {
        {"rsa-factor", "r", 0},
        {"rsa-exponent", "d", 0},
        {"rsa-coefficient", "t", 1},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!add_number(from, names[i][0], names[i][1]))
            return false;
    }
    for (size_t i = 0; i < sizeof(further) / sizeof(further[0]); i++) {
        for (int prime = 3; prime <= 10; prime++) {
            char parameter[32], name[16];

            snprintf(parameter, sizeof(parameter), "%s%d", further[i].parameter,
                     prime - further[i].behind);
            snprintf(name, sizeof(name), "%s%d", further[i].name, prime);
            if (!add_number(from, parameter, name))
                return false;
        }
    }
    return true;
}

/*
 * Gets an octet string of the key. *bytes is NULL if the key lacks it. On failure prints a
 * message and returns false.
 */
static bool string_of(const struct source *from, const char *parameter, uint8_t **bytes,
                      size_t *size)
{
    bool good = true;

    *bytes = NULL;
    *size = 0;
    ERR_set_mark();
    if (EVP_PKEY_get_octet_string_param(from->pkey, parameter, NULL, 0, size) && *size > 0) {
        *bytes = secretmem_calloc(1, *size);
        good = *bytes != NULL &&
               EVP_PKEY_get_octet_string_param(from->pkey, parameter, *bytes, *size, size);
    }
    ERR_pop_to_mark();
    if (!good) {
        say("scan: cannot take the private key out of %s", from->parts.file);
        secretmem_free(*bytes);
    }
    return good;
}

/*
 * Adds the seed of the key, if the file has the seed. The whole key is derived from the seed.
 */
static bool add_seed(struct source *from)
{
    uint8_t *bytes;
    size_t size;
    bool good = string_of(from, "seed", &bytes, &size);

    if (good && bytes != NULL)
        good = key_lattice_add_seed(&from->parts, bytes, size);
    else if (good && strncmp(from->parts.type, "SLH-", 4) != 0)
        say("scan: %s holds no seed of its %s key: where a process has it from elsewhere, it "
            "is not looked for",
            from->parts.file, from->parts.type);
    secretmem_free(bytes);
    return good;
}

/* Returns true for key types that are one string, all of it private. */
static bool is_plain(const EVP_PKEY *pkey)
{
    static const char *const types[] = {"X25519", "X448", "ED25519", "ED448"};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (EVP_PKEY_is_a(pkey, types[i]))
            return true;
    }
    return false;
}

static bool add_string(struct source *from)
{
    uint8_t *bytes;
    size_t size;
    bool known = false, good = string_of(from, OSSL_PKEY_PARAM_PRIV_KEY, &bytes, &size);

    if (!good || bytes == NULL)
        return good;
    if (is_plain(from->pkey))
        return key_source_add(&from->parts, "private", KEY_STRING, bytes, size);
    good = key_lattice_add(&from->parts, bytes, size, &known);
    if (good && !known) {
        say("scan: how %s keys lie in memory is not known: of the one in %s only the form in "
            "the file is looked for",
            from->parts.type, from->parts.file);
        from->parts.keys->incomplete = true;
        return key_source_add(&from->parts, "private", KEY_STRING, bytes, size);
    }
    secretmem_free(bytes);
    return good && add_seed(from);
}

static bool add_key(struct key_parts *keys, const char *file, const EVP_PKEY *pkey)
{
    const char *type = EVP_PKEY_get0_type_name(pkey);
    struct source from = {.parts = {.keys = keys, .file = file, .type = type}, .pkey = pkey};
    bool added;

    if (EVP_PKEY_is_a(pkey, "RSA") || EVP_PKEY_is_a(pkey, "RSA-PSS")) {
        added = add_rsa(&from);
    } else {
        added = add_number(&from, OSSL_PKEY_PARAM_PRIV_KEY, "private");
        if (added && from.parts.taken == 0)
            added = add_string(&from);
    }
    if (added && from.parts.taken == 0) {
        say("scan: the %s key in %s has no private part that libcrypto gives out; give "
            "another key",
            type, file);
        return false;
    }
    return added;
}

static bool no_key(const char *file, const struct passphrase *passphrase, bool openssh)
{
    if (passphrase->asked && passphrase->text == NULL)
        say("scan: the key in %s is protected by a passphrase; give --passin FILE with the "
            "passphrase in its first line",
            file);
    else if (passphrase->asked)
        say("scan: the passphrase does not open the key in %s; check the file given to "
            "--passin",
            file);
    else if (openssh)
        say("scan: the key in %s is in OpenSSH's own form, with a passphrase or of an unknown "
            "type; convert a copy of it: ssh-keygen -p -m PEM -f COPY",
            file);
    else
        say("scan: no private key found in %s; give one in PEM, DER, PKCS#12 or OpenSSH's form",
            file);
    ERR_clear_error();
    return false;
}

static bool load_all(struct key_parts *keys, const char *file, OSSL_STORE_CTX *store,
                     const struct passphrase *passphrase, bool openssh)
{
    bool any = false;

    while (!OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);

        if (info == NULL) {
            if (OSSL_STORE_error(store))
                break;
            continue;
        }

        EVP_PKEY *pkey = OSSL_STORE_INFO_get0_PKEY(info);
        bool added = pkey == NULL || add_key(keys, file, pkey);

        any = any || pkey != NULL;
        OSSL_STORE_INFO_free(info);
        if (!added)
            return false;
    }
    return any || no_key(file, passphrase, openssh);
}

bool key_parts_load(struct key_parts *keys, const char *file, const char *passphrase)
{
    struct passphrase answer = {.text = passphrase};
    bool loaded = false;
    size_t size = 0;
    uint8_t *bytes = key_file_read(file, "a private key", &size);

    if (bytes == NULL)
        return false;

    enum openssh_result openssh = key_openssh_load(keys, file, bytes, size);

    if (openssh == OPENSSH_ADDED || openssh == OPENSSH_FAILED) {
        OPENSSL_cleanse(bytes, size);
        secretmem_free(bytes);
        return openssh == OPENSSH_ADDED;
    }

    BIO *bio = BIO_new_mem_buf(bytes, (int)size);
    UI_METHOD *ui = UI_UTIL_wrap_read_pem_callback(answer_passphrase, 0);
    OSSL_STORE_CTX *store = NULL;

    if (bio != NULL && ui != NULL)
        store = OSSL_STORE_attach(bio, "file", NULL, NULL, ui, &answer, NULL, NULL, NULL);
    if (store == NULL)
        say("scan: libcrypto cannot read %s: %s", file,
            ERR_reason_error_string(ERR_peek_error()));
    else
        loaded = load_all(keys, file, store, &answer, openssh != OPENSSH_NONE);
    OSSL_STORE_close(store);
    UI_destroy_method(ui);
    BIO_free(bio);
    OPENSSL_cleanse(bytes, size);
    secretmem_free(bytes);
    return loaded;
}

void key_parts_free(struct key_parts *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        secretmem_free(keys->parts[i].bytes);
    free(keys->parts);
}
