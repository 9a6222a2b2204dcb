/* SPDX-License-Identifier: Apache-2.0 */
/* SECRETSSL_FORK=deny: a child has everything but the keys.
 *
 *   fork_deny KIND words|sign|elliptic|others
 *
 * The control is the same without that setting: there every child succeeds. */
#include "common.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

static bool denied;

static EVP_PKEY *key;
static BIGNUM *number;

/* What a child's status says: ended by a signal or with 78 where it is denied. */
static void check_denied(pid_t child, const char *what)
{
    int status = status_within(child, 20);
    if (denied)
        check(status > 1000 || status == 78, "%s: the child is ended (status %d)", what,
              status);
    else
        check(status == 0, "%s: the child can (status %d)", what, status);
}

static bool sign(EVP_PKEY *with)
{
    unsigned char signature[512], text[100] = "text";
    size_t length = sizeof(signature);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, with) == 1 &&
                EVP_DigestSign(context, signature, &length, text, sizeof(text)) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

static void take_number(const char *name)
{
    if (EVP_PKEY_get_bn_param(key, name, &number) != 1)
        broken("EVP_PKEY_get_bn_param");
}

static void words(void)
{
    unsigned char bytes[512];

    key = EVP_RSA_gen(2048);
    take_number(OSSL_PKEY_PARAM_RSA_D);
    check_kind(number, "the BIGNUM");
    pid_t child = fork();
    if (child == 0)
        _exit(BN_bn2bin(number, bytes) > 200 ? 0 : 1);
    check_denied(child, "reading the words of d");
    check(BN_bn2bin(number, bytes) > 200, "the parent reads them");
    child = fork();
    if (child == 0)
        _exit(BN_set_word(number, 0x1234) && BN_get_word(number) == 0x1234 ? 0 : 1);
    check_denied(child, "writing the words of d");
    check(BN_num_bits(number) > 1900, "and the parent's are as before");
}

static void signing(const char *what)
{
    check(sign(key), "the parent signs: %s", what);
    pid_t child = fork();
    if (child == 0)
        _exit(sign(key) ? 0 : 1);
    check_denied(child, what);
    check(sign(key), "the parent signs again: %s", what);
}

static void rsa(void)
{
    key = EVP_RSA_gen(2048);
    signing("signing with RSA");
}

static void elliptic(void)
{
    key = EVP_EC_gen("P-256");
    signing("signing with ECDSA");
}

static int other_things(const char *block)
{
    unsigned char digest[32];
    BIGNUM *own = BN_new();

    if (!whole(block, 5000, 3))
        return 1;
    char *another = filled_block(7000, 2);
    if (!whole(another, 7000, 2))
        return 2;
    OPENSSL_free(another);
    if (EVP_Q_digest(NULL, "SHA256", NULL, block, 5000, digest, NULL) != 1)
        return 3;
    if (!own || BN_set_word(own, 77) != 1 || BN_mul_word(own, 1000) != 1 ||
        BN_get_word(own) != 77000)
        return 4;
    BN_free(own);
    return 0;
}

static void others(void)
{
    char *block = filled_block(5000, 3);

    key = EVP_RSA_gen(2048);
    take_number(OSSL_PKEY_PARAM_RSA_D);
    check_kind(block, "a block");
    pid_t child = fork();
    if (child == 0)
        exit(other_things(block));
    int status = status_within(child, 20);
    check(status == 0, "a child that leaves keys alone works (status %d)", status);
    child = fork();
    if (child == 0) {
        execlp("openssl", "openssl", "version", (char *)NULL);
        _exit(127);
    }
    status = status_within(child, 20);
    check(status == 0, "and so does a program that it executes (status %d)", status);
    check(sign(key), "the parent signs");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"words", words},   {"sign", rsa}, {"elliptic", elliptic},
        {"others", others}, {NULL, NULL},
    };
    const char *setting = getenv("SECRETSSL_FORK");
    struct rlimit no_core = {0, 0};

    denied = setting && strcmp(setting, "deny") == 0;
    setrlimit(RLIMIT_CORE, &no_core);
    return run_case(cases, argc, argv);
}
