/* SPDX-License-Identifier: Apache-2.0 */
/* A stack of secret pages: what libcrypto and the search spill lands there. */
#ifndef SECRETSSL_SECRET_STACK_H
#define SECRETSSL_SECRET_STACK_H

/*
 * Calls work(argument) on a stack of secret pages and waits for it; the stack is cleared
 * after. Returns what work returned, or -1 with errno set if there was no stack.
 */
int secret_stack_call(int (*work)(void *), void *argument);

#endif
