/* SPDX-License-Identifier: Apache-2.0 */
/* The environment of the program: user namespaces, containers, and memory limits of cgroups. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor/check.h"
#include "process/try_in_child.h"

#define V2 "/sys/fs/cgroup"
#define V1 "/sys/fs/cgroup/memory"

/* Less memory is not enough for a server with some connections. */
static const uint64_t little = (uint64_t)16 << 20;

/* Returns the kind of container, or NULL if none is seen. */
static const char *container(void)
{
    static const struct {
        const char *path, *name;
    } marks[] = {
        {"/.dockerenv", "Docker"},
        {"/run/.containerenv", "Podman"},
        {"/run/systemd/container", "systemd-nspawn or like it"},
    };

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (access(marks[i].path, F_OK) == 0)
            return marks[i].name;
    }
    return getenv("container");
}

/*
 * Returns 1 in a user namespace, 0 in the initial one, -1 if unknown. The initial user
 * namespace maps every ID to itself.
 */
static int in_user_namespace(void)
{
    char line[128];
    unsigned long inside, outside, count;

    if (!first_line("/proc/self/uid_map", line, sizeof(line)))
        return -1;
    return !(sscanf(line, "%lu %lu %lu", &inside, &outside, &count) == 3 && inside == 0 &&
             outside == 0 && count == UINT32_MAX);
}

void check_container(struct diagnosis *diagnosis)
{
    struct check *check = check_new(diagnosis, "container");
    const char *kind = container();
    int user = in_user_namespace();

    diagnosis->facts.contained = kind != NULL || user > 0;
    if (user < 0)
        check_say(check, VERDICT_UNKNOWN, "/proc/self/uid_map cannot be read: %s",
                  strerror(errno));
    else if (user > 0)
        check_say(check, VERDICT_NOTE,
                  "in a user namespace%s%s: root here is an ordinary user outside, and secret "
                  "memory also counts towards the limit of the user who created the namespace",
                  kind != NULL ? ", " : "", kind != NULL ? kind : "");
    else if (kind != NULL)
        check_say(check, VERDICT_NOTE, "in a container (%s)", kind);
    else
        check_say(check, VERDICT_OK, "no container, no user namespace");
}

/*
 * The memory left by the tightest limit of a cgroup and its parents. room UINT64_MAX: no limit.
 */
struct group {
    uint64_t room, limit;
    char path[1024];
};

static bool read_number(const char *directory, const char *name, uint64_t *value)
{
    char path[1200], line[64], *end;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    if (!first_line(path, line, sizeof(line)))
        return false;
    errno = 0;
    *value = strtoull(line, &end, 10);
    return end != line && errno == 0;
}

/* The names of a cgroup's files, which differ between versions 1 and 2. */
struct files {
    const char *root, *limit, *usage, *inactive;
};

static const struct files files_v2 = {V2, "memory.max", "memory.current", "inactive_file %lu"};
static const struct files files_v1 = {V1, "memory.limit_in_bytes", "memory.usage_in_bytes",
                                      "total_inactive_file %lu"};

/*
 * Returns the bytes of inactive page cache, which the kernel reclaims before it kills a
 * process.
 */
static uint64_t reclaimable(const char *directory, const char *format)
{
    char path[1200], line[128];
    unsigned long bytes = 0;
    FILE *file;

    snprintf(path, sizeof(path), "%s/memory.stat", directory);
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL &&
           sscanf(line, format, &bytes) != 1)
        ;
    if (file != NULL)
        fclose(file);
    return bytes;
}

static void look_upwards(struct group *group, const struct files *files, const char *below)
{
    const char *root = files->root;
    char path[1024];
    uint64_t limit, usage;

    snprintf(path, sizeof(path), "%s%s", root, below);
    while (strlen(path) >= strlen(root)) {
        if (read_number(path, files->limit, &limit) &&
            read_number(path, files->usage, &usage)) {
            uint64_t spare = reclaimable(path, files->inactive);

            usage -= spare < usage ? spare : usage;

            uint64_t room = limit > usage ? limit - usage : 0;

            if (room < group->room) {
                group->room = room;
                group->limit = limit;
                snprintf(group->path, sizeof(group->path), "%s", path);
            }
        }
        *strrchr(path, '/') = '\0';
    }
}

static void find_group(struct group *group)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    char line[512];

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        char *path = strchr(line, ':');

        line[strcspn(line, "\n")] = '\0';
        if (path == NULL)
            continue;
        if (strncmp(path, "::/", 3) == 0)
            look_upwards(group, &files_v2, path + 2);
        else if (strncmp(path, ":memory:/", 9) == 0)
            look_upwards(group, &files_v1, path + 8);
    }
    if (file != NULL)
        fclose(file);
}

void check_cgroup(struct diagnosis *diagnosis)
{
    struct check *check = check_new(diagnosis, "cgroup");
    struct group group = {.room = UINT64_MAX};

    if (access("/proc/self/cgroup", R_OK) != 0) {
        check_say(check, VERDICT_UNKNOWN, "/proc/self/cgroup cannot be read: %s",
                  strerror(errno));
        return;
    }
    find_group(&group);
    if (group.room >= little) {
        check_say(check, VERDICT_OK, "no memory limit is near");
        return;
    }
    check_say(check, VERDICT_WARNING,
              "%" PRIu64 " KiB are left of %" PRIu64
              " KiB (%s): beyond that the OOM killer ends the process; secret memory cannot be "
              "swapped out",
              group.room >> 10, group.limit >> 10, group.path);
    check_remedy(check, UNIT_FILE, "MemoryMax=%" PRIu64 "M", (group.limit >> 20) + 256);
    check_remedy(check, "docker run", "--memory %" PRIu64 "m", (group.limit >> 20) + 256);
}
