/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a libcrypto is: what each answers to is in docs/coverage.md. */
#ifndef PRELOAD_LIBCRYPTO_FLAVOR_H
#define PRELOAD_LIBCRYPTO_FLAVOR_H

#include "loader/elf_symbols.h"

enum flavor { NOBODY, OPENSSL, OLD_OPENSSL, LIBRESSL, BORINGSSL };

/* Whether it is any. Calls nothing in it, which may not be relocated yet. */
bool flavor_is_libcrypto(const struct elf_object *object);

/* Calls nothing but a function that returns a constant; that also in what is foreign. */
enum flavor flavor_of(const struct elf_object *object);

/* Of those that are not served: "LibreSSL" */
const char *flavor_name(enum flavor flavor);

#endif
