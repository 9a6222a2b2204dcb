/* SPDX-License-Identifier: Apache-2.0 */
/* A stack in secret memory, for the values that libcrypto and the search spill to the stack. */
#ifndef SECRETSSL_SECRET_STACK_H
#define SECRETSSL_SECRET_STACK_H

/*
 * Calls work(argument) on a stack in secret memory, waits for its end, and clears the stack.
 * Returns the value that work returned, or -1 with errno set if no stack could be made.
 */
int secret_stack_call(int (*work)(void *), void *argument);

#endif
