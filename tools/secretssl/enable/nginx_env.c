/* SPDX-License-Identifier: Apache-2.0 */
#include "enable/nginx_env.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/message.h"
#include "enable/config_text.h"
#include "enable/drop_in.h"
#include "enable/server_config.h"
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

/* Returns who owns the file, and whether its text is the one that `enable` writes. */
static enum drop_in_owner owner_of(const char *path, bool *same)
{
    char *text;
    enum drop_in_owner owner = drop_in_read(path, &text);

    *same = text != NULL && strcmp(text, nginx_env_text) == 0;
    free(text);
    return owner;
}

static void name_lines(struct nginx_env *env, const char *why)
{
    say("enable: note: %s keeps the protection at a binary upgrade (USR2) only with 'env "
        "LD_PRELOAD;' and 'env SECRETSSL_REQUIRE;' in its configuration, which are not "
        "written: %s",
        env->unit, why);
    *env->path = '\0';
}

/* Whether the unit itself starts nginx, with arguments that choose no configuration. */
static bool has_usual_configuration(const struct unit *unit)
{
    const char *arguments = strstr(unit_get(unit, "ExecStart"), " ; argv[]=");
    char *program = unit_program(unit);
    bool nginx = program != NULL && text_ends_with(program, "/nginx");

    free(program);
    return nginx && arguments != NULL && strstr(arguments, " -c") == NULL &&
           strstr(arguments, " -p") == NULL && strchr(arguments, '$') == NULL;
}

void nginx_env_find(const struct opened *opened, const char *program, struct nginx_env *env)
{
    enum drop_in_owner owner;

    *env = (struct nginx_env){.unit = opened->name};
    if (!text_ends_with(program, "/nginx"))
        return;
    snprintf(env->program, sizeof(env->program), "%s", program);
    path_of(opened->name, env->path);
    owner = owner_of(env->path, &env->there);
    if (!has_usual_configuration(&opened->unit))
        name_lines(env, "the unit may choose another configuration");
    else if (access(DIRECTORY, F_OK) != 0)
        name_lines(env, "there is no " DIRECTORY);
    else if (owner != DROP_IN_ABSENT && owner != DROP_IN_OURS)
        name_lines(env, "the file for them is not of 'secretssl enable'");
}

/* What stands against the file in the configuration that nginx itself prints, or NULL */
static const char *why_not_read(const struct nginx_env *env)
{
    char *text = nginx_configuration(env->program), *head = NULL;
    const char *why = NULL;

    if (text == NULL || asprintf(&head, "# configuration file %s:", env->path) < 0)
        why = "'nginx -T' fails";
    else if (strstr(text, head) == NULL)
        why = "nginx does not read " DIRECTORY;
    else if (config_has(text, "env", "LD_PRELOAD=") ||
             config_has(text, "env", "SECRETSSL_REQUIRE="))
        why = "its configuration sets a variable of this name";
    free(head);
    free(text);
    return why;
}

void nginx_env_write(struct nginx_env *env)
{
    const char *why;

    if (*env->path == '\0')
        return;
    if (!env->there && !drop_in_write(env->path, nginx_env_text)) {
        name_lines(env, strerror(errno));
        return;
    }
    env->made = !env->there;
    why = why_not_read(env);
    if (why == NULL)
        return;
    unlink(env->path);
    env->made = false;
    name_lines(env, why);
}

bool nginx_env_undo(struct nginx_env *env)
{
    if (!env->made || unlink(env->path) == 0 || errno == ENOENT)
        return true;
    say("enable: %s cannot be removed: %s", env->path, strerror(errno));
    return false;
}

bool nginx_env_remove(const char *unit, struct nginx_env *env)
{
    *env = (struct nginx_env){.unit = unit};
    path_of(unit, env->path);
    if (owner_of(env->path, &env->there) != DROP_IN_OURS) {
        *env->path = '\0';
        return true;
    }
    if (unlink(env->path) == 0)
        return true;
    say("disable: %s cannot be removed: %s", env->path, strerror(errno));
    return false;
}

bool nginx_env_put_back(const struct nginx_env *env)
{
    if (*env->path == '\0' || drop_in_write(env->path, nginx_env_text))
        return true;
    say("disable: %s cannot be written: %s", env->path, strerror(errno));
    return false;
}
