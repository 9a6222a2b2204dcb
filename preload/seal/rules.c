/* SPDX-License-Identifier: Apache-2.0 */
#include "seal/rules.h"
#include <string.h>

/*
 * The first rule that fits decides; a function that fits none is no window. A '*' stands for
 * any text. So the list also has what later releases of OpenSSL add to a family of functions.
 */
enum answer {
    NO,    /* touches no key's memory, and is called often, or calls back */
    OUTER, /* a window, but not for libcrypto's own calls, whose numbers may be anything's */
    ALL,
};

struct window_rule {
    const char *pattern;
    enum answer answer;
};

static const struct window_rule window_rules[] = {
    {"EVP_PKEY_asn1_*", NO},
    {"EVP_PKEY_meth_*", NO},
    {"EVP_PKEY_up_ref", NO},
    {"EVP_PKEY_new", NO},
    {"EVP_PKEY_get_id", NO},
    {"EVP_PKEY_get_base_id", NO},
    {"EVP_PKEY_id", NO},
    {"EVP_PKEY_base_id", NO},
    {"EVP_PKEY_type", NO},
    {"EVP_PKEY_is_a", NO},
    {"EVP_PKEY_can_sign", NO},
    {"EVP_PKEY_get0_type_name", NO},
    {"EVP_PKEY_get0_provider", NO},
    {"EVP_PKEY_*ex_data", NO},
    {"EVP_PKEY_*gettable*", NO},
    {"EVP_PKEY_*settable*", NO},
    {"EVP_PKEY_CTX_get0_*", NO},
    {"EVP_PKEY_CTX_*app_data", NO},
    {"EVP_PKEY_CTX_*_cb", NO},
    {"EVP_PKEY_CTX_new_id", NO},
    {"EVP_PKEY_CTX_new_from_name", NO},
    {"EVP_PKEY_CTX_is_a", NO},
    {"EVP_PKEY_*", ALL},
    {"EVP_PKEY2PKCS8*", ALL},
    {"EVP_PKCS82PKEY*", ALL},
    {"EVP_DigestSignUpdate", NO},
    {"EVP_DigestVerifyUpdate", NO},
    {"EVP_DigestSign*", ALL},
    {"EVP_DigestVerify*", ALL},
    {"EVP_SignFinal*", ALL},
    {"EVP_VerifyFinal*", ALL},
    {"EVP_OpenInit", ALL},
    {"EVP_SealInit", ALL},
    {"OSSL_HPKE_*", ALL},
    {"*_meth_*", NO},
    {"*_METHOD_*", NO},
    {"*_it", NO},
    {"*_up_ref", NO},
    {"*_ex_data", NO},
    {"*_ex_new_index", NO},
    {"RSA_padding_*", NO},
    {"RSA_*", ALL},
    {"DSA_SIG_*", OUTER},
    {"DSA_*", ALL},
    {"DH_*", ALL},
    {"ECDSA_SIG_*", OUTER},
    {"ECDSA_*", ALL},
    {"ECDH_*", ALL},
    {"EC_KEY_*", ALL},
    {"EC_GROUP_free", ALL},
    {"EC_GROUP_clear_free", ALL},
    {"EC_GROUP_get_curve_name", NO},
    {"EC_GROUP_*", OUTER},
    {"EC_POINT_free", ALL},
    {"EC_POINT_clear_free", ALL},
    {"EC_POINT*", OUTER},
    {"BN_free", ALL},
    {"BN_clear_free", ALL},
    {"BN_CTX_free", ALL},
    {"BN_MONT_CTX_free", ALL},
    {"BN_RECP_CTX_free", ALL},
    {"BN_BLINDING_free", ALL},
    {"BN_new", NO},
    {"BN_secure_new", NO},
    {"BN_value_one", NO},
    {"BN_get0_*", NO},
    {"BN_get_rfc*", NO},
    {"BN_GENCB_*", NO},
    {"BN_CTX_*", NO},
    {"BN_options", NO},
    {"BN_*", OUTER},
    {"ASN1_INTEGER_to_BN", OUTER},
    {"ASN1_ENUMERATED_to_BN", OUTER},
    {"SRP_*", OUTER},
    {"OSSL_PARAM_free", OUTER},
    {"OSSL_PARAM_dup", OUTER},
    {"OSSL_PARAM_*_BN", OUTER},
    {"OSSL_PARAM_BLD_push_BN*", OUTER},
    {"OSSL_PARAM_BLD_to_param", OUTER},
    {"OSSL_PARAM_BLD_free", OUTER},
    {"ECPKParameters_*", OUTER},
    {"ECParameters_*", OUTER},
    {"DHparams_*", OUTER},
    {"DSAparams_*", OUTER},
    {"PEM_*PrivateKey*", ALL},
    {"PEM_*PUBKEY*", ALL},
    {"PEM_*PublicKey*", ALL},
    {"PEM_*PKCS8*", ALL},
    {"PEM_*params", ALL},
    {"PEM_*Parameters*", ALL},
    {"PEM_X509_INFO_read*", ALL},
    {"PEM_X509_INFO_write*", ALL},
    {"PEM_SignFinal", ALL},
    {"i2d_*PrivateKey*", ALL},
    {"i2d_*PublicKey*", ALL},
    {"d2i_*PrivateKey*", ALL},
    {"d2i_*PublicKey*", ALL},
    {"i2d_*PUBKEY*", OUTER},
    {"i2d_KeyParams*", ALL},
    {"i2d_*params*", OUTER},
    {"i2d_*Parameters", OUTER},
    {"i2d_*_SIG", OUTER},
    {"*2i_*PVK*", ALL},
    {"i2b_*", ALL},
    {"b2i_*", ALL},
    {"i2o_ECPublicKey", ALL},
    {"o2i_ECPublicKey", ALL},
    {"PKCS8_*", ALL},
    {"PKCS12_create*", ALL},
    {"PKCS12_parse", ALL},
    {"PKCS12_newpass", ALL},
    {"PKCS12_add_key*", ALL},
    {"OSSL_DECODER_from_*", ALL},
    {"OSSL_ENCODER_to_*", ALL},
    {"OSSL_ENCODER_CTX_new_for_pkey", ALL},
    {"OSSL_ENCODER_CTX_free", ALL},
    {"OSSL_STORE_load", ALL},
    {"OSSL_STORE_INFO_free", ALL},
    {"OSSL_STORE_close", ALL},
    {"ENGINE_load_private_key", ALL},
    {"ENGINE_load_public_key", ALL},
    {"X509_free", OUTER},
    {"X509_REQ_free", OUTER},
    {"X509_PUBKEY_free", OUTER},
    {"X509_STORE_free", OUTER},
    {"X509_STORE_CTX_free", OUTER},
    {"X509*_check_private_key", ALL},
    {"X509*_sign", ALL},
    {"X509*_sign_ctx", ALL},
    {"X509*_set_pubkey", ALL},
    {"X509_PUBKEY_set", ALL},
    {"X509_to_X509_REQ", ALL},
    {"NETSCAPE_SPKI_*", ALL},
    {"ASN1_*sign*", ALL},
    {"CMS_*sign*", ALL},
    {"CMS_*crypt*", ALL},
    {"CMS_*final*", ALL},
    {"CMS_*add1_signer", ALL},
    {"PKCS7_*sign*", ALL},
    {"PKCS7_*crypt*", ALL},
    {"PKCS7_final", ALL},
    {"PKCS7_data*", ALL},
    {"OCSP_*sign*", ALL},
    {"TS_RESP_create_response", ALL},
};

static bool pattern_fits(const char *pattern, const char *name)
{
    const char *star = NULL, *rest = NULL;

    for (;;) {
        if (*pattern == '*') {
            star = ++pattern;
            rest = name;
        } else if (*name == '\0') {
            return *pattern == '\0';
        } else if (*pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star;
            name = ++rest;
        } else {
            return false;
        }
    }
}

bool seal_is_window(const char *name, bool inner)
{
    for (size_t i = 0; i < sizeof(window_rules) / sizeof(window_rules[0]); i++) {
        if (pattern_fits(window_rules[i].pattern, name))
            return window_rules[i].answer == ALL || (window_rules[i].answer == OUTER && !inner);
    }
    return false;
}

bool seal_frees(const char *name)
{
    return pattern_fits("*_free", name);
}
