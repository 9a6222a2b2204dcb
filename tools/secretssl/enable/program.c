/* SPDX-License-Identifier: Apache-2.0 */
#include "enable/program.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/message.h"
#include "process/start.h"
#include "process/target.h"

static const uid_t some_user = 65534; /* one that is not root, and owns nothing */

bool program_of_unit(const struct unit *unit, char program[PATH_MAX])
{
    /* A service that starts may still be systemd's own program, before it executes another. */
    pid_t pid = unit_is(unit, "ActiveState", "activating") ? 0 : unit_main_pid(unit);
    char *path;

    if (pid > 0 && process_program(pid, program))
        return true;
    path = unit_program(unit);
    if (path == NULL)
        return false;
    snprintf(program, PATH_MAX, "%s", path);
    free(path);
    return true;
}

/* The user as which the unit starts the program */
static struct target_user user_of_unit(const struct unit *unit)
{
    struct target_user user = {.no_new_privileges = unit_is(unit, "NoNewPrivileges", "yes")};
    const char *name = unit_get(unit, "User");
    const struct passwd *entry = *name != '\0' ? getpwnam(name) : NULL;

    if (entry != NULL) {
        user.uid = entry->pw_uid;
        user.gid = entry->pw_gid;
    } else if (*name != '\0' || unit_is(unit, "DynamicUser", "yes")) {
        user.uid = user.gid = some_user;
    }
    return user;
}

bool program_is_protectable(const struct opened *opened, const char *object,
                            const char *program)
{
    struct target_user user = user_of_unit(&opened->unit);
    struct target target;

    if (!target_look(program, object, &user, &target)) {
        /* An upgrade may have replaced the program of a process that runs. */
        if (unit_main_pid(&opened->unit) > 0)
            return true;
        say("enable: %s of %s (ExecStart=) cannot be executed", program, opened->name);
        return false;
    }
    if (target.script) {
        say("enable: note: %s is a script; whether the program that it starts can be "
            "protected shows at the start",
            program);
        return true;
    }
    if (target.why_not == NULL)
        return true;
    say("enable: %s of %s cannot be protected: %s", target.file, opened->name, target.why_not);
    return false;
}
