/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/library_path.h"
#include "loader/elf_symbols.h"
#include "loader/opened_names.h"
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#else
#define MACHINE EM_AARCH64
#endif

struct text {
    char *at;
    size_t room; /* bytes left, with the final zero */
    bool full;
};

static void append(struct text *text, const char *more, size_t length)
{
    text->full = text->full || length >= text->room;
    if (text->full)
        return;
    memcpy(text->at, more, length);
    text->at += length;
    text->room -= length;
    *text->at = '\0';
}

/*
 * Returns false for a file of another architecture, because the linker then tries the next
 * directory.
 */
static bool path_fits(const char *path)
{
    ElfW(Ehdr) head;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool whole = fd >= 0 && read(fd, &head, sizeof(head)) == (ssize_t)sizeof(head);

    if (fd >= 0)
        close(fd);
    /* The linker reports a file that is not ELF. */
    return fd >= 0 && (!whole || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
                       (head.e_ident[EI_CLASS] == ELFCLASS64 && head.e_machine == MACHINE));
}

#if defined(__x86_64__)
#define HAS(feature) __builtin_cpu_supports(feature)
static const char *const levels[] = {"x86-64-v4", "x86-64-v3", "x86-64-v2"};

/* The levels of the psABI, told by features that imply the others. */
static bool level_is_there(int level)
{
    bool v2 = HAS("sse4.2") && HAS("ssse3") && HAS("popcnt");
    bool v3 = v2 && HAS("avx2") && HAS("bmi") && HAS("bmi2") && HAS("fma");

    if (level == 0)
        return v3 && HAS("avx512f") && HAS("avx512bw") && HAS("avx512cd") && HAS("avx512dq") &&
               HAS("avx512vl");
    return level == 1 ? v3 : v2;
}
#else
static const char *const levels[] = {NULL};
static bool level_is_there(int level)
{
    return level < 0;
}
#endif

static bool found_in(const char *directory, const char *level, const char *file,
                     char path[PATH_MAX])
{
    struct text text = {path, PATH_MAX, false};

    append(&text, directory, strlen(directory));
    append(&text, "/", 1);
    if (level) {
        append(&text, "glibc-hwcaps/", 13);
        append(&text, level, strlen(level));
        append(&text, "/", 1);
    }
    append(&text, file, strlen(file));
    return !text.full && path_fits(path);
}

static bool found_below(const char *directory, const char *file, char path[PATH_MAX])
{
    for (int i = 0; i < (int)(sizeof(levels) / sizeof(levels[0])); i++) {
        if (level_is_there(i) && found_in(directory, levels[i], file, path))
            return true;
    }
    return found_in(directory, NULL, file, path);
}

/*
 * Returns all directories searched for an object, in order, or NULL if unknown. The caller must
 * free() the list.
 */
static Dl_serinfo *directories_of(struct link_map *map)
{
    Dl_serinfo size, *list;

    if (dlinfo(map, RTLD_DI_SERINFOSIZE, &size) != 0)
        return NULL;
    list = malloc(size.dls_size);
    if (!list)
        return NULL;
    *list = size;
    if (dlinfo(map, RTLD_DI_SERINFOSIZE, list) == 0 && dlinfo(map, RTLD_DI_SERINFO, list) == 0)
        return list;
    free(list);
    return NULL;
}

/* In a set-id program the linker trusts other directories than the preload can tell. */
static bool secure(void)
{
    return getauxval(AT_SECURE) != 0;
}

static struct link_map *object_of(const void *code)
{
    struct link_map *map = NULL;
    Dl_info info;

    return dladdr1(code, &info, (void **)&map, RTLD_DL_LINKMAP) ? map : NULL;
}

/*
 * Returns how many directories are the caller's own. The directories at the end of both lists
 * are the linker's own search, the same for all objects.
 */
static unsigned own_directories(const Dl_serinfo *theirs, const Dl_serinfo *ours)
{
    unsigned number = theirs->dls_cnt, left = ours->dls_cnt;

    while (number && left &&
           strcmp(theirs->dls_serpath[number - 1].dls_name,
                  ours->dls_serpath[left - 1].dls_name) == 0) {
        number--;
        left--;
    }
    /* Where the preload has no directories of its own, all of its list is in the caller's. */
    return number;
}

