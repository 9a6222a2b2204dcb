/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps an object in the process: what is known of a libcrypto is read when it is needed. */
#ifndef PRELOAD_LIBCRYPTO_PIN_H
#define PRELOAD_LIBCRYPTO_PIN_H

#include "loader/elf_symbols.h"

/*
 * From now on dlclose() does not unload it. Waits until it is relocated, if another thread is
 * loading it: takes the linker's lock. False: it is gone already. With a handle that dlmopen()
 * gave, in the name space that it stands for.
 */
bool pin(const struct elf_object *object, void *handle);

#endif
