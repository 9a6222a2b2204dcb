/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells whether this machine's libcrypto keeps the exponents of RSA keys on the stack, which is
 * ordinary memory, while it works with them.
 */
#include <openssl/crypto.h>
#include <stdint.h>
#include <stdio.h>

#include "doctor/check.h"

/* Bits of leaf 7 in EBX: AVX512F, AVX512DQ, AVX512-IFMA and AVX512VL, all of which the code
 * needs. */
#define IFMA (1ULL << 16 | 1ULL << 17 | 1ULL << 21 | 1ULL << 31)

/*
 * What libcrypto makes use of: the processor's features, without those that OPENSSL_ia32cap
 * hides. 0: not known, as on other processors.
 */
static uint64_t features_in_use(void)
{
    unsigned long long first, second = 0;
    const char *settings = NULL;

#ifdef OPENSSL_INFO_CPU_SETTINGS
    settings = OPENSSL_info(OPENSSL_INFO_CPU_SETTINGS);
#endif
    if (settings == NULL || sscanf(settings, "OPENSSL_ia32cap=%llx:%llx", &first, &second) != 2)
        return 0;
    return second;
}

/*
 * libcrypto 3.0 has a function for two exponentiations at once (crypto/bn/rsaz_exp_x2.c), which
 * copies both exponents to its stack. In 3.5 the same function allocates its memory.
 */
void check_exponents(struct diagnosis *diagnosis)
{
    struct check *check = check_new(diagnosis, "rsa-exponents");
    bool is_3_0 = OpenSSL_version_num() >> 20 == 0x300;

    if (is_3_0 && (features_in_use() & IFMA) == IFMA) {
        check_say(check, VERDICT_WARNING,
                  "on this processor (AVX512-IFMA) libcrypto 3.0 has the exponents of RSA keys "
                  "of 2048 bits on the stack, which is ordinary memory, for the time of each "
                  "signature");
        check_remedy(check, UNIT_FILE, "Environment=OPENSSL_ia32cap=:~0x200000");
    } else {
        check_say(check, VERDICT_OK,
                  "libcrypto keeps the exponents of RSA keys in memory that it allocates");
    }
}
