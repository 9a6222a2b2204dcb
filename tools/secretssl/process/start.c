/* SPDX-License-Identifier: Apache-2.0 */
#include "process/start.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/preload_path.h"

enum { SOME = 1 << 17 };

char *process_read_file(pid_t pid, const char *name, size_t *size)
{
    char path[64], *text = calloc(1, SOME + 2);
    int fd;
    ssize_t got;

    *size = 0;
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    fd = text != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    while (fd >= 0 && *size < SOME && (got = read(fd, text + *size, SOME - *size)) > 0)
        *size += (size_t)got;
    if (fd >= 0) {
        close(fd);
        return text;
    }
    free(text);
    return NULL;
}

bool process_program(pid_t pid, char program[PATH_MAX])
{
    static const char deleted[] = " (deleted)";
    char path[32];
    size_t shorter = sizeof(deleted) - 1;

    snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    ssize_t length = readlink(path, program, PATH_MAX - 1);

    if (length < 0)
        return false;
    program[length] = '\0';
    /* What is left of the path must have a name: a file may be called like the mark. */
    if ((size_t)length > shorter && program[(size_t)length - shorter - 1] != '/' &&
        strcmp(program + length - shorter, deleted) == 0)
        program[(size_t)length - shorter] = '\0';
    return true;
}

int process_asks_for_preload(pid_t pid)
{
    size_t size;
    char *list = process_read_file(pid, "environ", &size);
    int answer = list == NULL ? -1 : 0;

    for (size_t at = 0; list != NULL && at < size; at += strlen(list + at) + 1) {
        if (strncmp(list + at, "LD_PRELOAD=", 11) == 0 && strstr(list + at, PRELOAD) != NULL)
            answer = 1;
    }
    free(list);
    return answer;
}

bool process_runs_set_id(pid_t pid)
{
    size_t size;
    char *text = process_read_file(pid, "auxv", &size);
    bool answer = false;

    for (size_t at = 0; text != NULL && at + sizeof(Elf64_auxv_t) <= size;
         at += sizeof(Elf64_auxv_t)) {
        Elf64_auxv_t entry;

        memcpy(&entry, text + at, sizeof(entry));
        if (entry.a_type == AT_SECURE && entry.a_un.a_val != 0)
            answer = true;
    }
    free(text);
    return answer;
}
