/* SPDX-License-Identifier: Apache-2.0 */
#include "base/counters.h"
#include "base/settings.h"
#include "hooks/partition.h"
#include "log/log.h"
#include "support.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static void check(const char *file, unsigned answer)
{
    static const char *const before[] = {"", "../", "./", "/build/openssl-3.0.17/", "a/b/../"};
    static char paths[sizeof(before) / sizeof(before[0])][256];

    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        snprintf(paths[i], sizeof(paths[i]), "%s%s", before[i], file);
        cr_assert_eq(partition_classify(paths[i]), answer, "%s", paths[i]);
    }
}

Test(route, key_bytes)
{
    check("crypto/bn/bn_lib.c", SM_PART_BYTES);
    check("crypto/bn/bn_exp.c", SM_PART_BYTES);
    check("crypto/bn/rsaz_exp_x2.c", SM_PART_BYTES);
    check("crypto/bn/bn_rand.c", SM_PART_BYTES);
    check("crypto/rsa/rsa_ossl.c", SM_PART_BYTES);
    check("crypto/ec/ecx_key.c", PARTITION_OCTETS);
}

Test(route, stacks)
{
    check("crypto/async/arch/async_posix.c", PARTITION_STACK);
    check("crypto/async/async.c", SM_PART_KEY);
    cr_assert_eq(partition_for("../crypto/async/arch/async_posix.c", 32768), PARTITION_STACK);
    cr_assert_eq(partition_for("../crypto/async/arch/async_posix.c", 32768), PARTITION_STACK,
                 "again");
}

/* Objects with locks or counters are never among the key bytes, which may be uncached. */
Test(route, keys)
{
    check("crypto/rsa/rsa_lib.c", SM_PART_KEY);
    check("crypto/evp/p_lib.c", SM_PART_KEY);
    check("crypto/bn/bn_ctx.c", SM_PART_KEY);
    check("crypto/bn/bn_mont.c", SM_PART_KEY);
    check("crypto/buffer/buffer.c", SM_PART_KEY);
    check("crypto/asn1/a_octet.c", SM_PART_KEY);
    check("crypto/mem.c", SM_PART_KEY);
    check("ssl/ssl_lib.c", SM_PART_KEY);
    check("ssl/statem/statem_srvr.c", SM_PART_KEY);
    check("providers/implementations/keymgmt/rsa_kmgmt.c", SM_PART_KEY);
}

Test(route, records_and_public)
{
    check("ssl/record/ssl3_buffer.c", SM_PART_IO);
    check("ssl/record/methods/tls_common.c", SM_PART_IO);
    check("crypto/conf/conf_mod.c", SM_PART_PUBLIC);
    check("crypto/core_namemap.c", SM_PART_PUBLIC);
    check("crypto/err/err.c", PARTITION_NEEDED);
    check("crypto/evp/evp_fetch.c", SM_PART_PUBLIC);
    check("crypto/ex_data.c", SM_PART_PUBLIC);
    check("crypto/init.c", SM_PART_PUBLIC);
    check("crypto/initthread.c", SM_PART_PUBLIC);
    check("crypto/lhash/lhash.c", SM_PART_PUBLIC);
    check("crypto/objects/obj_dat.c", SM_PART_PUBLIC);
    check("crypto/property/property_parse.c", SM_PART_PUBLIC);
    check("crypto/provider_core.c", SM_PART_PUBLIC);
    check("crypto/stack/stack.c", SM_PART_PUBLIC);
    check("crypto/threads_pthread.c", PARTITION_NEEDED);
    check("crypto/threads_common.c", PARTITION_NEEDED);
    check("crypto/sparse_array.c", PARTITION_NEEDED);
    check("crypto/x509/x509_vpm.c", SM_PART_PUBLIC);
}

/* What is not known, or only looks like it, is taken for a key. */
Test(route, unknown)
{
    static const char *const files[] = {
        NULL,
        "",
        "/",
        "main.c",
        "bn_lib.c",
        "xcrypto/err/err.c",
        "crypto/err",
        "crypto/ex_data.cc",
        "crypto/ex_data.c.in",
        "mycrypto/stack/stack.c",
        "crypto/bn/bn_lib.c.orig",
        "notssl/record/x.c",
    };

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        cr_assert_eq(partition_classify(files[i]), SM_PART_KEY, "%s", files[i]);
}

Test(route, octet_keys_by_size)
{
    static const char file[] = "../crypto/ec/ecx_key.c";

    cr_assert_eq(partition_for(file, 32), SM_PART_BYTES, "X25519");
    cr_assert_eq(partition_for(file, 57), SM_PART_BYTES, "Ed448");
    cr_assert_eq(partition_for(file, 64), SM_PART_BYTES);
    cr_assert_eq(partition_for(file, 65), SM_PART_KEY, "the object around it");
    cr_assert_eq(partition_for(file, 200), SM_PART_KEY);
}

Test(route, no_file)
{
    cr_assert_eq(partition_for(NULL, 100), SM_PART_KEY);
    cr_assert_eq(partition_for("", 100), SM_PART_KEY);
    cr_assert_eq(partition_for(NULL, 100), SM_PART_KEY);
}

/* A pointer is looked up in the lists once; what it points to is not read again. */
Test(route, cached_by_pointer)
{
    static char file[64] = "crypto/err/err.c";

    cr_assert_eq(partition_for(file, 100), SM_PART_PUBLIC);
    strcpy(file, "crypto/bn/bn_lib.c");
    cr_assert_eq(partition_for(file, 100), SM_PART_PUBLIC);
    cr_assert_eq(partition_classify(file), SM_PART_BYTES);
}

