/* SPDX-License-Identifier: Apache-2.0 */
#include "exports/ssl_session_seal.h"
#include "session_key.h"
#include <string.h>

/* From <openssl/evp.h>, which this library is built without */
#define EVP_CTRL_AEAD_GET_TAG 0x10
#define EVP_CTRL_AEAD_SET_TAG 0x11

/* An OCTET STRING of DER, so that OpenSSL's functions for streams read one as a whole */
static const unsigned char tag_and_size[2] = {0x04, 0x84}; /* a length of four bytes follows */
static const unsigned char magic[8] = {0, 'S', 'M', 's', 'e', 'a', 'l', 1};

#define LENGTH_AT sizeof(tag_and_size)
#define MAGIC_AT  (LENGTH_AT + 4)

struct cipher {
    int (*mark)(void);
    int (*to_mark)(void);
    void *(*context_new)(void);
    void (*context_free)(void *);
    int (*control)(void *, int type, int n, void *);
    const void *(*aes)(void);
    int (*init)(void *, const void *cipher, void *engine, const unsigned char *key,
                const unsigned char *nonce, int encrypts);
    int (*update)(void *, unsigned char *to, int *written, const unsigned char *from, int n);
    int (*final)(void *, unsigned char *to, int *written);
};

static bool find_cipher(const struct elf_object *libcrypto, struct cipher *cipher)
{
    static const char *const names[] = {
        "ERR_set_mark",        "ERR_pop_to_mark",     "EVP_CIPHER_CTX_new",
        "EVP_CIPHER_CTX_free", "EVP_CIPHER_CTX_ctrl", "EVP_aes_256_gcm",
        "EVP_CipherInit_ex",   "EVP_CipherUpdate",    "EVP_CipherFinal_ex",
    };
    void *found[sizeof(names) / sizeof(names[0])];

    _Static_assert(sizeof(found) == sizeof(*cipher), "a member for each name, in that order");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        found[i] = elf_symbol_of(libcrypto, names[i]);
        if (!found[i])
            return false;
    }
    memcpy(cipher, found, sizeof(found));
    return true;
}

static void write_header(unsigned char *header, size_t n)
{
    size_t length = n + SEAL_OVERHEAD - MAGIC_AT;

    memcpy(header, tag_and_size, sizeof(tag_and_size));
    for (unsigned i = 0; i < 4; i++)
        header[LENGTH_AT + i] = (unsigned char)(length >> (24 - 8 * i));
    memcpy(header + MAGIC_AT, magic, sizeof(magic));
}

size_t session_sealed_length(const unsigned char *sealed, size_t length)
{
    const size_t more = SEAL_OVERHEAD - MAGIC_AT; /* than the plain text, in the string */
    size_t n = 0;

    if (length <= SEAL_OVERHEAD || memcmp(sealed, tag_and_size, sizeof(tag_and_size)) != 0 ||
        memcmp(sealed + MAGIC_AT, magic, sizeof(magic)) != 0)
        return 0;
    for (unsigned i = 0; i < 4; i++)
        n = n << 8 | sealed[LENGTH_AT + i];
    return n > more && n - more <= SEAL_MOST && n <= length - MAGIC_AT ? n - more : 0;
}

/*
 * Encrypts or decrypts n bytes. sealed has its header and its nonce. tag is read when
 * decrypting, written when encrypting.
 */
static bool pass(const struct cipher *cipher, void *context, const unsigned char *key,
                 const unsigned char *sealed, const unsigned char *from, unsigned char *to,
                 size_t n, unsigned char *tag, bool encrypts)
{
    int written = 0, rest = 0;

    return cipher->init(context, cipher->aes(), NULL, key, sealed + SEAL_HEADER, encrypts) ==
               1 &&
           cipher->update(context, NULL, &written, sealed, SEAL_HEADER) == 1 &&
           cipher->update(context, to, &written, from, (int)n) == 1 && written == (int)n &&
           (encrypts || cipher->control(context, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG, tag) == 1) &&
           cipher->final(context, to + n, &rest) == 1 && rest == 0 &&
           (!encrypts || cipher->control(context, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG, tag) == 1);
}

/* The same, with a context of its own. */
static bool pass_once(const struct elf_object *libcrypto, const unsigned char *key,
                      const unsigned char *sealed, const unsigned char *from, unsigned char *to,
                      size_t n, unsigned char *tag, bool encrypts)
{
    struct cipher cipher;
    void *context;
    bool good;

    if (!find_cipher(libcrypto, &cipher))
        return false;
    /* An error of the cipher is none of the program's: SSL_get_error() would tell of it. */
    cipher.mark();
    context = cipher.context_new();
    good = context && pass(&cipher, context, key, sealed, from, to, n, tag, encrypts);
    cipher.context_free(context);
    cipher.to_mark();
    return good;
}

bool session_seal(const struct elf_object *libcrypto, const unsigned char *key,
                  const unsigned char *plain, size_t n, unsigned char *sealed)
{
    unsigned char *text = sealed + SEAL_HEADER + SEAL_NONCE;

    if (n > SEAL_MOST)
        return false;
    write_header(sealed, n);
    return session_random(sealed + SEAL_HEADER, SEAL_NONCE) &&
           pass_once(libcrypto, key, sealed, plain, text, n, text + n, true);
}

bool session_unseal(const struct elf_object *libcrypto, const unsigned char *key,
                    const unsigned char *sealed, size_t n, unsigned char *plain)
{
    const unsigned char *text = sealed + SEAL_HEADER + SEAL_NONCE;
    unsigned char tag[SEAL_TAG];

    memcpy(tag, text + n, sizeof(tag));
    return pass_once(libcrypto, key, sealed, text, plain, n, tag, false);
}
