/* SPDX-License-Identifier: Apache-2.0 */
/* What the helper programs of the system tests share. Each prints "ok - text" or
 * "not ok - text" for a check and "done" at its end; the drivers read that. */
#ifndef SYSTEM_TEST_COMMON_H
#define SYSTEM_TEST_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum memory_kind {
    MEMORY_UNMAPPED,
    MEMORY_ORDINARY,
    MEMORY_UNDUMPABLE, /* anonymous, excluded from core dumps */
    MEMORY_LOCKED,     /* the same, and locked */
    MEMORY_SECRET,     /* of memfd_secret(2) */
};

struct range {
    uintptr_t start;
    uintptr_t end;
};

struct test_case {
    const char *name;
    void (*run)(void);
};

/* The kind of memory that a program's first argument says blocks are to have. */
extern enum memory_kind expected;
void set_expected(const char *word);

/* main() of most programs: PROGRAM KIND CASE. `cases` ends with an entry without a name. */
int run_case(const struct test_case *cases, int argc, char **argv);

/* Whether a library of this process whose path has this in it was linked with -Bsymbolic. */
bool is_symbolic(const char *name);

/* Prints one check. Allocates nothing, so that a child of a threaded process may use it. */
__attribute__((format(printf, 2, 3))) void check(bool good, const char *format, ...);

/* Prints "done"; the exit status: 1 if any check failed, else 0. */
int finish(void);

/* Ends the program with status 2 and a line that says what failed and errno. */
__attribute__((noreturn)) void broken(const char *what);

/* What memory an address lies in, by /proc/self/smaps. Needs one free descriptor. */
enum memory_kind kind_of(const void *address);
const char *kind_name(enum memory_kind kind);

/* One check: the address lies in memory of the expected kind. */
void check_kind(const void *address, const char *what);

/* From the start of the first to the end of the last mapping of secret memory. */
struct range secret_range(void);

/* How much secret memory is mapped. */
size_t secret_bytes(void);

/* A pattern that depends on the seed, and whether a block still holds it. */
void fill(void *block, size_t size, uint64_t seed);
bool whole(const void *block, size_t size, uint64_t seed);

/* An OPENSSL_malloc that must succeed, filled with the pattern. */
void *filled_block(size_t size, uint64_t seed);

/* Monotonic time in seconds. */
double seconds_now(void);
void sleep_seconds(double seconds);

/* Waits for a child; its exit status, or 1000 + the signal that ended it. */
int status_of(pid_t child);

/* The same, but kills the child after the given time; then the answer is -1. */
int status_within(pid_t child, double seconds);

/* Whether `size` bytes can be read at an address; copied to `copy` when they can. */
bool readable(const void *address, void *copy, size_t size);

#endif
