/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin with libsecretmem.a in it. */
#include <secretmem.h>

__attribute__((visibility("default"))) void *plugin_malloc(size_t size);

void *plugin_malloc(size_t size)
{
    void *block = secretmem_malloc(size);

    secretmem_free(secretmem_malloc(1));
    return block;
}
