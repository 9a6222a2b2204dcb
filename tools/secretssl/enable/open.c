/* SPDX-License-Identifier: Apache-2.0 */
#include "enable/open.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/message.h"

/* As sd_booted(3) */
static bool manager_runs(const char *command)
{
    if (access("/run/systemd/system", F_OK) == 0)
        return true;
    say("%s: systemd does not run here (there is no /run/systemd/system); start the program "
        "with 'secretssl run --require', or set LD_PRELOAD in its container",
        command);
    return false;
}

bool unit_open(const char *command, const char *text, bool changes, struct opened *opened)
{
    const char *wrong = unit_name_make(text, opened->name);

    *opened->path = '\0';
    opened->unit = (struct unit){.count = 0};
    opened->before = NULL;
    if (wrong != NULL) {
        say("%s: '%s' %s", command, text, wrong);
        return false;
    }
    if (!manager_runs(command))
        return false;
    if (changes && geteuid() != 0) {
        say("%s: only root may change units of the system; units of users (systemctl --user) "
            "are not supported",
            command);
        return false;
    }
    if (!unit_read(command, opened->name, &opened->unit))
        return false;
    if (*unit_get(&opened->unit, "Id") != '\0')
        snprintf(opened->name, sizeof(opened->name), "%s", unit_get(&opened->unit, "Id"));
    drop_in_path(opened->name, opened->path);
    opened->owner = drop_in_read(opened->path, &opened->before);
    return true;
}

int unit_argument(const char *command, const char *argument, const char **unit)
{
    if (*unit != NULL) {
        say("%s: '%s' and '%s': give one unit", command, *unit, argument);
        return EINVAL;
    }
    *unit = argument;
    return 0;
}

int unit_missing(const char *command)
{
    say("%s: no unit given; see 'secretssl %s --help'", command, command);
    return EINVAL;
}

void opened_free(struct opened *opened)
{
    unit_free(&opened->unit);
    free(opened->before);
    opened->before = NULL;
}

bool unit_again(const char *command, struct opened *opened)
{
    unit_free(&opened->unit);
    return unit_read(command, opened->name, &opened->unit);
}

bool unit_exists(const char *command, const struct opened *opened)
{
    if (!unit_is(&opened->unit, "LoadState", "not-found"))
        return true;
    say("%s: there is no unit %s; 'systemctl list-unit-files' shows the names", command,
        opened->name);
    return false;
}

bool drop_in_usable(const char *command, const struct opened *opened)
{
    if (opened->owner == DROP_IN_UNKNOWN)
        say("%s: %s cannot be read: %s", command, opened->path, strerror(errno));
    else if (opened->owner == DROP_IN_FOREIGN)
        say("%s: %s was not written by 'secretssl enable' and is not changed; move it away "
            "first",
            command, opened->path);
    else
        return true;
    return false;
}
