/* SPDX-License-Identifier: Apache-2.0 */
/* A library that looks as if it held some TLS, for the tests of what scan names. */
#if defined(LIKE_HIDDEN) || defined(LIKE_EXPORTED)
#define MARK "../crypto/mem_sec.c"
#elif defined(LIKE_BORINGSSL) || defined(LIKE_WEAK)
#define MARK "OpenSSL 1.1.1 (compatible; BoringSSL)"
#elif defined(LIKE_CODE)
#define MARK "BAD_GET_ASN1_OBJECT_CALL"
#elif defined(LIKE_AWSLC) || defined(LIKE_LINKED)
#define MARK "OpenSSL 1.1.1 (compatible; AWS-LC 1.30.0)"
#elif defined(LIKE_GO)
#define MARK "\xff Go buildinf:"
#elif defined(LIKE_RUSTLS)
#define MARK "/registry/src/rustls-0.23.1/src/conn.rs"
#endif

#ifdef LIKE_EXPORTED
int CRYPTO_set_mem_functions(void);

int CRYPTO_set_mem_functions(void)
{
    return 0;
}
#endif

#ifdef LIKE_WEAK
__attribute__((weak)) void *OPENSSL_memory_alloc(unsigned long size);
void *take(unsigned long size);

void *take(unsigned long size)
{
    return OPENSSL_memory_alloc ? OPENSSL_memory_alloc(size) : 0;
}
#endif

/* A program that is linked with a shared AWS-LC, and prints what a header says of the version
 */
#ifdef LIKE_LINKED
__attribute__((weak)) void SSL_CTX_new(void);
int is_linked(void);

int is_linked(void)
{
    return SSL_CTX_new != 0;
}
#endif

const char *mark(void);

const char *mark(void)
{
    static const char text[] __attribute__((used)) = MARK;

    return text;
}
