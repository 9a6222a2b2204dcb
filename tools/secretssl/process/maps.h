/* SPDX-License-Identifier: Apache-2.0 */
/* The mappings of a process, as /proc shows them. */
#ifndef SECRETSSL_PROCESS_MAPS_H
#define SECRETSSL_PROCESS_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mapping {
    uint64_t start, end;
    uint64_t offset; /* of the mapping in its file */
    uint64_t device, inode;
    uint64_t resident; /* bytes resident or swapped out; 0 from process_map_read_short() */
    uint64_t blocks;   /* bytes of the file in large page table entries; 0 as above */
    char *name;     /* as in /proc/PID/maps; "[anonymous]" if the mapping has no name there */
    bool anonymous; /* has no file, not even an unnamed one */
    bool kernel;    /* device memory or the kernel's own pages: never readable */
    bool no_access; /* PROT_NONE */
    bool executable;
    bool own_data; /* private and writable */
};

struct process_map {
    struct mapping *list;
    size_t count;
};

/*
 * Returns the thread ID that gives access to the process's memory: pid, or another thread's ID.
 * The first thread has no memory after it ends, even if other threads run on.
 */
pid_t process_thread(pid_t pid);

/*
 * Reads the mappings from smaps. Returns false with errno set. A process without memory has no
 * mappings.
 */
bool process_map_read(pid_t pid, struct process_map *map);

/*
 * As process_map_read(), but from maps. Does not count resident pages, because counting makes
 * the process wait.
 */
bool process_map_read_short(pid_t pid, struct process_map *map);

void process_map_free(struct process_map *map);

/*
 * Takes from a mapping what lies before an address, where the mapping before it ends. The list
 * must be in order and without overlaps, or process_map_find() would not find.
 */
void mapping_clip(struct mapping *mapping, uint64_t before);

/* Returns the mapping that contains the address, or NULL. */
const struct mapping *process_map_find(const struct process_map *map, uint64_t address);

/* Returns true if the process maps a part of the mapping's file as executable code. */
bool process_map_runs(const struct process_map *map, const struct mapping *mapping);

/* Returns true if the mapping has the name of memfd_secret(2) memory. */
bool mapping_is_secret(const struct mapping *mapping);

/* Returns the last component of a mapping's path. */
const char *mapping_file_name(const struct mapping *mapping);

#endif
