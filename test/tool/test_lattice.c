/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of keys of ML-KEM, ML-DSA and SLH-DSA, by what the standards say of their bytes. */
#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "scan/key_source.h"

enum { Q = 8380417 };

static struct key_parts parts_of(const char *type, const uint8_t *private, size_t size)
{
    struct key_parts parts = {0};
    struct key_source from = {.keys = &parts, .file = "file", .type = type};
    bool known;

    cr_assert(key_lattice_add(&from, private, size, &known) && known, "%s", type);
    return parts;
}

static const struct key_part *part_of(const struct key_parts *parts, const char *name)
{
    for (size_t i = 0; i < parts->count; i++) {
        if (strcmp(parts->parts[i].name, name) == 0)
            return &parts->parts[i];
    }
    cr_assert(false, "no part %s", name);
    return NULL;
}

static void check_bytes(const struct key_parts *parts, const char *name, const uint8_t *bytes,
                        size_t size)
{
    const struct key_part *part = part_of(parts, name);

    cr_expect_eq(part->size, size, "%s has %zu bytes", name, part->size);
    cr_expect_eq(part->form, KEY_STRING);
    cr_expect_arr_eq(part->bytes, bytes, size, "%s", name);
}

/* So that no two parts are the same */
static uint8_t *bytes_of(size_t size)
{
    uint8_t *bytes = malloc(size);
    uint32_t state = 1;

    cr_assert(bytes != NULL);
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(state >> 24);
    }
    return bytes;
}

Test(lattice, ml_kem)
{
    uint8_t *private = bytes_of(2400);

    memcpy(private, (const uint8_t[]){0x01, 0x23, 0x45}, 3);

    struct key_parts parts = parts_of("ML-KEM-768", private, 2400);
    const struct key_part *words = part_of(&parts, "s unpacked");

    cr_expect_eq(parts.count, 3);
    check_bytes(&parts, "s", private, 1152);
    check_bytes(&parts, "z", private + 2400 - 32, 32);
    cr_expect_eq(words->size, 3 * 256 * sizeof(uint16_t));
    cr_expect_eq(words->form, KEY_WORDS);
    cr_expect_eq(((const uint16_t *)words->bytes)[0], 0x301);
    cr_expect_eq(((const uint16_t *)words->bytes)[1], 0x452);
    free(private);
}

Test(lattice, ml_dsa)
{
    const uint32_t two[] = {2, 1, 0, Q - 1, Q - 2, 2, 1, 0}, four[] = {4, Q - 4};
    uint8_t *private = bytes_of(2560);

    memcpy(private + 128, (const uint8_t[]){0x88, 0x46, 0x44}, 3);

    struct key_parts parts = parts_of("ML-DSA-44", private, 2560);
    const struct key_part *words = part_of(&parts, "s1 unpacked");

    cr_expect_eq(parts.count, 5);
    check_bytes(&parts, "K", private + 32, 32);
    check_bytes(&parts, "s1", private + 128, 4 * 96);
    check_bytes(&parts, "s2", private + 128 + 4 * 96, 4 * 96);
    cr_expect_eq(words->size, 4 * 256 * sizeof(uint32_t));
    cr_expect_arr_eq(words->bytes, two, sizeof(two));
    free(private);

    private = bytes_of(4032);
    private[128] = 0x80;
    parts = parts_of("ML-DSA-65", private, 4032);
    check_bytes(&parts, "s1", private + 128, 5 * 128);
    check_bytes(&parts, "s2", private + 128 + 5 * 128, 6 * 128);
    cr_expect_arr_eq(part_of(&parts, "s1 unpacked")->bytes, four, sizeof(four));
    cr_expect_eq(part_of(&parts, "s2 unpacked")->size, 6 * 256 * sizeof(uint32_t));
    free(private);
}

Test(lattice, others)
{
    uint8_t *private = bytes_of(64);
    struct key_parts parts = parts_of("SLH-DSA-SHA2-128s", private, 64), none = {0};
    struct key_source from = {.keys = &none, .file = "file", .type = "NEW-DSA"};
    bool known = true;

    cr_expect_eq(parts.count, 2);
    check_bytes(&parts, "seed", private, 16);
    check_bytes(&parts, "prf", private + 16, 16);
    cr_expect(key_lattice_add(&from, private, 64, &known));
    cr_expect(!known && none.count == 0, "a key of a kind that is not known has no parts");
    from.type = "ML-KEM-512";
    cr_expect(key_lattice_add_seed(&from, private, 64));
    cr_expect_eq(none.count, 2, "d and z");
    free(private);
}
