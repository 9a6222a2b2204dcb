/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that does not exist: the linker hands the tool's calls of the C library to these
 * functions (--wrap), which answer for its files below /proc, and pass on all others.
 */
#ifndef FUZZ_FAKE_FILES_H
#define FUZZ_FAKE_FILES_H

#include "harness.h"

/* No process can have this number. */
#define FAKE_PID  5000000
#define FAKE_CORE "/fake/core"

enum fake_file {
    FAKE_MAPS, /* also smaps */
    FAKE_COMM,
    FAKE_STAT,
    FAKE_STATUS,
    FAKE_LIMITS,
    FAKE_ENVIRON,
    FAKE_AUXV,
    FAKE_LIBRARY, /* the file of every mapping */
    FAKE_KERNEL_CORE,
    FAKE_UID_MAP,
    FAKE_CGROUP,
    FAKE_CGROUP_LIMIT,
    FAKE_CGROUP_USAGE,
    FAKE_CGROUP_STAT,
    FAKE_CORE_PATTERN,
    FAKE_FILES
};

/* Begins a new process, which has no files. */
void fake_begin(void);

/* Gives it a file. */
void fake_put(enum fake_file file, const uint8_t *bytes, size_t size);

/*
 * Puts bytes into its memory, whose pages then are resident. secret: the kernel refuses to read
 * them. The bytes must stay until the next process.
 */
void fake_memory(uint64_t address, const uint8_t *bytes, size_t size, bool secret);

/* The kernel has no PAGEMAP_SCAN. */
void fake_old_kernel(void);

#endif
