/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands for a program that has AWS-LC inside and exports none of its symbols: it looks for the
 * allocator as AWS-LC does, and has a name from AWS-LC's table of errors. Says which allocator
 * it found.
 */
#include <stddef.h>
#include <stdio.h>

extern void *OPENSSL_memory_alloc(size_t size) __attribute__((weak));

#ifdef OWN_ALLOCATOR
#include <stdlib.h>

/* As programs may have that embed BoringSSL. */
__attribute__((visibility("default"))) void *OPENSSL_memory_alloc(size_t size)
{
    return malloc(size);
}
#endif

/* Not a constant of one file only, which a linker may drop. */
const char *volatile error_name = "BAD_GET_ASN1_OBJECT_CALL";

int main(void)
{
    void *(*volatile allocate)(size_t size) = OPENSSL_memory_alloc;

    printf("%s %s\n", allocate ? "found" : "none", error_name);
    return 0;
}
