/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that ours stand in front of. */
#ifndef PRELOAD_LOADER_REAL_H
#define PRELOAD_LOADER_REAL_H

enum real {
    REAL_DLMOPEN,
    REAL_DLOPEN,
    REAL_DLVSYM,
    REAL_FCLOSE,
    REAL_FGETS,
    REAL_FOPEN,
    REAL_FOPEN64,
    REAL_FREAD,
    REAL_FREOPEN,
    REAL_FREOPEN64,
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
 * At start: finds all of them. Later that would take the linker's lock, for which a thread
 * waits when a library's constructor waits for that thread.
 */
void real_resolve(void);

/* The next definition after ours. Does not return NULL for what the C library has. */
void *real_function(enum real which);

/* The next dlsym. */
typedef void *dlsym_function(void *handle, const char *name);
typedef void *dlvsym_function(void *handle, const char *name, const char *version);
dlsym_function *real_dlsym(void);

#endif
