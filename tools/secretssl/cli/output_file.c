/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/message.h"

static bool output_failed(const struct output_file *file, const char *why)
{
    say("%s: cannot write '%s': %s", file->command, file->path, why);
    return false;
}

bool output_file_begin(struct output_file *file, const char *command, const char *path)
{
    struct stat status;
    int fd;

    *file = (struct output_file){.command = command, .path = path};
    /* A device, a pipe or a link would become an ordinary file. */
    if (lstat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return output_failed(file, "it is no ordinary file; use '>' of the shell instead");
    if (snprintf(file->name, sizeof(file->name), "%s.XXXXXX", path) >= (int)sizeof(file->name))
        return output_failed(file, strerror(ENAMETOOLONG));
    signal(SIGXFSZ, SIG_IGN); /* A limit on the size of files is an error to report. */
    /*
     * The directory may belong to another user (that of node_exporter), who must not be able to
     * have root write to a file of his choice: a new file, and a new name for each run.
     */
    fd = mkostemp(file->name, O_CLOEXEC);
    if (fd < 0)
        return output_failed(file, strerror(errno));
    if (fchmod(fd, 0644) != 0 || (fd != STDOUT_FILENO && dup2(fd, STDOUT_FILENO) < 0)) {
        output_failed(file, strerror(errno));
        unlink(file->name);
        return false;
    }
    if (fd != STDOUT_FILENO)
        close(fd);
    return true;
}

bool output_file_end(const struct output_file *file, bool keep)
{
    bool good = keep && output_written() && fsync(STDOUT_FILENO) == 0 &&
                rename(file->name, file->path) == 0;

    if (keep && !good)
        output_failed(file, strerror(errno));
    if (!good)
        unlink(file->name);
    return good || !keep;
}
