/* SPDX-License-Identifier: Apache-2.0 */
/* What a process has mapped, as the kernel tells it. */
#ifndef SECRETSSL_PROCESS_MAPS_H
#define SECRETSSL_PROCESS_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mapping {
    uint64_t start, end;
    uint64_t offset; /* in the file */
    uint64_t device, inode;
    uint64_t resident; /* bytes present or swapped out; 0 from process_map_read_short() */
    uint64_t blocks;   /* bytes of a file that large entries of the page table map; likewise */
    char *name;        /* as in /proc/PID/maps; "[anonymous]" where that has none */
    bool anonymous;    /* has no file, not even a nameless one */
    bool kernel;       /* device memory or pages of the kernel's own: never readable */
    bool no_access;    /* PROT_NONE */
    bool executable;
    bool own_data; /* written by the process alone: private and writable */
};

struct process_map {
    struct mapping *list;
    size_t count;
};

/*
 * The number by which the memory of a process is to be reached: its own; or, as the first
 * thread may end before the others and has none from then on, that of another thread.
 */
pid_t process_thread(pid_t pid);

/* False with errno set; a process without memory has no mappings. */
bool process_map_read(pid_t pid, struct process_map *map);

/* The same without what costs the process time while it is counted. */
bool process_map_read_short(pid_t pid, struct process_map *map);

void process_map_free(struct process_map *map);

/* The mapping that holds the address; NULL if none does. */
const struct mapping *process_map_find(const struct process_map *map, uint64_t address);

/* Whether a part of the mapping's file is code there, and not only data. */
bool process_map_runs(const struct process_map *map, const struct mapping *mapping);

/* Memory of memfd_secret(2) */
bool mapping_is_secret(const struct mapping *mapping);

/* The file name at the end of a mapping's name, for the libraries found. */
const char *mapping_file_name(const struct mapping *mapping);

#endif