static bool needs(const struct elf_object *object, const char *name)
{
    const char *needed;

    for (unsigned i = 0; (needed = elf_needed(object, i)); i++) {
        if (strcmp(needed, name) == 0)
            return true;
    }
    return false;
}

/* Compares the DT_SONAME, the DT_NEEDED names and the path. */
static int is_loaded(struct dl_phdr_info *info, size_t size, void *name)
{
    struct elf_object object = elf_object(info);

    (void)size;
    return strcmp(elf_soname(&object), name) == 0 || needs(&object, name) ||
           (info->dlpi_name && strcmp(info->dlpi_name, name) == 0);
}

static enum search in_own_directories(const char *file, struct link_map *map,
                                      char path[PATH_MAX])
{
    Dl_serinfo *theirs = directories_of(map);
    Dl_serinfo *ours = directories_of(object_of((const void *)search_for_caller));
    enum search how = SEARCH_NAME;

    if (theirs && ours) {
        unsigned number = own_directories(theirs, ours);
        if (number == 0)
            how = SEARCH_SAME;
        else if (secure())
            how = SEARCH_CALLER;
        for (unsigned i = 0; how == SEARCH_NAME && i < number; i++) {
            if (found_below(theirs->dls_serpath[i].dls_name, file, path))
                how = SEARCH_PATH;
        }
    }
    free(theirs);
    free(ours);
    return how;
}

static bool goes_on(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_';
}

/* Returns the length of "$ORIGIN" or "${ORIGIN}" at the start of text, or 0. */
static size_t origin_length(const char *text)
{
    if (strncmp(text, "${ORIGIN}", 9) == 0)
        return 9;
    return strncmp(text, "$ORIGIN", 7) == 0 && !goes_on(text[7]) ? 7 : 0;
}

static bool has_origin(const char *file)
{
    for (file = strchr(file, '$'); file; file = strchr(file + 1, '$')) {
        if (origin_length(file))
            return true;
    }
    return false;
}

/*
 * Gets the directory of an object. Returns false if the path is relative to the current
 * directory at load time. Not dlinfo(), which knows the program's directory only if the linker
 * needed it.
 */
static bool origin_of(const struct link_map *map, char origin[PATH_MAX])
{
    struct text text = {origin, PATH_MAX, false};
    ssize_t length;
    char *slash;

    if (*map->l_name) {
        append(&text, map->l_name, strlen(map->l_name));
    } else {
        length = readlink("/proc/self/exe", origin, PATH_MAX - 1);
        origin[length > 0 ? length : 0] = '\0';
    }
    slash = text.full ? NULL : strrchr(origin, '/');
    if (slash)
        *slash = '\0';
    return slash && *origin == '/';
}

/* $LIB and $PLATFORM are the same for all callers, and left to the linker. */
static enum search expanded(const char *file, const struct link_map *map, char path[PATH_MAX])
{
    struct text text = {path, PATH_MAX, false};
    char origin[PATH_MAX];

    if (secure() || !origin_of(map, origin))
        return SEARCH_CALLER;
    while (*file) {
        size_t length = origin_length(file);
        append(&text, length ? origin : file, length ? strlen(origin) : 1);
        file += length ? length : 1;
    }
    return text.full ? SEARCH_CALLER : SEARCH_PATH;
}

static enum search search(const char *file, const void *caller, bool here, char path[PATH_MAX])
{
    bool bare = !strchr(file, '/');
    struct link_map *map;

    if (!*file || (!bare && !has_origin(file)))
        return SEARCH_SAME;
    if (here && names_recall(file, path))
        return SEARCH_PATH;
    if (bare && here && dl_iterate_phdr(is_loaded, (void *)file))
        return SEARCH_SAME;
    map = object_of(caller);
    /* Generated code counts as the program's, as for the linker. */
    if (!map) {
        for (map = object_of((const void *)search_for_caller); map->l_prev;)
            map = map->l_prev;
    }
    return bare ? in_own_directories(file, map, path) : expanded(file, map, path);
}

enum search search_for_caller(const char *file, const void *caller, bool here,
                              char path[PATH_MAX])
{
    int error = errno;
    enum search how = search(file, caller, here, path);

    errno = error;
    return how;
}
