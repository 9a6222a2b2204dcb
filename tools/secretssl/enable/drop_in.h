/* SPDX-License-Identifier: Apache-2.0 */
/* The file that protects a unit, and how it is written and removed. */
#ifndef SECRETSSL_ENABLE_DROP_IN_H
#define SECRETSSL_ENABLE_DROP_IN_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* How each file that `enable` writes begins */
#define DROP_IN_MARK "# Written by 'secretssl enable'"

struct drop_in {
    const char *unit;     /* the unit's name */
    const char *object;   /* the path of the preload object */
    const char *preload;  /* the value of LD_PRELOAD, which drop_in_can_hold() */
    const char *tool;     /* the path of this program */
    uint64_t memlock_mib; /* LimitMEMLOCK= */
    bool strict;          /* the processes have no TLS but OpenSSL's */
    bool allow_call;      /* the unit has a filter of system calls without memfd_secret */
};

/* Returns true if a value of Environment= may contain the text without quotes. */
bool drop_in_can_hold(const char *text);

/* Returns the text of the file, or NULL if memory runs out. The caller frees it. */
char *drop_in_text(const struct drop_in *drop_in);

/* The path of a unit's file */
void drop_in_path(const char *unit, char path[PATH_MAX]);

enum drop_in_owner {
    DROP_IN_ABSENT,
    DROP_IN_OURS,
    DROP_IN_FOREIGN, /* not written by this program, or no regular file */
    DROP_IN_UNKNOWN, /* cannot be read; errno is set */
};

/*
 * Reads the file. *text becomes its contents, or NULL unless the file is of this program; the
 * caller frees it.
 */
enum drop_in_owner drop_in_read(const char *path, char **text);

/* Puts the text in the file's place. Returns false with errno set, and the file as before. */
bool drop_in_write(const char *path, const char *text);

/* Removes the file, and its directory if this is empty then. Returns false with errno set. */
bool drop_in_remove(const char *path);

#endif
