/* SPDX-License-Identifier: Apache-2.0 */
#include "hooks/partition.h"
#include "base/counters.h"
#include "base/settings.h"
#include "hooks/own_secure_heap.h"
#include "log/lapse.h"
#include "log/log.h"
#include "os/protection_key.h"
#include "process/sealing.h"
#include <string.h>

uint64_t partition_cache[PARTITION_SETS][PARTITION_WAYS] = {[0] = {SM_PART_KEY}}; /* no file */

bool partition_nameless;
static bool partition_named; /* a libcrypto with file names is there */

struct rule {
    const char *path; /* as in OpenSSL's source tree; with a final '/', a directory */
    unsigned answer;
};

/*
 * Every file that is not listed allocates key material: a list of harmless files can be
 * complete, a list of secret files cannot. The files of the first five rules allocate bytes
 * and nothing else: no locks or reference counts, which must never lie in uncached memory.
 */
static const struct rule rules[] = {
    {"crypto/bn/bn_lib.c", SM_PART_BYTES},      /* big numbers and their words */
    {"crypto/bn/bn_exp.c", SM_PART_BYTES},      /* tables of powers in modular exponentiation */
    {"crypto/bn/rsaz_exp_x2.c", SM_PART_BYTES}, /* the same, and exponents, with AVX512-IFMA */
    {"crypto/bn/bn_rand.c", SM_PART_BYTES},     /* new keys, and the nonces of signatures */
    {"crypto/rsa/rsa_ossl.c", SM_PART_BYTES},
    {"crypto/ec/ecx_key.c", PARTITION_OCTETS},
    {"crypto/ec/ecp_", PARTITION_COUNTED}, /* scalars, and tables with reference counts */
    {"crypto/async/arch/", PARTITION_STACK},
    {"ssl/record/", SM_PART_IO},
    {"crypto/conf/conf_mod.c", SM_PART_PUBLIC},
    {"crypto/core_", SM_PART_PUBLIC},
    {"crypto/err/", PARTITION_NEEDED},
    {"crypto/evp/evp_fetch.c", SM_PART_PUBLIC},
    {"crypto/ex_data.c", SM_PART_PUBLIC},
    {"crypto/init", SM_PART_PUBLIC},
    {"crypto/lhash/", SM_PART_PUBLIC},
    {"crypto/objects/", SM_PART_PUBLIC},
    {"crypto/property/", SM_PART_PUBLIC},
    {"crypto/provider", SM_PART_PUBLIC},
    {"crypto/stack/", SM_PART_PUBLIC},
    {"crypto/sparse_array.c", PARTITION_NEEDED}, /* where threads_ keeps a thread's values */
    {"crypto/threads_", PARTITION_NEEDED},
    {"crypto/x509/x509_vpm.c", SM_PART_PUBLIC},
    {"crypto/ml_dsa/", PARTITION_SEALED},
    {"crypto/ml_kem/", PARTITION_SEALED},
    {"crypto/slh_dsa/", PARTITION_SEALED},
};

/*
 * What is key bytes otherwise is sealed too, and what is sealed is a secret otherwise. Sealed
 * memory may be uncached too, and then has no reference counts.
 */
static unsigned sealed_answer(unsigned answer)
{
    if (answer == PARTITION_COUNTED)
        answer = sm_settings.uncached == SM_UNCACHED_OFF ? PARTITION_SEALED : SM_PART_KEY;
    if (!sm_pku_is_on())
        return answer == PARTITION_SEALED ? SM_PART_KEY : answer;
    return answer == SM_PART_BYTES ? PARTITION_SEALED : answer;
}

/*
 * file is a path as the compiler saw it: "../crypto/bn/bn_lib.c", "/build/openssl/crypto/..."
 */
static bool rule_fits(const char *file, const char *path)
{
    const char *at = file;
    size_t length = strlen(path);

    while ((at = strstr(at, path)) != NULL) {
        bool starts = at == file || at[-1] == '/';
        bool ends = path[length - 1] != 'c' || path[length - 2] != '.' || at[length] == '\0';
        if (starts && ends)
            return true;
        at++;
    }
    return false;
}