/* The lists say where in OpenSSL's tree secrets do not go; nothing generic is on them. */
Test(route, carriers_of_key_bytes_stay)
{
    check("crypto/buffer/buffer.c", SM_PART_KEY);
    check("crypto/bio/bss_mem.c", SM_PART_KEY);
    check("crypto/asn1/asn1_lib.c", SM_PART_KEY);
    check("crypto/asn1/tasn_dec.c", SM_PART_KEY);
    check("crypto/pem/pem_lib.c", SM_PART_KEY);
    check("crypto/o_str.c", SM_PART_KEY);
}

static void without_names(void *arg)
{
    static const char *const names[] = {"", NULL};
    static char empty[64][8];

    sm_log_init("unit");
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 64; i++)
            CHECK(partition_for(empty[i], 100) == SM_PART_KEY);
        CHECK(partition_for(names[0], 32) == SM_PART_KEY &&
              partition_for(names[1], 32) == SM_PART_KEY);
    }
    (void)arg;
}

static void with_null(void *arg)
{
    sm_log_init("unit");
    CHECK(partition_for(NULL, 100) == SM_PART_KEY);
    CHECK(partition_for("crypto/err/err.c", 100) == SM_PART_PUBLIC);
    (void)arg;
}

/* OPENSSL_NO_FILENAMES: all is key material, and one line says so. */
Test(route, no_names_are_said_once)
{
    char text[1024];

    cr_assert_eq(in_child_saying(without_names, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "OPENSSL_NO_FILENAMES"), 1, "%s", text);
    cr_assert_eq(count_of(text, "\n"), 1, "%s", text);
    cr_assert_eq(in_child_saying(with_null, NULL, text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "", "programs pass NULL of their own");
}

static unsigned part_of(unsigned answer, unsigned octets)
{
    return answer == PARTITION_OCTETS   ? octets
           : answer == PARTITION_NEEDED ? SM_PART_PUBLIC
                                        : answer;
}

/* One set: more pointers than ways, in turns; each of them is found in front afterwards. */
Test(route, sets)
{
    enum { SET = 3, POINTERS = 3 * PARTITION_WAYS };
    static char area[PARTITION_SETS * 256 * (POINTERS + 2)];
    static const char *const names[] = {"crypto/err/err.c", "ssl/record/x.c",
                                        "crypto/bn/bn_lib.c", "crypto/ec/ecx_key.c", "main.c"};
    static const unsigned answers[] = {PARTITION_NEEDED, SM_PART_IO, SM_PART_BYTES,
                                       PARTITION_OCTETS, SM_PART_KEY};
    char *pointers[POINTERS];
    unsigned found = 0;

    for (char *p = area; p < area + sizeof(area) - 64 && found < POINTERS; p++) {
        uintptr_t key = (uintptr_t)p;
        if ((key ^ key >> 8) % PARTITION_SETS == SET) {
            strcpy(p, names[found % 5]);
            pointers[found++] = p;
            p += 64;
        }
    }
    cr_assert_eq(found, (unsigned)POINTERS);
    for (int round = 0; round < 5; round++) {
        for (unsigned i = 0; i < POINTERS; i++) {
            const char *p = pointers[(i * (unsigned)(2 * round + 1)) % POINTERS];
            unsigned wanted = partition_classify(p);
            cr_assert_eq(wanted, answers[(i * (unsigned)(2 * round + 1)) % POINTERS % 5]);
            cr_assert_eq(partition_for(p, 1000), part_of(wanted, SM_PART_KEY));
            cr_assert_eq(partition_for(p, 32), part_of(wanted, SM_PART_BYTES));
            cr_assert_eq(partition_needed(p), wanted == PARTITION_NEEDED);
            cr_assert_eq(partition_fast(p), wanted, "the next time it is in front");
        }
    }
}

/* What the fast path sees of a pointer that it does not know is no partition. */
Test(route, unknown_pointers_go_slow)
{
    static const char file[] = "main.c";

    for (uintptr_t at = 4096; at < 1UL << 47; at = at * 3 + 7)
        cr_assert_gt(partition_fast((const char *)at), PARTITION_NEEDED, "%lx", at);
    /* Before the file, whose place may be that of NULL. */
    cr_assert_eq(partition_fast(NULL), SM_PART_KEY);
    cr_assert_gt(partition_fast(file), PARTITION_NEEDED);
    cr_assert_eq(partition_for(file, 1), SM_PART_KEY);
    cr_assert_eq(partition_fast(file), SM_PART_KEY);
}

#define FILES (4 * PARTITION_SETS * PARTITION_WAYS)

/* Pointers that share a place in the cache do not get each other's answer. */
Test(route, cache_collisions)
{
    static char files[FILES][32];

    for (unsigned i = 0; i < FILES; i++)
        snprintf(files[i], sizeof(files[i]), i % 3 ? "crypto/err/%u.c" : "ssl/record/%u.c", i);
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < FILES; i++)
            cr_assert_eq(partition_for(files[i], 1), i % 3 ? SM_PART_PUBLIC : SM_PART_IO);
    }
}

/* A program that passes no name does not make libcrypto nameless. */
Test(route, nameless)
{
    cr_assert_eq(partition_classify("../crypto/init.c"), SM_PART_PUBLIC);
    cr_assert_eq(partition_classify(""), SM_PART_KEY);
    cr_assert_not(partition_nameless);
    sm_stats.hooks = 2;
    cr_assert_eq(partition_classify(""), SM_PART_KEY);
    cr_assert(partition_nameless, "one of two may be");
}

Test(route, nameless_from_the_start)
{
    cr_assert_eq(partition_classify(""), SM_PART_KEY);
    cr_assert(partition_nameless);
}
