/* SPDX-License-Identifier: Apache-2.0 */
/* Every planted copy is found, at its address and with its names, and nothing else is. */
#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys.h"
#include "plant.h"
#include "spawn.h"

TestSuite(find, .init = (void (*)(void))enter_temporary_directory,
          .fini = leave_temporary_directory, .timeout = 120);

/* What was planted and should be found once. */
struct expected {
    uint64_t address;
    size_t size;
    const char *component, *encoding;
    enum place place;
};

struct expectations {
    struct expected *list;
    size_t count;
};

static void expect(struct expectations *all, struct expected one)
{
    all->list = reallocarray(all->list, all->count + 1, sizeof(one));
    cr_assert(all->list != NULL);
    all->list[all->count++] = one;
}

static void plant_parts(struct planter *planter, const struct test_key *key, enum place place,
                        struct expectations *all)
{
    for (size_t i = 0; i < key->part_count; i++) {
        const struct part *part = &key->parts[i];
        uint64_t forward = plant(planter, place, part->bytes, part->size, 1);
        uint64_t backward = plant(planter, place, part->reversed, part->size, 1);

        if (place >= PLACES)
            continue;
        expect(all, (struct expected){forward, part->size, part->name,
                                      part->integer ? "big-endian" : "raw", place});
        expect(all, (struct expected){backward, part->size, part->name,
                                      part->integer ? "little-endian" : "reversed", place});
    }
}

static void plant_blobs(struct planter *planter, const struct test_key *key, enum place place,
                        struct expectations *all)
{
    for (size_t i = 0; i < key->blob_count; i++) {
        const struct blob *blob = &key->blobs[i];
        uint64_t address = plant(planter, place, blob->bytes, blob->size, 1);

        for (size_t j = 0; j < key->part_count && place < PLACES; j++)
            expect(all, (struct expected){address, blob->size, key->parts[j].name,
                                          blob->encoding, place});
    }
}

static void check(const json_t *process, const struct expectations *all)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct expected *one = &all->list[i];

        cr_expect_eq(
            copies_at(process, one->address, one->size, one->component, one->encoding), 1,
            "%s as %s in place %d: found %zu times", one->component, one->encoding,
            (int)one->place,
            copies_at(process, one->address, one->size, one->component, one->encoding));
    }
    cr_expect_eq(copies_in_all(process), all->count, "%zu found, %zu planted",
                 copies_in_all(process), all->count);
    cr_expect_eq(whole_copies(process), all->count);
}

static void check_key(const struct test_key *key)
{
    struct planter planter = start_planter();
    struct expectations all = {0};

    write_key(key, "key.pem");
    for (int place = 0; place <= SECRET_MEMORY; place++) {
        plant_parts(&planter, key, (enum place)place, &all);
        plant_blobs(&planter, key, (enum place)place, &all);
    }

    json_t *root = scan_json("key.pem", planter.pid_text, 1);
    json_t *process = only_process(root);
    json_int_t page = sysconf(_SC_PAGESIZE);
    json_int_t secret = json_integer_value(json_object_get(process, "secret_bytes"));

    check(process, &all);
    cr_expect(secret >= page * (json_int_t)(2 * key->part_count + key->blob_count),
              "%lld bytes of secret memory", (long long)secret);
    cr_expect_str_eq(json_string_value(json_object_get(root, "scanner_memory")), "secret");
    stop_planter(&planter);
}

Test(find, rsa)
{
    check_key(make_key("rsa2048"));
}

Test(find, small_rsa)
{
    check_key(make_key("rsa1024"));
}

Test(find, large_rsa)
{
    check_key(make_key("rsa4096"));
}

Test(find, rsa_of_three_primes)
{
    check_key(make_key("rsa3prime"));
}

Test(find, p256)
{
    check_key(make_key("P-256"));
}

Test(find, p521)
{
    check_key(make_key("P-521"));
}

Test(find, x25519)
{
    check_key(make_key("X25519"));
}

Test(find, ed25519)
{
    check_key(make_key("ED25519"));
}

Test(find, x448)
{
    check_key(make_key("X448"));
}

Test(find, ed448)
{
    check_key(make_key("ED448"));
}

/* A private value whose first bytes are zero, in fixed width. */
Test(find, leading_zeros)
{
    struct test_key *key;

    do {
        key = make_key("P-521");
    } while (key->parts[0].bytes[0] != 0 || key->parts[0].bytes[1] != 0);
    check_key(key);
}

/* Counts each row's copies of a part. */
static size_t count_rows(const json_t *process, uint64_t address, size_t size, unsigned *found,
                         const char *component, const char *encoding, unsigned rows)
{
    json_t *copies = json_object_get(process, "copies");
    size_t count = 0;
    size_t i;
    json_t *copy;

    memset(found, 0, rows * sizeof(*found));
    json_array_foreach(copies, i, copy)
    {
        uint64_t at = strtoull(json_string_value(json_object_get(copy, "address")), NULL, 16);

        if (at < address || at - address >= (uint64_t)size * rows ||
            strcmp(json_string_value(json_object_get(copy, "component")), component) != 0 ||
            strcmp(json_string_value(json_object_get(copy, "encoding")), encoding) != 0)
            continue;
        found[(at - address) / size]++;
        count++;
    }
    return count;
}

