/* SPDX-License-Identifier: Apache-2.0 */
#include "process/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/message.h"
#include "process/judgement.h"
#include "process/pagemap.h"

const char *const state_names[STATES] = {
    [STATE_PROTECTED] = "protected",
    [STATE_DEGRADED] = "degraded",
    [STATE_REFUSING] = "refusing",
    [STATE_UNUSED] = "unused",
    [STATE_UNPROTECTED] = "unprotected",
    [STATE_UNREACHED] = "unreached",
    [STATE_NO_TLS] = "no-tls",
    [STATE_UNKNOWN] = "unknown",
    [STATE_GONE] = "gone",
};

/*
 * Reads a file of the open directory /proc/PID. The directory stays bound to this process even
 * if the process ID is reused.
 */
static ssize_t read_small(int directory, const char *name, char *into, size_t size)
{
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    ssize_t got;

    if (fd < 0)
        return -1;
    got = read(fd, into, size);
    close(fd);
    return got;
}

static bool state_read_name(struct process_state *process, int directory)
{
    ssize_t got = read_small(directory, "comm", process->name, sizeof(process->name) - 1);
    struct stat status;

    if (got <= 0 || fstat(directory, &status) != 0)
        return false;
    process->name[got] = '\0';
    if (process->name[got - 1] == '\n')
        process->name[got - 1] = '\0';
    process->uid = status.st_uid;
    return true;
}

static void state_read_unit(struct process_state *process)
{
    char *group = control_group_of(process->thread);

    if (group != NULL)
        control_group_unit(group, process->unit);
    free(group);
}

/*
 * Looks at addresses and not at the program's file, because the file may be on a file system
 * that never answers.
 */
static bool is_32_bit(const struct process_map *map)
{
    for (size_t i = 0; i < map->count; i++) {
        if (!map->list[i].kernel && map->list[i].end > UINT64_C(1) << 32)
            return false;
    }
    return true;
}

/*
 * Returns true if the mapping has the name of secret memory and the kernel refuses to read it.
 * The name alone proves nothing, because any user can give it to a file. Only a resident page
 * is tried, for the same reason.
 */
static bool holds_secret(int mem, struct presence *presence, const struct mapping *mapping)
{
    uint64_t start = mapping->start, stop;
    char byte;

    if (!mapping_is_secret(mapping) || mapping->no_access)
        return false;
    if (presence != NULL &&
        presence_next(presence, mapping->start, mapping->end, &start, &stop) != 1)
        return false;
    return start <= INT64_MAX && pread(mem, &byte, 1, (off_t)start) < 0 && errno == EIO;
}

/*
 * Reads smaps only if the kernel has blocks, because smaps walks the page tables while the
 * process waits. Otherwise reads maps.
 */
static bool read_map(pid_t pid, struct process_map *map)
{
    if (access("/sys/kernel/mm/secretmem/block_size", F_OK) == 0)
        return process_map_read(pid, map);
    return process_map_read_short(pid, map);
}

/*
 * Counts the mapped memory from a new map, read after the figures, because memory that the
 * figures claim was mapped before.
 */
static void count_mapped(struct process_state *process, int mem)
{
    struct presence *presence = presence_open(process->thread);
    struct process_map map;

    process->kernel_secret = process->kernel_blocks = 0;
    process->secret_most = process->mapped = 0;
    if (read_map(process->thread, &map)) {
        for (size_t i = 0; i < map.count; i++) {
            uint64_t size = map.list[i].end - map.list[i].start;

            process->mapped += size;
            if (mapping_is_secret(&map.list[i]))
                process->secret_most += size;
            if (!holds_secret(mem, presence, &map.list[i]))
                continue;
            process->kernel_secret += size;
            process->kernel_blocks += map.list[i].blocks;
        }
        process_map_free(&map);
    }
    if (presence != NULL)
        presence_close(presence);
}

/*
 * Reads again if the figures seem false, because the process may have unmapped memory between
 * the figures and the map. It gives memory back little by little, for up to a second.
 */
static void read_figures(struct process_state *process, int mem)
{
    for (int i = 0; i < 5; i++) {
        stats_read(process->thread, mem, &process->map, &process->stats);
        count_mapped(process, mem);
        if (!judgement_false(process))
            return;
    }
}

/*
 * Judges a process without memory: an ended process or a kernel thread. Kernels report these in
 * different ways.
 */
static void judge_without_memory(struct process_state *process, int directory)
{
    char text[512];
    ssize_t got = read_small(directory, "stat", text, sizeof(text) - 1);
    const char *state;

    text[got > 0 ? got : 0] = '\0';
    /* The state follows the name, which may contain any characters. */
    state = strrchr(text, ')');
    if (state == NULL)
        judgement_set(process, STATE_GONE, "it has ended");
    else if (strncmp(state, ") Z", 3) == 0 || strncmp(state, ") X", 3) == 0)
        judgement_set(process, STATE_GONE, "it has ended, and was not waited for");
    else
        judgement_set(process, STATE_NO_TLS,
                      "it has no memory of its own, because it is a kernel thread");
}

static void state_look(struct process_state *process, int directory)
{
    char again[64], path[32];
    int mem;

    if (!process_map_read_short(process->thread, &process->map) && errno != ESRCH &&
        errno != ENOENT) {
        judgement_set(process, STATE_UNKNOWN, "it cannot be examined: %s; %s", strerror(errno),
                      privilege_hint());
        return;
    }
    if (process->map.count == 0) {
        judge_without_memory(process, directory);
        return;
    }
    if (is_32_bit(&process->map)) {
        judgement_set(process, STATE_UNREACHED,
                      "a 32-bit program, which libsecretssl cannot protect");
        return;
    }
    snprintf(path, sizeof(path), "task/%d/mem", (int)process->thread);
    mem = openat(directory, path, O_RDONLY | O_CLOEXEC);
    if (mem < 0) {
        judgement_set(process, STATE_UNKNOWN, "its memory may not be read: %s; %s",
                      strerror(errno), privilege_hint());
        return;
    }
    read_figures(process, mem);
    close(mem);
    if (!unreached_find(process->thread, &process->map, UNREACHED_PATIENCE, &process->tls)) {
        judgement_set(process, STATE_UNKNOWN, "out of memory");
        return;
    }
    judgement_make(process);
    /*
     * Tests that the process still exists, because data read by process ID may belong to
     * another process by now.
     */
    if (read_small(directory, "comm", again, sizeof(again)) <= 0)
        judgement_set(process, STATE_GONE, "it ended while it was being examined");
}

void process_state_read(pid_t pid, struct process_state *process)
{
    char path[32];
    int directory;

    *process = (struct process_state){.pid = pid};
    snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0 || !state_read_name(process, directory)) {
        judgement_set(process, STATE_GONE, "%s",
                      access("/proc/self", F_OK) == 0 ? "there is no such process"
                                                      : "/proc is not mounted");
    } else {
        process->thread = process_thread(process->pid);
        state_read_unit(process);
        state_look(process, directory);
    }
    if (directory >= 0)
        close(directory);
}

void process_state_free(struct process_state *process)
{
    unreached_free(&process->tls);
    process_map_free(&process->map);
}

bool process_state_has_figures(const struct process_state *process)
{
    return process->stats.count > 0 && process->state < STATE_UNKNOWN;
}
