/* SPDX-License-Identifier: Apache-2.0 */
/* The table of libcryptos, which discover.c fills and resolve.c asks. */
#ifndef PRELOAD_KNOWN_H
#define PRELOAD_KNOWN_H

#include "base/common.h"
#include "libcrypto/flavor.h"
#include "libcrypto/linkage.h"
#include "loader/elf_symbols.h"

#define LIBCRYPTOS_MAX 32

struct libcrypto {
    struct elf_object object;
    const char *path; /* by which it was loaded */
    struct range code;
    enum owner owner;
    bool unserved;                 /* foreign, or it could not be hooked */
    const struct elsewhere *space; /* the hooks of its name space; NULL: it is in ours */
};

/*
 * Written under the start lock, a count last, and read without: entries are never removed, and
 * what they are of is never unloaded (pin.h).
 */
extern SM_LOCAL struct libcrypto known[LIBCRYPTOS_MAX];
extern SM_LOCAL unsigned known_count;

/*
 * With the start lock: its blocks are not to be ours from now on, because they cross to a
 * libcrypto that is not hooked (engine.h). Reported, or ends the process.
 */
void libcrypto_is_shared(struct libcrypto *lib);

static inline unsigned count(const unsigned *counter)
{
    return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

#endif
