/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The format is described in PROTOCOL.key of OpenSSH: base64 of "openssh-key-v1", the names of
 * a cipher and of a key derivation, and a list of fields for the public and the private key. A
 * field is its length, four bytes, and its contents. With a passphrase, the private fields are
 * encrypted by a key that libcrypto cannot derive (bcrypt_pbkdf).
 */
#include "scan/key_openssh.h"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <string.h>

#include "cli/message.h"
#include "scan/key_source.h"
#include "secretmem.h"

struct field {
    const uint8_t *bytes;
    size_t size;
};

/* What has not been read yet. bad: a field was cut off. */
struct fields {
    const uint8_t *at;
    size_t left;
    bool bad;
};

static uint32_t take_number(struct fields *fields)
{
    uint32_t number = 0;

    if (fields->left < 4) {
        fields->bad = true;
        return 0;
    }
    for (int i = 0; i < 4; i++)
        number = number << 8 | fields->at[i];
    fields->at += 4;
    fields->left -= 4;
    return number;
}

static struct field take_field(struct fields *fields)
{
    size_t size = take_number(fields);
    struct field field = {fields->at, size};

    if (fields->bad || size > fields->left) {
        fields->bad = true;
        return (struct field){fields->at, 0};
    }
    fields->at += size;
    fields->left -= size;
    return field;
}

static bool field_is(struct field field, const char *text)
{
    return field.size == strlen(text) && memcmp(field.bytes, text, field.size) == 0;
}

static bool field_add(struct key_source *from, const char *name, enum key_form form,
                      struct field field)
{
    uint8_t *copy;

    while (form == KEY_INTEGER && field.size > 0 && field.bytes[0] == 0) {
        field.bytes++;
        field.size--;
    }
    copy = secretmem_malloc(field.size + 1);
    if (copy == NULL) {
        say("scan: out of memory");
        return false;
    }
    memcpy(copy, field.bytes, field.size);
    return key_source_add(from, name, form, copy, field.size);
}

/* The format has no d mod (p - 1), which programs compute. */
static bool add_exponent(struct key_source *from, const char *name, struct field d,
                         struct field prime)
{
    BN_CTX *context = BN_CTX_new();
    BIGNUM *exponent = BN_bin2bn(d.bytes, (int)d.size, NULL);
    BIGNUM *modulus = BN_bin2bn(prime.bytes, (int)prime.size, NULL);
    uint8_t *bytes = secretmem_malloc(prime.size + 1);
    bool good = context != NULL && exponent != NULL && modulus != NULL && bytes != NULL &&
                BN_sub_word(modulus, 1) && BN_nnmod(exponent, exponent, modulus, context);
    int size = good ? BN_bn2bin(exponent, bytes) : 0;

    BN_clear_free(exponent);
    BN_clear_free(modulus);
    BN_CTX_free(context);
    if (good)
        return key_source_add(from, name, KEY_INTEGER, bytes, (size_t)size);
    secretmem_free(bytes);
    say("scan: the RSA key in %s is damaged", from->file);
    return false;
}

static bool add_rsa_fields(struct key_source *from, struct fields *fields)
{
    struct field d, inverse, p, q;

    take_field(fields); /* n */
    take_field(fields); /* e */
    d = take_field(fields);
    inverse = take_field(fields);
    p = take_field(fields);
    q = take_field(fields);
    if (fields->bad)
        return true;
    return field_add(from, "d", KEY_INTEGER, d) && field_add(from, "p", KEY_INTEGER, p) &&
           field_add(from, "q", KEY_INTEGER, q) &&
           field_add(from, "qInv", KEY_INTEGER, inverse) && add_exponent(from, "dP", d, p) &&
           add_exponent(from, "dQ", d, q);
}

static bool add_ec_fields(struct key_source *from, struct fields *fields)
{
    struct field private;

    take_field(fields); /* the curve */
    take_field(fields); /* the public point */
    private = take_field(fields);
    return fields->bad || field_add(from, "private", KEY_INTEGER, private);
}

