/* SPDX-License-Identifier: Apache-2.0 */
#include "enable/nginx_env.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/message.h"
#include "enable/child.h"
#include "enable/config_text.h"
#include "enable/drop_in.h"
#include "enable/text.h"

#define DIRECTORY "/etc/nginx/modules-enabled"

const char nginx_env_text[] = DROP_IN_MARK "; 'secretssl disable' removes it.\n"
                                           "# A binary upgrade keeps these variables.\n"
                                           "env LD_PRELOAD;\n"
                                           "env SECRETSSL_REQUIRE;\n";

static void path_of(const char *unit, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, DIRECTORY "/secretssl-%s.conf", unit);
}

static enum drop_in_owner owner_of(const char *path)
{
    char *text;
    enum drop_in_owner owner = drop_in_read(path, &text);

    free(text);
    return owner;
}

/* Whether the configuration that `nginx -T` prints includes every file of the directory. */
static bool includes_directory(const char *text)
{
    return config_has(text, "include", DIRECTORY "/*.conf") ||
           config_has(text, "include", "modules-enabled/*.conf");
}

/* Another configuration than the usual one is not what `nginx -T` prints. */
static bool has_usual_configuration(const struct unit *unit)
{
    const char *command = unit_get(unit, "ExecStart");

    return strstr(command, " -c ") == NULL && strstr(command, " -p ") == NULL;
}

static void name_lines(const char *name)
{
    say("enable: note: %s keeps the protection at a binary upgrade (USR2) only with 'env "
        "LD_PRELOAD;' and 'env SECRETSSL_REQUIRE;' in nginx.conf",
        name);
}

void nginx_env_find(const struct opened *opened, const char *program, struct nginx_env *env)
{
    char *text = NULL;
    enum drop_in_owner owner;

    *env = (struct nginx_env){.made = false};
    if (!text_ends_with(program, "/nginx"))
        return;
    path_of(opened->name, env->path);
    owner = owner_of(env->path);
    env->there = owner == DROP_IN_OURS;
    if (env->there)
        return;
    if (child_read((const char *[]){program, "-q", "-T", NULL}, NULL, STDOUT_FILENO, &text) ==
            0 &&
        text != NULL && has_usual_configuration(&opened->unit)) {
        if (config_has(text, "env", "LD_PRELOAD") &&
            config_has(text, "env", "SECRETSSL_REQUIRE")) {
            *env->path = '\0';
        } else if (owner != DROP_IN_ABSENT || !includes_directory(text)) {
            *env->path = '\0';
            name_lines(opened->name);
        }
    } else {
        *env->path = '\0';
        name_lines(opened->name);
    }
    free(text);
}

bool nginx_env_write(const char *command, struct nginx_env *env)
{
    if (*env->path == '\0' || env->there)
        return true;
    if (!drop_in_write(env->path, nginx_env_text)) {
        say("%s: %s cannot be written: %s", command, env->path, strerror(errno));
        return false;
    }
    env->made = true;
    return true;
}

bool nginx_env_undo(const char *command, struct nginx_env *env)
{
    if (!env->made || unlink(env->path) == 0 || errno == ENOENT)
        return true;
    say("%s: %s cannot be removed: %s", command, env->path, strerror(errno));
    return false;
}

bool nginx_env_remove(const char *command, const char *unit, struct nginx_env *env)
{
    *env = (struct nginx_env){.made = false};
    path_of(unit, env->path);
    if (owner_of(env->path) != DROP_IN_OURS) {
        *env->path = '\0';
        return true;
    }
    if (unlink(env->path) == 0)
        return true;
    say("%s: %s cannot be removed: %s", command, env->path, strerror(errno));
    return false;
}
