/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/message.h"

static bool new_name(const char *path, char name[PATH_MAX])
{
    return snprintf(name, PATH_MAX, "%s.new", path) < PATH_MAX;
}

static bool failed(const char *command, const char *what, const char *path)
{
    say("%s: cannot %s '%s': %s", command, what, path, strerror(errno));
    return false;
}

bool output_file_begin(const char *command, const char *path)
{
    char name[PATH_MAX];
    int fd;

    if (!new_name(path, name)) {
        errno = ENAMETOOLONG;
        return failed(command, "write", path);
    }
    /*
     * The directory may belong to another user (that of node_exporter), who must not be able to
     * have root write to a file of his choice.
     */
    unlink(name);
    signal(SIGXFSZ, SIG_IGN); /* A limit on the size of files is an error to report. */
    fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
        return failed(command, "write", name);
    close(fd);
    return true;
}

bool output_file_end(const char *command, const char *path, bool keep)
{
    char name[PATH_MAX];

    if (!new_name(path, name))
        return false;
    if (!keep || !output_written() || fsync(STDOUT_FILENO) != 0) {
        bool wanted = keep;

        if (wanted)
            failed(command, "write", name);
        unlink(name);
        return !wanted;
    }
    if (rename(name, path) == 0)
        return true;
    failed(command, "write", path);
    unlink(name);
    return false;
}
