/* SPDX-License-Identifier: Apache-2.0 */
#include "seal/rules.h"
#include <criterion/criterion.h>

Test(rules, windows)
{
    static const char *const names[] = {
        "EVP_PKEY_sign",
        "EVP_PKEY_decrypt",
        "EVP_PKEY_derive",
        "EVP_PKEY_decapsulate",
        "EVP_PKEY_keygen",
        "EVP_PKEY_free",
        "EVP_PKEY_eq",
        "EVP_DigestSign",
        "EVP_DigestSignInit_ex",
        "EVP_DigestSignFinal",
        "EVP_SignFinal",
        "EVP_PKEY_sign_message_final",
        "RSA_private_encrypt",
        "RSA_free",
        "EC_KEY_generate_key",
        "ECDSA_do_sign",
        "DH_compute_key",
        "PEM_read_bio_PrivateKey",
        "PEM_write_PKCS8PrivateKey_nid",
        "d2i_AutoPrivateKey",
        "i2d_PrivateKey_bio",
        "PKCS12_parse",
        "X509_check_private_key",
        "X509_REQ_sign_ctx",
        "OSSL_DECODER_from_bio",
        "OSSL_STORE_load",
        "CMS_RecipientInfo_decrypt",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cr_assert(seal_is_window(names[i], false), "%s", names[i]);
        cr_assert(seal_is_window(names[i], true), "%s, called by libcrypto", names[i]);
    }
}

/* The numbers that libcrypto's own code works with may be anybody's. */
Test(rules, outer_windows)
{
    static const char *const names[] = {"BN_bn2bin", "BN_mod_exp", "EC_POINT_mul",
                                        "ECDSA_SIG_get0", "OSSL_PARAM_BLD_push_BN"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cr_assert(seal_is_window(names[i], false), "%s", names[i]);
        cr_assert_not(seal_is_window(names[i], true), "%s, called by libcrypto", names[i]);
    }
}

Test(rules, no_windows)
{
    static const char *const names[] = {
        "SSL_read",
        "SSL_do_handshake",
        "SSL_CTX_use_PrivateKey",
        "EVP_DigestUpdate",
        "EVP_EncryptUpdate",
        "EVP_DigestSignUpdate",
        "BIO_read",
        "BIO_write",
        "CRYPTO_memcmp",
        "CRYPTO_malloc",
        "OPENSSL_cleanse",
        "EVP_PKEY_up_ref",
        "EVP_PKEY_asn1_find",
        "EVP_PKEY_meth_new",
        "RSA_meth_new",
        "RSAPrivateKey_it",
        "BN_new",
        "BN_CTX_get",
        "X509_verify_cert",
        "RAND_bytes",
        "memcpy",
        "",
        "EVP_PKEY",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        cr_assert_not(seal_is_window(names[i], false), "%s", names[i]);
}

Test(rules, frees)
{
    cr_assert(seal_frees("EVP_PKEY_free"));
    cr_assert(seal_frees("BN_clear_free"));
    cr_assert_not(seal_frees("EVP_PKEY_CTX_new_from_pkey"));
    cr_assert_not(seal_frees("free_EVP_PKEY"));
}
