/* SPDX-License-Identifier: Apache-2.0 */
#include "process/maps.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/clean.h"
#include "process/list.h"

/* The inspected process chooses the names. */
static char *printable(const char *text)
{
    char *copy = strdup(*text == '\0' ? "[anonymous]" : text);

    if (copy != NULL)
        clean_text(copy);
    return copy;
}

void mapping_clip(struct mapping *mapping, uint64_t before)
{
    uint64_t start = mapping->start > before ? mapping->start : before;

    mapping->offset += start - mapping->start;
    mapping->start = start;
    if (mapping->end < start)
        mapping->end = start;
}

/* Returns 1 if the line begins a mapping, which is added; 0 if not; -1 if out of memory. */
static int add_mapping(struct process_map *map, const char *line)
{
    struct mapping mapping = {0};
    unsigned major, minor;
    char access[5];
    int name = 0;

    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n",
               &mapping.start, &mapping.end, access, &mapping.offset, &major, &minor,
               &mapping.inode, &name) != 7)
        return 0;
    /*
     * The kernel makes the list piece by piece: a mapping that the process merged with the last
     * one meanwhile begins before the end of that one.
     */
    mapping_clip(&mapping, map->count > 0 ? map->list[map->count - 1].end : 0);
    mapping.anonymous = major == 0 && minor == 0 && mapping.inode == 0;
    mapping.device = (uint64_t)major << 32 | minor;
    mapping.no_access = strncmp(access, "---", 3) == 0;
    mapping.executable = access[2] == 'x';
    mapping.own_data = access[1] == 'w' && access[3] == 'p';
    mapping.name = printable(line + name);
    /* The kernel's legacy page at the top is not in the process's own address space. */
    mapping.kernel = mapping.start > INT64_MAX;

    struct mapping *more = list_grown(map->list, map->count, sizeof(*more));

    if (more != NULL)
        map->list = more;
    if (more == NULL || mapping.name == NULL) {
        free(mapping.name);
        return -1;
    }
    more[map->count++] = mapping;
    return 1;
}

static void add_detail(struct mapping *mapping, const char *line)
{
    uint64_t kibibytes;

    if (sscanf(line, "Rss: %" SCNu64, &kibibytes) == 1 ||
        sscanf(line, "Swap: %" SCNu64, &kibibytes) == 1 ||
        sscanf(line, "Private_Hugetlb: %" SCNu64, &kibibytes) == 1 ||
        sscanf(line, "Shared_Hugetlb: %" SCNu64, &kibibytes) == 1)
        mapping->resident += kibibytes * 1024;
    else if (sscanf(line, "FilePmdMapped: %" SCNu64, &kibibytes) == 1)
        mapping->blocks = kibibytes * 1024;
    if (strncmp(line, "VmFlags:", 8) == 0 && (strstr(line, " io") || strstr(line, " pf")))
        mapping->kernel = true;
}

static bool maps_read_file(pid_t pid, const char *name, struct process_map *map)
{
    char path[64];
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    int kind = 0;

    *map = (struct process_map){0};
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);

    FILE *file = fopen(path, "re");

    if (file == NULL)
        return false;
    errno = 0;
    while (kind >= 0 && (length = getline(&line, &room, file)) > 0) {
        if (line[length - 1] == '\n')
            line[length - 1] = '\0';
        kind = isupper((unsigned char)line[0]) ? 0 : add_mapping(map, line);
        if (kind == 0 && map->count > 0)
            add_detail(&map->list[map->count - 1], line);
    }

    int error = kind < 0 ? ENOMEM : errno;
    bool good = kind >= 0 && !ferror(file);

    free(line);
    fclose(file);
    if (!good)
        process_map_free(map);
    errno = error;
    return good;
}

/*
 * Returns 1 if the thread has memory, 0 if it has none or has ended, -1 if reading is denied.
 */
static int has_memory(pid_t thread)
{
    char path[32], byte;
    ssize_t got;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/maps", (int)thread);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    got = fd >= 0 ? read(fd, &byte, 1) : -1;
    if (got < 0)
        got = errno == ENOENT || errno == ESRCH ? 0 : -1;
    if (fd >= 0)
        close(fd);
    return (int)got;
}

pid_t process_thread(pid_t pid)
{
    char path[32];
    const struct dirent *entry;
    pid_t thread = pid;
    int has = has_memory(pid);
    DIR *tasks;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    tasks = has == 0 ? opendir(path) : NULL;
    while (tasks != NULL && has == 0 && (entry = readdir(tasks)) != NULL) {
        thread = (pid_t)strtol(entry->d_name, NULL, 10);
        has = thread > 0 ? has_memory(thread) : 0;
    }
    if (tasks != NULL)
        closedir(tasks);
    return has == 1 ? thread : pid;
}

bool process_map_read(pid_t pid, struct process_map *map)
{
    return maps_read_file(pid, "smaps", map);
}

bool process_map_read_short(pid_t pid, struct process_map *map)
{
    return maps_read_file(pid, "maps", map);
}

void process_map_free(struct process_map *map)
{
    for (size_t i = 0; i < map->count; i++)
        free(map->list[i].name);
    free(map->list);
    *map = (struct process_map){0};
}

const struct mapping *process_map_find(const struct process_map *map, uint64_t address)
{
    size_t low = 0, high = map->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (address >= map->list[middle].end)
            low = middle + 1;
        else if (address < map->list[middle].start)
            high = middle;
        else
            return &map->list[middle];
    }
    return NULL;
}

bool process_map_runs(const struct process_map *map, const struct mapping *mapping)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct mapping *other = &map->list[i];

        if (other->executable && !other->anonymous && other->inode == mapping->inode &&
            other->device == mapping->device)
            return true;
    }
    return false;
}

bool mapping_is_secret(const struct mapping *mapping)
{
    return strncmp(mapping->name, "/secretmem", 10) == 0 &&
           (mapping->name[10] == '\0' || mapping->name[10] == ' ');
}

const char *mapping_file_name(const struct mapping *mapping)
{
    const char *slash = strrchr(mapping->name, '/');

    return slash != NULL ? slash + 1 : mapping->name;
}
