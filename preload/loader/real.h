/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that the preload interposes. */
#ifndef PRELOAD_LOADER_REAL_H
#define PRELOAD_LOADER_REAL_H

#include <stdbool.h>

#define REAL_FUNCTIONS(entry)                                                                  \
    entry(_dl_find_object) /* glibc 2.35 */                                                    \
        entry(dlmopen) entry(dlopen) entry(dlvsym) entry(fclose) entry(fgets) entry(fopen)     \
            entry(fopen64) entry(fread) entry(freopen) entry(freopen64) entry(fwrite)          \
                entry(madvise) entry(makecontext) entry(mlock) entry(mlock2) entry(mlockall)   \
                    entry(mmap) entry(mmap64) entry(mremap) entry(munlock) entry(munmap)       \
                        entry(pclose) entry(prlimit) entry(prlimit64)                          \
                            entry(pthread_attr_setstack) entry(setrlimit) entry(setrlimit64)   \
                                entry(setsockopt)

#define REAL_NUMBER_OF(name) REAL_##name,
enum real { REAL_FUNCTIONS(REAL_NUMBER_OF) REAL_NUMBER };

/*
 * Called at start. Finds all functions. A later lookup would take the linker's lock, and
 * deadlock when a library's constructor waits for the thread that looks up.
 */
void real_resolve(void);

/* Whether all functions are found, so that none is looked up. */
bool real_is_resolved(void);

/*
 * Returns the next definition after the preload's, never NULL for a function of the C library.
 */
void *real_function(enum real which);

/* The same with the type of the function: REAL(fopen)(path, mode). */
#define REAL(name) ((__typeof__(&(name)))real_function(REAL_##name))

/* Returns the next dlsym. */
typedef void *dlsym_function(void *handle, const char *name);
typedef void *dlvsym_function(void *handle, const char *name, const char *version);
dlsym_function *real_dlsym(void);

#endif
