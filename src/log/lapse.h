/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only list of lapses: every failure to keep a promise other than a shortage of memory
 * (shortage.h), with its harm. Each lapse is counted in struct sm_stats and reported in one
 * line. `secretssl stat` calls no process protected that counted a harm other than LESSER.
 */
#ifndef SM_LOG_LAPSE_H
#define SM_LOG_LAPSE_H

#include "base/common.h"

/*
 * EXPOSED: secrets are or were outside of the promised memory. REFUSED: the program was refused
 * something it needs. LESSER: a check, an aid or a convenience is missing, or a feature that
 * OpenSSL replaces by another way; the secrets are in the promised memory.
 */
enum sm_harm { SM_HARM_LESSER, SM_HARM_REFUSED, SM_HARM_EXPOSED };

/*
 * entry(NAME, harm, text for `secretssl stat`). Entries are only added at the end, because the
 * counters are numbered by them and the tool of a later release reads these counters.
 */
/* clang-format off */
#define SM_LAPSE_LIST(entry) \
    entry(EARLY, EXPOSED, "libcrypto allocated before libsecretssl could start") \
    entry(UNHOOKED, EXPOSED, "a libcrypto is not hooked") \
    entry(LIBCRYPTOS, EXPOSED, "there are more libcryptos than can be hooked") \
    entry(LINKED, REFUSED, "there are more users of several libcryptos than can be distinguished") \
    entry(CACHED, LESSER, "key bytes are in cached secret memory, because the kernel refused uncached memory") \
    entry(INHERITED, EXPOSED, "secrets could not be withheld from children of a raw fork") \
    entry(STREAMS, EXPOSED, "a key file was read through an unprotected buffer") \
    entry(STREAM_PLAIN, LESSER, "a key file was read through ordinary memory, which was zeroed later") \
    entry(FILE_CACHED, LESSER, "a key file stays in the kernel's page cache") \
    entry(FILE_LARGE, LESSER, "a large key file stays in the kernel's page cache") \
    entry(CHILD, REFUSED, "a forked child was abandoned") \
    entry(HEAP_PIECES, REFUSED, "a child does not have all of the memory that the program locked") \
    entry(KTLS, LESSER, "kernel TLS was refused") \
    entry(FUNCTIONS, LESSER, "the program's own memory functions were refused") \
    entry(DEFERRED, LESSER, "blocks that were freed in fork handlers stay allocated") \
    entry(GUARDS, LESSER, "large blocks have no guard page, because there are too many") \
    entry(GUARD_FAILED, LESSER, "large blocks have no guard page, because the kernel refused it") \
    entry(THREAD_KEY, LESSER, "threads have no caches, because no thread key is left") \
    entry(NAMELESS, LESSER, "libcrypto names no files, so partitions cannot be distinguished") \
    entry(PREFAULT, LESSER, "less memory was made resident than requested") \
    entry(JOB_STACK, LESSER, "stacks of OpenSSL's ASYNC jobs are in ordinary memory, as all stacks are") \
    entry(SESSIONS, EXPOSED, "sessions in shared caches are not sealed") \
    entry(SESSION_LOST, LESSER, "a session of a shared cache could not be used") \
    entry(AFALG, LESSER, "the engine afalg was refused") \
    entry(SECURE_HEAP, EXPOSED, "OpenSSL's secure heap is in ordinary memory") \
    entry(WITHHELD, EXPOSED, "key bytes are not withheld from children, because libcrypto names no files") \
    entry(QUARANTINE, LESSER, "freed blocks are reused at once, because there is no memory to list them") \
    entry(MLOCK, LESSER, "memory that the program locked is not secret") \
    entry(MLOCK_THREADS, EXPOSED, "memory that a process with threads locked is not secret") \
    entry(TOOLKIT, EXPOSED, "a crypto library allocates in ordinary memory") \
    entry(UNSEALED, LESSER, "private keys are not sealed") \
    entry(UNLISTED, LESSER, "sealed keys were opened for a function of libcrypto that is not listed") \
    entry(SEALED_READ, LESSER, "code outside libcrypto was kept from reading a sealed key")
/* clang-format on */

#define SM_LAPSE_ENUM(name, harm, what) SM_LAPSE_##name,
enum sm_lapse { SM_LAPSE_LIST(SM_LAPSE_ENUM) SM_LAPSES };
#undef SM_LAPSE_ENUM

/* Counts a lapse, and reports the first of its kind. Keeps errno. Async-signal-safe. */
void sm_lapse(enum sm_lapse which, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Counts a lapse and reports each one, because the line contains a name or concerns a child. */
void sm_lapse_each(enum sm_lapse which, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Counts a lapse that is no news, or that other code reports. */
void sm_lapse_count(enum sm_lapse which);

#endif