/* The private field is the seed, 32 bytes, and the public key. */
static bool add_ed25519_fields(struct key_source *from, struct fields *fields)
{
    struct field private;

    take_field(fields); /* the public key */
    private = take_field(fields);
    if (private.size != 64)
        fields->bad = true;
    private.size = 32;
    return fields->bad || field_add(from, "private", KEY_STRING, private);
}

static const struct {
    const char *name, *type;
    bool (*add)(struct key_source *from, struct fields *fields);
} types[] = {
    {"ssh-rsa", "RSA", add_rsa_fields},
    {"ssh-ed25519", "ED25519", add_ed25519_fields},
    {"ecdsa-sha2-nistp256", "EC", add_ec_fields},
    {"ecdsa-sha2-nistp384", "EC", add_ec_fields},
    {"ecdsa-sha2-nistp521", "EC", add_ec_fields},
};

static enum openssh_result add_private(struct key_source *from, struct field private)
{
    struct fields fields = {.at = private.bytes, .left = private.size};
    uint32_t check = take_number(&fields);
    struct field name;

    if (take_number(&fields) != check)
        fields.bad = true;
    name = take_field(&fields);
    for (size_t i = 0; !fields.bad && i < sizeof(types) / sizeof(types[0]); i++) {
        if (!field_is(name, types[i].name))
            continue;
        from->type = types[i].type;
        if (!types[i].add(from, &fields))
            return OPENSSH_FAILED;
        if (!fields.bad)
            return OPENSSH_ADDED;
    }
    if (!fields.bad)
        return OPENSSH_LOCKED;
    say("scan: the key in %s is damaged", from->file);
    return OPENSSH_FAILED;
}

static enum openssh_result read_decoded(struct key_source *from, const uint8_t *bytes,
                                        size_t size)
{
    static const char magic[] = "openssh-key-v1"; /* with the zero at its end */
    struct fields fields = {.at = bytes + sizeof(magic), .left = size - sizeof(magic)};
    struct field cipher, private;

    if (size < sizeof(magic) || memcmp(bytes, magic, sizeof(magic)) != 0)
        return OPENSSH_LOCKED;
    cipher = take_field(&fields);
    take_field(&fields);  /* the key derivation */
    take_field(&fields);  /* its parameters */
    take_number(&fields); /* of keys: one */
    take_field(&fields);  /* the public key */
    private = take_field(&fields);
    if (fields.bad || !field_is(cipher, "none"))
        return OPENSSH_LOCKED;
    return add_private(from, private);
}

enum openssh_result key_openssh_load(struct key_parts *keys, const char *file,
                                     const uint8_t *bytes, size_t size)
{
    static const char begin[] = "-----BEGIN OPENSSH PRIVATE KEY-----", end[] = "-----END";
    struct key_source from = {.keys = keys, .file = file};
    const uint8_t *text = memmem(bytes, size, begin, sizeof(begin) - 1), *stop;
    enum openssh_result result = OPENSSH_LOCKED;
    EVP_ENCODE_CTX *context;
    uint8_t *decoded;
    int got = 0, more = 0;

    if (text == NULL)
        return OPENSSH_NONE;
    text += sizeof(begin) - 1;
    stop = memmem(text, size - (size_t)(text - bytes), end, sizeof(end) - 1);
    if (stop == NULL)
        return OPENSSH_LOCKED;
    context = EVP_ENCODE_CTX_new();
    decoded = secretmem_malloc((size_t)(stop - text) + 1);
    if (context == NULL || decoded == NULL) {
        say("scan: out of memory");
        result = OPENSSH_FAILED;
    } else {
        EVP_DecodeInit(context);
        if (EVP_DecodeUpdate(context, decoded, &got, text, (int)(stop - text)) >= 0 &&
            EVP_DecodeFinal(context, decoded + got, &more) >= 0)
            result = read_decoded(&from, decoded, (size_t)got + (size_t)more);
    }
    EVP_ENCODE_CTX_free(context);
    secretmem_free(decoded);
    return result;
}
