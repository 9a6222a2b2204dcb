/* SPDX-License-Identifier: Apache-2.0 */
#include "process/known_files.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "process/list.h"

static struct known {
    uint64_t device, inode;
    unsigned has;
} *known;
static size_t known_count;

static struct user {
    uid_t uid;
    unsigned waited;
} *users;
static size_t user_count;

unsigned known_file_find(const struct mapping *mapping)
{
    for (size_t i = 0; i < known_count; i++) {
        if (known[i].inode == mapping->inode && known[i].device == mapping->device)
            return known[i].has;
    }
    return 0;
}

void known_file_add(const struct mapping *mapping, unsigned has)
{
    struct known *more = list_grown(known, known_count, sizeof(*more));

    if (more == NULL)
        return;
    known = more;
    known[known_count++] = (struct known){mapping->device, mapping->inode, has};
}

unsigned *waited_for_user_of(pid_t pid)
{
    char path[32];
    struct stat status;
    struct user *more;

    snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    if (stat(path, &status) != 0)
        return NULL;
    for (size_t i = 0; i < user_count; i++) {
        if (users[i].uid == status.st_uid)
            return &users[i].waited;
    }
    more = list_grown(users, user_count, sizeof(*more));
    if (more == NULL)
        return NULL;
    users = more;
    users[user_count] = (struct user){.uid = status.st_uid};
    return &users[user_count++].waited;
}

void known_files_forget(void)
{
    free(known);
    free(users);
    known = NULL;
    users = NULL;
    known_count = user_count = 0;
}
