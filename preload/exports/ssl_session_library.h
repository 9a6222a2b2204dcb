/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libssl that a caller of i2d_SSL_SESSION() or d2i_SSL_SESSION() means: a process may have
 * several, and the preload's functions stand before those of all of them.
 */
#ifndef PRELOAD_EXPORTS_SSL_SESSION_LIBRARY_H
#define PRELOAD_EXPORTS_SSL_SESSION_LIBRARY_H

#include "base/common.h"
#include "loader/elf_symbols.h"

struct ssl_library {
    struct elf_object object;
    void *serialise; /* its i2d_SSL_SESSION() */
    bool inside;     /* the caller is code of that libssl itself */
};

/*
 * Returns the libssl of the caller: the one that defines the caller, or the first that the
 * symbol lookup of the caller's object finds by DT_NEEDED, or the first of the process. False:
 * there is none. Takes the linker's list lock the first time that an object calls, and none
 * from then on (glibc 2.35 and later).
 */
bool ssl_library_of(const void *caller, struct ssl_library *library);

#endif
