/* SPDX-License-Identifier: Apache-2.0 */
#include "process/target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "process/tls_libraries.h"

/* The number of nested interpreters that the kernel follows, and one more for env(1). */
enum { SCRIPTS_MOST = 6, HEAD = 256, SEGMENTS_MOST = 128 };

/* Finds the file that execvp(3) runs (mode X_OK), or any file of that name (F_OK). */
static bool target_find(const char *command, int mode, char file[PATH_MAX])
{
    const char *path = getenv("PATH");
    struct stat status;
    int length;

    if (strchr(command, '/') != NULL) {
        length = snprintf(file, PATH_MAX, "%s", command);
        return length > 0 && length < PATH_MAX && access(file, mode) == 0 &&
               stat(file, &status) == 0 && (mode == F_OK || S_ISREG(status.st_mode));
    }
    if (path == NULL)
        path = "/bin:/usr/bin";
    for (;;) {
        size_t entry = strcspn(path, ":");

        length = snprintf(file, PATH_MAX, "%.*s%s%s", (int)entry, path, entry > 0 ? "/" : "",
                          command);
        if (length > 0 && length < PATH_MAX && access(file, mode) == 0 &&
            stat(file, &status) == 0 && (mode == F_OK || S_ISREG(status.st_mode)))
            return true;
        if (path[entry] == '\0')
            return false;
        path += entry + 1;
    }
}

bool target_exists(const char *command)
{
    char file[PATH_MAX];

    return target_find(command, F_OK, file);
}

/* The base name of the dynamic linker that an ELF file names; "" if none. */
struct linker {
    char name[64];
};

static struct linker linker_of(int fd, const Elf64_Ehdr *head)
{
    struct linker linker = {""};

    for (size_t i = 0; i < head->e_phnum && i < SEGMENTS_MOST; i++) {
        Elf64_Phdr segment;
        char path[PATH_MAX];
        ssize_t got;

        if (head->e_phoff > INT64_MAX / 2 ||
            pread(fd, &segment, sizeof(segment),
                  (off_t)(head->e_phoff + i * sizeof(segment))) != sizeof(segment))
            break;
        if (segment.p_type != PT_INTERP || segment.p_offset > INT64_MAX)
            continue;
        got = pread(fd, path,
                    segment.p_filesz < sizeof(path) ? segment.p_filesz : sizeof(path) - 1,
                    (off_t)segment.p_offset);
        if (got > 0) {
            path[got < PATH_MAX ? got : PATH_MAX - 1] = '\0';

            const char *slash = strrchr(path, '/');

            snprintf(linker.name, sizeof(linker.name), "%.63s",
                     slash != NULL ? slash + 1 : path);
        }
        break;
    }
    return linker;
}

static bool target_head_of(const char *file, Elf64_Ehdr *head, struct linker *linker)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && pread(fd, head, sizeof(*head), 0) == sizeof(*head);

    if (good)
        *linker = linker_of(fd, head);
    if (fd >= 0)
        close(fd);
    return good;
}

/*
 * Returns this program's dynamic linker, which is that of the C library for the preload object.
 */
static struct linker own_linker(void)
{
    const char *started = (const char *)getauxval(AT_EXECFN);
    struct linker linker = {""};
    Elf64_Ehdr head;

    if (!target_head_of("/proc/self/exe", &head, &linker) && started != NULL)
        target_head_of(started, &head, &linker);
    return linker;
}

/*
 * Returns the reason why the kernel sets AT_SECURE, so that ld.so ignores LD_PRELOAD, or NULL.
 */
static const char *gains_privileges(int fd, const struct target_user *user)
{
    struct stat status;
    struct statvfs system;

    if (fstat(fd, &status) != 0 || fstatvfs(fd, &system) != 0 || system.f_flag & ST_NOSUID)
        return NULL;
    if (!user->no_new_privileges &&
        ((status.st_mode & S_ISUID && status.st_uid != user->uid) ||
         ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
          status.st_gid != user->gid)))
        return "it is set-id, and ld.so ignores LD_PRELOAD for it: start it as its user";
    if (user->uid != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
        return "it has file capabilities, and ld.so ignores LD_PRELOAD for it: remove them "
               "(setcap -r), and set AmbientCapabilities= in a unit instead";
    return NULL;
}

