/* SPDX-License-Identifier: Apache-2.0 */
#include "enable/drop_in.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY "/etc/systemd/system"

enum { TEXT_MOST = 1 << 16, WAIT_SECONDS = 10 };

bool drop_in_can_hold(const char *text)
{
    return text[strcspn(text, " \t\n\"'\\")] == '\0';
}

/* "%" begins a specifier in unit files. */
static void put_literal(FILE *stream, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '%')
            fputc('%', stream);
        fputc(*text, stream);
    }
}

static void put_line(FILE *stream, const char *before, const char *text, const char *after)
{
    fputs(before, stream);
    put_literal(stream, text);
    fputs(after, stream);
    fputc('\n', stream);
}

char *drop_in_text(const struct drop_in *drop_in)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);

    if (stream == NULL)
        return NULL;
    fprintf(stream,
            DROP_IN_MARK "; 'secretssl disable %s' removes it.\n"
                         "# Settings of your own belong in another file of this directory.\n"
                         "[Unit]\n",
            drop_in->unit);
    put_line(stream, "AssertPathExists=", drop_in->object, "\n\n[Service]");
    put_line(stream, "Environment=LD_PRELOAD=", drop_in->preload, "");
    fprintf(stream,
            "Environment=SECRETSSL_REQUIRE=1\n"
            "LimitMEMLOCK=%" PRIu64 "M\n",
            drop_in->memlock_mib);
    if (drop_in->allow_call)
        fputs("SystemCallFilter=memfd_secret\n", stream);
    fputs("ExecStartPost=+", stream);
    put_literal(stream, drop_in->tool);
    fprintf(stream, " stat%s --wait=%d ${MAINPID}\n", drop_in->strict ? " --strict" : "",
            WAIT_SECONDS);
    return fclose(stream) == 0 ? text : NULL;
}

void drop_in_path(const char *unit, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, DIRECTORY "/%s.d/secretssl.conf", unit);
}

enum drop_in_owner drop_in_read(const char *path, char **text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    char *buffer;
    ssize_t got;

    *text = NULL;
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? DROP_IN_ABSENT
               : errno == ELOOP                    ? DROP_IN_FOREIGN
                                                   : DROP_IN_UNKNOWN;
    buffer = calloc(1, TEXT_MOST);
    got = buffer != NULL ? read(fd, buffer, TEXT_MOST - 1) : -1;
    close(fd);
    if (got >= 0 && strncmp(buffer, DROP_IN_MARK, sizeof(DROP_IN_MARK) - 1) == 0) {
        *text = buffer;
        return DROP_IN_OURS;
    }
    free(buffer);
    return got >= 0 || errno == EISDIR ? DROP_IN_FOREIGN : DROP_IN_UNKNOWN;
}

static bool drop_in_put(int fd, const char *text)
{
    size_t size = strlen(text);

    while (size > 0) {
        ssize_t done = write(fd, text, size);

        if (done < 0 && errno != EINTR)
            return false;
        if (done > 0) {
            text += done;
            size -= (size_t)done;
        }
    }
    return fchmod(fd, 0644) == 0 && fsync(fd) == 0;
}

/* Returns the directory of the file. */
static void directory_of(const char *path, char directory[PATH_MAX])
{
    snprintf(directory, PATH_MAX, "%s", path);
    *strrchr(directory, '/') = '\0';
}

bool drop_in_write(const char *path, const char *text)
{
    char directory[PATH_MAX], temporary[PATH_MAX + 16];
    bool made, good;
    int fd, error;

    directory_of(path, directory);
    made = mkdir(directory, 0755) == 0;
    if (!made && errno != EEXIST)
        return false;
    /* systemd reads only names that end with ".conf". */
    snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    fd = mkostemp(temporary, O_CLOEXEC);
    good = fd >= 0 && drop_in_put(fd, text);
    if (fd >= 0)
        good = close(fd) == 0 && good;
    good = good && rename(temporary, path) == 0;
    if (good)
        return true;
    error = errno;
    if (fd >= 0)
        unlink(temporary);
    if (made)
        rmdir(directory);
    errno = error;
    return false;
}

bool drop_in_remove(const char *path)
{
    char directory[PATH_MAX];

    if (unlink(path) != 0 && errno != ENOENT)
        return false;
    directory_of(path, directory);
    rmdir(directory);
    return true;
}
