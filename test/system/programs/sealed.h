/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `sealed` share. */
#ifndef SYSTEM_TEST_SEALED_H
#define SYSTEM_TEST_SEALED_H

#include <stdbool.h>

#include <openssl/evp.h>

extern EVP_PKEY *known;                /* a sealed key */
extern volatile unsigned char *target; /* a byte of sealed memory */

/* The program's handler of SIGSEGV, which makes can_read() answer. */
void on_fault(int number);

bool can_read(void);
void check_closed(const char *where);
bool signs(EVP_PKEY *key);

/* The cases of faults. */
void case_unlisted(void);
void case_handlers(void);
void case_default(void);
void case_ends(void);

#endif
