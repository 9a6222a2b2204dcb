/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that the preload interposes. */
#ifndef PRELOAD_LOADER_REAL_H
#define PRELOAD_LOADER_REAL_H

enum real {
    REAL_DLMOPEN,
    REAL_DLOPEN,
    REAL_DLVSYM,
    REAL_FCLOSE,
    REAL_FGETS,
    REAL_FIND_OBJECT,
    REAL_FOPEN,
    REAL_FOPEN64,
    REAL_FREAD,
    REAL_FREOPEN,
    REAL_FREOPEN64,
    REAL_FWRITE,
    REAL_MLOCK,
    REAL_MLOCK2,
    REAL_MLOCKALL,
    REAL_MUNMAP,
    REAL_PCLOSE,
    REAL_PRLIMIT,
    REAL_PRLIMIT64,
    REAL_SETRLIMIT,
    REAL_SETRLIMIT64,
    REAL_SETSOCKOPT,
    REAL_NUMBER
};

/*
 * Called at start. Finds all functions. A later lookup would take the linker's lock, and
 * deadlock when a library's constructor waits for the thread that looks up.
 */
void real_resolve(void);

/*
 * Returns the next definition after the preload's, never NULL for a function of the C library.
 */
void *real_function(enum real which);

/* Returns the next dlsym. */
typedef void *dlsym_function(void *handle, const char *name);
typedef void *dlvsym_function(void *handle, const char *name, const char *version);
dlsym_function *real_dlsym(void);

#endif
