/* SPDX-License-Identifier: Apache-2.0 */
#include "secret/memory.h"

#include <openssl/crypto.h>
#include <stddef.h>

#include "secretmem.h"

static void *libcrypto_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return secretmem_malloc(size);
}

static void *libcrypto_realloc(void *pointer, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return secretmem_realloc(pointer, size);
}

static void libcrypto_free(void *pointer, const char *file, int line)
{
    (void)file;
    (void)line;
    secretmem_free(pointer);
}

bool secret_memory_begin(void)
{
    /*
     * The environment's settings are meant for the programs that are searched. The scanner
     * works in weaker memory too, and says so. The arena takes any number of keys.
     */
    static const char *const settings[][2] = {
        {"ARENA_SIZE", "1G"}, {"REQUIRE", "0"}, {"ZERO", "1"},
        {"STATS", "0"},       {"TRACE", "0"},   {"LOG", "stderr"},
    };

    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        secretmem_configure(settings[i][0], settings[i][1]);
    return CRYPTO_set_mem_functions(libcrypto_malloc, libcrypto_realloc, libcrypto_free) != 0;
}

const char *secret_memory_kind(void)
{
    struct secretmem_stats stats = {0};

    secretmem_get_stats(&stats, sizeof(stats));
    return stats.plain_bytes > 0 || stats.spilled > 0 ? "ordinary"
           : stats.locked_bytes > 0                   ? "locked"
                                                      : "secret";
}
