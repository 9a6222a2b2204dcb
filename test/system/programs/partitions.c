/* SPDX-License-Identifier: Apache-2.0 */
/* In which partition what lies.
 *
 *   partitions KIND keys|octets|names|no_names|route */
#include "arena.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

static unsigned places[PARTS + 2];

static void count_place(const unsigned char *at, const char *name)
{
    enum part part = part_of(at);

    /* Without the preload the numbers are elsewhere: counted as in none. */
    places[part]++;
    if (part != PART_BYTES && part != PART_NONE)
        printf("%s at %p, partition %s\n", name, (const void *)at, part_names[part]);
}

/* Everything in the arena, or in the heap, that may be read */
static void search_memory(const struct numbers *numbers)
{
    char line[512];
    FILE *file = fopen("/proc/self/maps", "re");

    memset(places, 0, sizeof(places));
    while (file && fgets(line, sizeof(line), file)) {
        uintptr_t start, end;
        char rights[8];
        if (sscanf(line, "%lx-%lx %7s", &start, &end, rights) != 3 || rights[0] != 'r')
            continue;
        if (strstr(line, "/secretmem") || strstr(line, "[heap]"))
            numbers_search(numbers, 16, (const unsigned char *)start, end - start, count_place);
    }
    fclose(file);
}

static void check_numbers(EVP_PKEY *key, const char *what)
{
    static struct numbers numbers; /* not in the memory that is searched */

    memset(&numbers, 0, sizeof(numbers));
    numbers_add(&numbers, key);
    search_memory(&numbers);
    if (expected == MEMORY_ORDINARY) {
        check(places[PART_NONE] > 0, "the control: %s in ordinary memory", what);
        return;
    }
    check(places[PART_BYTES] > 0, "%s: among the key bytes, %u places", what,
          places[PART_BYTES]);
    check(places[PART_KEY] + places[PART_IO] + places[PART_PUBLIC] + places[PART_NONE] == 0,
          "%s: and nowhere else (%u keys, %u records, %u public, %u outside)", what,
          places[PART_KEY], places[PART_IO], places[PART_PUBLIC], places[PART_NONE]);
}

/* Private numbers, while the keys are live and were used */
static void keys(void)
{
    static const unsigned char text[32] = "text";
    EVP_PKEY *pair[] = {EVP_RSA_gen(2048), EVP_EC_gen("P-256")};
    static const char *const names[] = {"RSA", "EC"};

    for (int i = 0; i < 2; i++) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        unsigned char signature[512];
        size_t length = sizeof(signature);
        check(pair[i] && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, pair[i]) == 1 &&
                  EVP_DigestSign(context, signature, &length, text, sizeof(text)) == 1,
              "a signature by %s", names[i]);
        EVP_MD_CTX_free(context);
        check_numbers(pair[i], names[i]);
        check_part(pair[i], PART_KEY, "the object around the numbers");
    }
    EVP_PKEY_free(pair[0]);
    EVP_PKEY_free(pair[1]);
}

/* Octet keys have no numbers: their bytes are searched for. */
static void octets(void)
{
    static struct numbers numbers;
    static const char *const kinds[] = {"X25519", "ED25519", "X448", "ED448"};

    for (int i = 0; i < 4; i++) {
        EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, kinds[i]);
        struct number *number = &numbers.number[0];
        numbers.count = 1;
        number->name = kinds[i];
        number->size = sizeof(number->big);
        if (!key || EVP_PKEY_get_raw_private_key(key, number->big, &number->size) != 1)
            broken(kinds[i]);
        memcpy(number->little, number->big, number->size);
        search_memory(&numbers);
        if (expected == MEMORY_ORDINARY)
            check(places[PART_NONE] > 0, "the control: %s in ordinary memory", kinds[i]);
        else
            check(places[PART_BYTES] > 0 && places[PART_KEY] + places[PART_IO] +
                                                    places[PART_PUBLIC] + places[PART_NONE] ==
                                                0,
                  "%s: among the key bytes, and nowhere else", kinds[i]);
        EVP_PKEY_free(key);
    }
}

static const struct {
    const char *file;
    enum part part;
} files[] = {
    {"crypto/bn/bn_lib.c", PART_BYTES},
    {"crypto/ec/ecx_key.c", PART_BYTES},
    {"crypto/rsa/rsa_lib.c", PART_KEY},
    {"crypto/buffer/buffer.c", PART_KEY},
    {"crypto/bio/bss_mem.c", PART_KEY},
    {"crypto/asn1/asn1_lib.c", PART_KEY},
    {"crypto/pem/pem_lib.c", PART_KEY},
    {"ssl/ssl_lib.c", PART_KEY},
    {"main.c", PART_KEY},
    {"ssl/record/ssl3_buffer.c", PART_IO},
    {"../ssl/record/rec_layer_s3.c", PART_IO},
    {"crypto/err/err.c", PART_PUBLIC},
    {"crypto/lhash/lhash.c", PART_PUBLIC},
};

static void names(void)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        void *small = CRYPTO_malloc(50, files[i].file, 1);
        void *large = CRYPTO_malloc(50000, files[i].file, 1);
        check_part(small, files[i].part, files[i].file);
        check_part(large, i == 1 ? PART_KEY : files[i].part, files[i].file);
        small = CRYPTO_realloc(small, 5000, "crypto/err/err.c", 1);
        check_part(small, files[i].part, "resized from elsewhere");
        CRYPTO_free(small, "crypto/err/err.c", 1);
        CRYPTO_free(large, files[i].file, 1);
    }
}

/* As a libcrypto built with OPENSSL_NO_FILENAMES calls, and programs that pass NULL */
static void no_names(void)
{
    for (size_t size = 1; size < 100000; size = size * 3 + 1) {
        void *empty = CRYPTO_malloc(size, "", 0), *null = CRYPTO_malloc(size, NULL, 0);
        check_part(empty, PART_KEY, "an empty file name");
        check_part(null, PART_KEY, "no file name");
        check_kind(empty, "an empty file name");
        CRYPTO_free(empty, "", 0);
        CRYPTO_free(null, NULL, 0);
    }
}

/* SECRETSSL_ROUTE=keys */
static void route(void)
{
    bool ours = expected == MEMORY_SECRET;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        void *block = CRYPTO_malloc(50, files[i].file, 1);
        void *large = CRYPTO_malloc(50000, files[i].file, 1);
        bool key = files[i].part == PART_BYTES || files[i].part == PART_KEY;
        check((kind_of(block) == MEMORY_SECRET) == (ours && key), "%s: %s memory",
              files[i].file, kind_name(kind_of(block)));
        check((kind_of(large) == MEMORY_SECRET) == (ours && key), "%s, large: %s memory",
              files[i].file, kind_name(kind_of(large)));
        CRYPTO_free(block, files[i].file, 1);
        CRYPTO_free(large, files[i].file, 1);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"keys", keys},         {"octets", octets}, {"names", names},
        {"no_names", no_names}, {"route", route},   {NULL, NULL},
    };
    return run_case(cases, argc, argv);
}
