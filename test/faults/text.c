/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KNOWN 4096

/* The last code of each thread that asked: most calls come from the same few objects. */
static struct known {
    pid_t thread;
    bool library;
    uint64_t from, to;
} known[KNOWN];

static struct known *place_of(pid_t thread, bool library)
{
    return &known[(unsigned)(2 * thread + library) % KNOWN];
}

static bool is_within(const struct known *one, pid_t thread, uint64_t address)
{
    return one->thread == thread && address >= one->from && address < one->to;
}

/* Looks an address up in /proc/PID/maps. */
static bool look_up(pid_t thread, uint64_t address, const char *library)
{
    struct known found = {.thread = thread};
    char path[64], line[4352];
    FILE *maps;

    snprintf(path, sizeof(path), "/proc/%d/maps", thread);
    maps = fopen(path, "re");
    if (!maps)
        return false;
    while (fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%" SCNx64 "-%" SCNx64, &found.from, &found.to) == 2 &&
            is_within(&found, thread, address)) {
            found.library = strstr(line, library) != NULL;
            *place_of(thread, found.library) = found;
            break;
        }
    }
    fclose(maps);
    return found.library;
}

bool text_of_library(pid_t thread, uint64_t address, const char *library)
{
    for (int is = 0; is < 2; is++) {
        if (is_within(place_of(thread, is), thread, address))
            return place_of(thread, is)->library;
    }
    return look_up(thread, address, library);
}

void text_forget(pid_t thread)
{
    for (int is = 0; is < 2; is++)
        place_of(thread, is)->thread = 0;
}
