/* SPDX-License-Identifier: Apache-2.0 */
/* A stack in secret memory, for the values that libcrypto and the search spill to the stack. */
#ifndef SECRETSSL_SECRET_STACK_H
#define SECRETSSL_SECRET_STACK_H

/* Whether there is such a stack: the sanitizers know only the stacks that the system provides.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SECRET_STACK 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SECRET_STACK 0
#endif
#endif
#ifndef SECRET_STACK
#define SECRET_STACK 1
#endif

/*
 * Calls work(argument) on a stack in secret memory, waits for its end, and clears the stack.
 * Without SECRET_STACK, just calls it. Returns the value that work returned, or -1 with errno
 * set if no stack could be made.
 */
int secret_stack_call(int (*work)(void *), void *argument);

#endif
