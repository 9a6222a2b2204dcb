/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps a libcrypto loaded, because its tables are read whenever they are needed. */
#ifndef PRELOAD_LIBCRYPTO_PIN_H
#define PRELOAD_LIBCRYPTO_PIN_H

#include "loader/elf_symbols.h"

/*
 * Makes dlclose() keep the object loaded. Takes the linker's lock, so waits until another
 * thread that loads the object has relocated it. handle: NULL, or a dlmopen() handle, which
 * stands for the namespace of the object. Returns false if the object is unloaded already.
 */
bool pin(const struct elf_object *object, void *handle);

#endif
