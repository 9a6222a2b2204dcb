/* SPDX-License-Identifier: Apache-2.0 */
/* A crypto library inside the program that the preload can neither see nor reach. */
#ifndef PRELOAD_LIBCRYPTO_HIDDEN_COPY_H
#define PRELOAD_LIBCRYPTO_HIDDEN_COPY_H

/*
 * Called by the preload's constructor if SECRETSSL_REQUIRE=1, when the libcryptos that are
 * loaded are registered. Ends a program whose own file contains a crypto library that is not
 * registered, because that program would run unprotected and say nothing. Finds no library that
 * left no mark, and none in a file that the program loads.
 */
void hidden_copy_refuse(void);

#endif
