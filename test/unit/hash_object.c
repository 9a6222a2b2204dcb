/* SPDX-License-Identifier: Apache-2.0 */
/* An object for test_elf_symbol.c, linked with each kind of hash table. */
#include <stdlib.h>

int hash_object_data = 3;

const char *hash_object_function(void);
int hash_object_other(void);
int hash_object_hidden(void) __attribute__((visibility("hidden")));
int hash_object_sought(void) __attribute__((weak, visibility("default")));

int hash_object_hidden(void)
{
    return hash_object_data;
}

const char *hash_object_function(void)
{
    return getenv("PATH");
}

int hash_object_other(void)
{
    return hash_object_sought ? hash_object_sought() : hash_object_hidden();
}
