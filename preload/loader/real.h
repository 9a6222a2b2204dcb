/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that ours stand in front of. */
#ifndef PRELOAD_NEXT_H
#define PRELOAD_NEXT_H

enum next {
    NEXT_DLMOPEN,
    NEXT_DLOPEN,
    NEXT_DLVSYM,
    NEXT_FCLOSE,
    NEXT_FGETS,
    NEXT_FOPEN,
    NEXT_FOPEN64,
    NEXT_FREAD,
    NEXT_FREOPEN,
    NEXT_FREOPEN64,
    NEXT_MLOCK,
    NEXT_MLOCK2,
    NEXT_MLOCKALL,
    NEXT_MUNMAP,
    NEXT_PCLOSE,
    NEXT_PRLIMIT,
    NEXT_PRLIMIT64,
    NEXT_SETRLIMIT,
    NEXT_SETRLIMIT64,
    NEXT_SETSOCKOPT,
    NEXT_NUMBER
};

/*
 * At start: finds all of them. Later that would take the linker's lock, for which a thread
 * waits when a library's constructor waits for that thread.
 */
void next_resolve(void);

/* The next definition after ours. Does not return NULL for what the C library has. */
void *next_function(enum next which);

/* The next dlsym. */
typedef void *dlsym_function(void *handle, const char *name);
typedef void *dlvsym_function(void *handle, const char *name, const char *version);
dlsym_function *next_dlsym(void);

#endif