/* Once for each file name, and each copy of it: the answer is remembered. */
static void watch_secure_heap(const char *file)
{
    /* Not its whole path, by which `secretssl` recognises copies of OpenSSL. */
    if (rule_fits(file, "mem_sec.c"))
        own_secure_heap_begins();
    else
        own_secure_heap_check();
}

void partition_unnamed(void)
{
    if (sm_pku_is_on())
        sm_sealing_refuse("a private key", "libcrypto names no files, so that key bytes cannot "
                                           "be told from other secrets");
    if (sm_settings.uncached == SM_UNCACHED_REQUIRE)
        sm_exit_refused(
            "SECRETSSL_UNCACHED=require: libcrypto names no files: key bytes cannot "
            "be told from other secrets, which need cached memory");
    if (sm_settings.fork != SM_FORK_DENY)
        return;
    if (sm_settings.require)
        sm_exit_refused("SECRETSSL_REQUIRE=1: libcrypto names no files: key bytes cannot be "
                        "withheld from children (SECRETSSL_FORK=deny)");
    sm_lapse(
        SM_LAPSE_WITHHELD,
        "SECRETSSL_FORK=deny: libcrypto names no files: key bytes cannot be told from other "
        "secrets, and forked children have them too; set SECRETSSL_REQUIRE=1 to refuse such "
        "a libcrypto");
}

/*
 * A program that is built without file names passes none to a libcrypto that has them. Whether
 * libcrypto has them is known before, by the files that it allocates from when it starts; not
 * if there are several.
 */
static void without_name(void)
{
    if (partition_named && sm_stats.hooks <= 1)
        return;
    __atomic_store_n(&partition_nameless, true, __ATOMIC_RELAXED);
    partition_unnamed();
    sm_lapse(SM_LAPSE_NAMELESS,
             "libcrypto allocates without file names (is it built with "
             "OPENSSL_NO_FILENAMES?): these allocations are treated as key material");
}

unsigned partition_classify(const char *file)
{
    if (!file)
        return SM_PART_KEY;
    if (!*file) {
        without_name();
        return SM_PART_KEY;
    }
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rule_fits(file, rules[i].path)) {
            __atomic_store_n(&partition_named, true, __ATOMIC_RELAXED);
            return sealed_answer(rules[i].answer);
        }
    }
    return SM_PART_KEY;
}

/* Looks at the other ways of the set, then at the lists. Moves the answer to the front. */
static unsigned partition_slow(const char *file)
{
    uint64_t key = (uintptr_t)file, entry = 0, front;
    uint64_t *set = partition_set(key);
    unsigned way = 0;

    do
        entry = __atomic_load_n(&set[way], __ATOMIC_RELAXED);
    while ((entry >> 8 != key || !entry) && ++way < PARTITION_WAYS);
    if (way == PARTITION_WAYS) {
        entry = key << 8 | partition_classify(file);
        if (file && *file)
            watch_secure_heap(file);
        way = 1 + (unsigned)(key >> 4) % (PARTITION_WAYS - 1);
    }
    front = __atomic_exchange_n(&set[0], entry, __ATOMIC_RELAXED);
    __atomic_store_n(&set[way], front, __ATOMIC_RELAXED);
    return (unsigned)(entry & 0xff);
}

static uint64_t partition_answer(const char *file)
{
    uint64_t answer = partition_fast(file);

    return answer > PARTITION_SEALED ? partition_slow(file) : answer;
}

bool partition_needed(const char *file)
{
    return partition_answer(file) == PARTITION_NEEDED;
}

unsigned partition_for(const char *file, size_t size)
{
    uint64_t answer = partition_answer(file);

    if (answer == PARTITION_NEEDED)
        return SM_PART_PUBLIC;
    if (answer == PARTITION_OCTETS && (size > PARTITION_OCTETS_MAX || sm_pku_is_on()))
        answer = size > PARTITION_OCTETS_MAX ? SM_PART_KEY : PARTITION_SEALED;
    if (answer == PARTITION_SEALED)
        return sm_pku_is_open() ? SM_PART_BYTES : SM_PART_KEY;
    if (answer == PARTITION_OCTETS)
        return SM_PART_BYTES;
    return (unsigned)answer;
}
