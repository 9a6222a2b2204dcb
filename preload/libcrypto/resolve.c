/* SPDX-License-Identifier: Apache-2.0 */
#include "libcrypto/resolve.h"
#include "libcrypto/discover.h"
#include "libcrypto/linkage.h"
#include "libcrypto/registry.h"

void (*resolve_way_out)(const void *caller);

void *libcrypto_function_for(const void *caller, const char *name)
{
    unsigned of = registry_of_code(caller);

    if (resolve_way_out)
        resolve_way_out(caller);
    /*
     * In a constructor all libraries of the dlopen() are relocated, and this thread holds the
     * linker's lock. A call that was passed on may have returned since. The entry noted for the
     * caller's address may be that of an unloaded library.
     */
    if (of == LIBCRYPTO_NONE && registry_is_loading())
        libcrypto_discover();
    if (of == LIBCRYPTO_NONE)
        of = linkage_find(caller);
    if (of == LIBCRYPTO_NONE)
        of = linkage_default();
    if (of == LIBCRYPTO_NONE || !known[of].unserved)
        return NULL;
    return elf_symbol_of(&known[of].object, name);
}