static const char *target_judge(int fd, const Elf64_Ehdr *head, const char *preload,
                                const struct target_user *user)
{
    static char why_copy[160];
    const char *copy;
    struct linker own = own_linker(), its, none;
    Elf64_Ehdr ours;

    if (target_head_of(preload, &ours, &none) &&
        (head->e_ident[EI_CLASS] != ours.e_ident[EI_CLASS] ||
         head->e_ident[EI_DATA] != ours.e_ident[EI_DATA] || head->e_machine != ours.e_machine))
        return head->e_ident[EI_CLASS] == ELFCLASS32
                   ? "it is a 32-bit program: use a 64-bit build"
                   : "it is a program for another kind of machine: use a build for this one";
    its = linker_of(fd, head);
    /* The dynamic linker itself, when it is the command, also names none. */
    if (its.name[0] == '\0')
        return "it is linked statically, so nothing can be preloaded into it: use a build with "
               "the shared libraries of OpenSSL";
    if (own.name[0] != '\0' && strcmp(its.name, own.name) != 0)
        return strncmp(its.name, "ld-musl", 7) == 0
                   ? "it is linked with musl, and libsecretssl needs glibc: use a build for "
                     "glibc"
                   : "its dynamic linker is not glibc's: use a build for glibc";
    copy = unreached_copy(fd);
    if (copy != NULL) {
        snprintf(why_copy, sizeof(why_copy),
                 "it contains %s, which cannot be reached there: use a build with shared "
                 "libraries",
                 copy);
        return why_copy;
    }
    return gains_privileges(fd, user);
}

/*
 * Finds the program in a script's first line. For env(1) finds the command that env executes.
 */
static bool interpreter_of(char *line, char file[PATH_MAX])
{
    char *save, *name = strtok_r(line + 2, " \t\n", &save);
    const char *base = name != NULL ? strrchr(name, '/') : NULL;
    char *argument;

    if (name == NULL)
        return false;
    if (base != NULL && strcmp(base, "/env") == 0) {
        argument = strtok_r(NULL, " \t\n", &save);
        if (argument != NULL && strcmp(argument, "-S") == 0)
            argument = strtok_r(NULL, " \t\n", &save);
        if (argument != NULL && argument[0] != '-' && strchr(argument, '=') == NULL)
            return target_find(argument, X_OK, file);
    }
    return snprintf(file, PATH_MAX, "%s", name) < PATH_MAX;
}

/*
 * Returns true if the target is judged. For a script returns false and sets target->file to the
 * interpreter.
 */
static bool target_look_into(struct target *target, const char *preload,
                             const struct target_user *user)
{
    union {
        Elf64_Ehdr elf;
        char text[HEAD + 1];
    } head;
    int fd = open(target->file, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? pread(fd, head.text, HEAD, 0) : -1;
    bool done = true;

    if (got < 0) {
        target->why_not = "its file cannot be read, to find out whether it can be";
    } else {
        head.text[got] = '\0';
        if (strncmp(head.text, "#!", 2) == 0) {
            head.text[strcspn(head.text, "\n")] = '\0';
            target->script = true;
            done = !interpreter_of(head.text, target->file);
            target->why_not = done ? "its interpreter cannot be found" : NULL;
        } else if ((size_t)got < sizeof(head.elf) ||
                   memcmp(head.elf.e_ident, ELFMAG, SELFMAG) != 0) {
            /* The kernel does not know the format, so execvp(3) gives the file to the shell. */
            target->script = true;
            snprintf(target->file, sizeof(target->file), "/bin/sh");
            done = false;
        } else {
            target->why_not = target_judge(fd, &head.elf, preload, user);
        }
    }
    if (fd >= 0)
        close(fd);
    return done;
}

struct target_user target_own_user(void)
{
    return (struct target_user){.uid = getuid(),
                                .gid = getgid(),
                                .no_new_privileges =
                                    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1};
}

bool target_look(const char *command, const char *preload, const struct target_user *user,
                 struct target *target)
{
    *target = (struct target){.why_not = NULL};
    if (!target_find(command, X_OK, target->file))
        return false;
    for (int i = 0; i < SCRIPTS_MOST; i++) {
        if (target_look_into(target, preload, user))
            return true;
    }
    target->why_not = "its interpreters are scripts in an endless chain";
    return true;
}
