/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/preload_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static bool own_path(char own[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", own, PATH_MAX - 1);
    const char *started = (const char *)getauxval(AT_EXECFN);

    if (length > 0) {
        own[length] = '\0';
        return true;
    }
    /* Without /proc */
    return started != NULL && realpath(started, own) != NULL;
}

bool preload_find(char path[PRELOAD_PATH_ROOM])
{
    static const char *const places[] = {"/lib/" PRELOAD,
                                         "/" SECRETSSL_LIBDIR_NAME "/" PRELOAD};
    char own[PATH_MAX];
    bool known = own_path(own);

    for (int i = 0; known && i < 2; i++) {
        char *slash = strrchr(own, '/');

        if (slash != NULL)
            *slash = '\0';
    }
    for (size_t i = 0; known && i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(path, PRELOAD_PATH_ROOM, "%s%s", own, places[i]);
        if (access(path, R_OK) == 0)
            return true;
    }
    snprintf(path, PRELOAD_PATH_ROOM, "%s", SECRETSSL_LIBDIR "/" PRELOAD);
    if (access(path, R_OK) == 0)
        return true;
    snprintf(path, PRELOAD_PATH_ROOM,
             "%s/lib, %s/" SECRETSSL_LIBDIR_NAME " and " SECRETSSL_LIBDIR, known ? own : "..",
             known ? own : "..");
    return false;
}

/* Is path one of the entries of an LD_PRELOAD list? */
static bool list_holds(const char *list, const char *path)
{
    size_t length = strlen(path);

    for (const char *at = list; *at != '\0';) {
        size_t entry = strcspn(at, " :");

        if (entry == length && strncmp(at, path, length) == 0)
            return true;
        at += entry;
        at += strspn(at, " :");
    }
    return false;
}

char *preload_list(const char *path)
{
    const char *before = getenv("LD_PRELOAD");
    char *both;

    if (before == NULL || *before == '\0')
        return strdup(path);
    if (list_holds(before, path))
        return strdup(before);
    return asprintf(&both, "%s:%s", path, before) < 0 ? NULL : both;
}