/* parts: how many of the key's parts, from the first on, each row holds once. */
static void check_rows(const struct test_key *key, size_t first, size_t parts,
                       const void *bytes, size_t size, const char *encoding)
{
    unsigned rows = (unsigned)((2 << 20) / size);
    unsigned *found = calloc(rows, sizeof(*found));
    struct planter planter = start_planter();
    uint64_t address = plant(&planter, PAGE_BOUNDARY, bytes, size, rows);
    json_t *process = only_process(scan_json("key.pem", planter.pid_text, 1));

    cr_assert(found != NULL);
    for (size_t part = first; part < first + parts; part++) {
        const char *name = key->parts[part].name;

        cr_expect_eq(count_rows(process, address, size, found, name, encoding, rows), rows);
        /* Each assertion costs Criterion a message: one is made for the first bad row. */
        unsigned row = 0;
        while (row < rows && found[row] == 1)
            row++;
        cr_expect_eq(row, rows, "%s as %s: row %u has %u", name, encoding, row,
                     row < rows ? found[row] : 1);
    }
    cr_expect_eq(copies_in_all(process), rows * parts);
    cr_expect_eq(whole_copies(process), rows * parts);
    free(found);
    stop_planter(&planter);
}

/* Copies back to back over 2 MiB: on every edge of what the tool reads at a time. */
Test(find, rows)
{
    struct test_key *key = make_key("rsa2048");

    write_key(key, "key.pem");
    for (size_t i = 0; i < 2; i++)
        check_rows(key, i, 1, key->parts[i].bytes, key->parts[i].size, "big-endian");
    for (size_t i = 0; i < key->blob_count; i++)
        check_rows(key, 0, key->part_count, key->blobs[i].bytes, key->blobs[i].size,
                   key->blobs[i].encoding);
}

/* What an allocator's pointers left of a part is a copy when it is half of it, else none. */
Test(find, damaged)
{
    struct test_key *key = make_key("rsa2048");
    struct part *p = &key->parts[1];
    struct planter planter = start_planter();
    uint64_t tail, head;
    uint8_t middle[1024];

    write_key(key, "key.pem");
    tail = plant(&planter, HEAP_UNALIGNED, p->reversed + 16, p->size - 16, 1);
    head = plant(&planter, PAGE_BOUNDARY, p->bytes, p->size / 2, 1);
    plant(&planter, PAGE_BOUNDARY, p->bytes, p->size / 2 - 1, 1);
    memcpy(middle, p->bytes, p->size);
    middle[p->size / 2] ^= 1;
    middle[p->size / 2 - 1] ^= 1;
    plant(&planter, HEAP_UNALIGNED, middle, p->size, 1);

    json_t *process = only_process(scan_json("key.pem", planter.pid_text, 1));
    json_t *copy = json_array_get(json_object_get(process, "copies"), 0);

    cr_expect_eq(copies_at(process, tail, 1, "p", "little-endian"), 1);
    cr_expect_eq(copies_at(process, head, 1, "p", "big-endian"), 1);
    cr_expect_eq(copies_in_all(process), 2);
    cr_expect(json_integer_value(json_object_get(copy, "size")) <
              json_integer_value(json_object_get(copy, "of")));
    stop_planter(&planter);
}

/* Public parts, another key, and noise are no copies. */
Test(find, nothing)
{
    struct test_key *key = make_key("rsa2048");
    struct test_key *other = make_key("rsa2048");
    struct planter planter = start_planter();
    unsigned char *public_key = NULL;
    static uint8_t noise[100000];
    BIGNUM *n = NULL;
    uint8_t modulus[256];

    write_key(key, "key.pem");
    cr_assert(EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_N, &n));
    BN_bn2lebinpad(n, modulus, sizeof(modulus));
    RAND_bytes(noise, sizeof(noise));

    int size = i2d_PUBKEY(key->pkey, &public_key);

    for (int place = 0; place < PLACES; place++) {
        plant(&planter, (enum place)place, public_key, (size_t)size, 1);
        plant(&planter, (enum place)place, modulus, sizeof(modulus), 1);
        plant(&planter, (enum place)place, other->blobs[1].bytes, other->blobs[1].size, 1);
        if (place != THREAD_STACK)
            plant(&planter, (enum place)place, noise, sizeof(noise), 1);
    }
    /* In secret memory it is no copy either. */
    plant(&planter, SECRET_MEMORY, key->parts[0].bytes, key->parts[0].size, 1);

    json_t *root = scan_json("key.pem", planter.pid_text, 0);

    cr_expect_eq(copies_in_all(only_process(root)), 0);
    cr_expect_eq(json_integer_value(json_object_get(root, "copies")), 0);
    cr_expect_eq(json_integer_value(json_object_get(only_process(root), "secret_bytes")),
                 sysconf(_SC_PAGESIZE));
    stop_planter(&planter);
}
