/* SPDX-License-Identifier: Apache-2.0 */
#include "enable/obstacles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/message.h"
#include "cli/preload_path.h"
#include "enable/postgresql.h"
#include "enable/program.h"
#include "enable/text.h"

/* Units that no drop-in makes a protected service */
static bool is_service(const struct opened *opened)
{
    const struct unit *unit = &opened->unit;
    const char *state = unit_get(unit, "LoadState"), *name = opened->name;

    if (strcmp(state, "masked") == 0)
        say("enable: %s is masked; 'systemctl unmask %s' first", name, name);
    else if (strcmp(state, "loaded") != 0)
        say("enable: %s is not loaded (LoadState=%s); 'systemctl status %s' says why", name,
            state, name);
    else if (unit_is(unit, "Transient", "yes"))
        say("enable: %s was made by systemd-run and ends with its program; give systemd-run "
            "the settings, or let it start 'secretssl run --require'",
            name);
    else if (unit_is(unit, "Type", "oneshot"))
        say("enable: %s has Type=oneshot and no main program that stays; name the unit that "
            "runs the program (an instance, as postgresql@15-main)",
            name);
    else
        return true;
    return false;
}

static bool is_below(const char *path, const char *const *directories)
{
    for (; *directories != NULL; directories++) {
        if (strncmp(path, *directories, strlen(*directories)) == 0)
            return true;
    }
    return false;
}

/* The service must find the object in its own view of the file system. */
static bool object_is_visible(const struct opened *opened, const char *object)
{
    static const char *const homes[] = {"/home/", "/root/", "/run/user/", NULL};
    static const char *const temporary[] = {"/tmp/", "/var/tmp/", NULL};
    const struct unit *unit = &opened->unit;
    const char *root = unit_get(unit, "RootDirectory"), *image = unit_get(unit, "RootImage");

    if (*root != '\0' || *image != '\0') {
        say("enable: %s runs in a root of its own (%s=%s), where %s is not; this is not "
            "supported",
            opened->name, *root != '\0' ? "RootDirectory" : "RootImage",
            *root != '\0' ? root : image, object);
        return false;
    }
    if (is_below(object, homes) && !unit_is(unit, "ProtectHome", "no"))
        say("enable: %s has ProtectHome= and does not see %s; install libsecretssl below /usr",
            opened->name, object);
    else if (is_below(object, temporary) && unit_is(unit, "PrivateTmp", "yes"))
        say("enable: %s has PrivateTmp= and does not see %s; install libsecretssl below /usr",
            opened->name, object);
    else if (!drop_in_can_hold(object) || strchr(object, ':') != NULL)
        say("enable: LD_PRELOAD cannot name %s, which has a blank, a quote or a colon; "
            "install libsecretssl below /usr",
            object);
    else
        return true;
    return false;
}

/* Returns true for a line of EnvironmentFile= that sets LD_PRELOAD. */
static bool sets_preload(const char *line)
{
    static const char variable[] = "LD_PRELOAD";

    return strncmp(line, variable, sizeof(variable) - 1) == 0 &&
           strchr("= \t", line[sizeof(variable) - 1]) != NULL;
}

char *preloads_of_unit(const struct unit *unit, bool *has_ours)
{
    char *list, *save, *kept = NULL;
    size_t size;
    FILE *stream = open_memstream(&kept, &size);
    bool set = unit_assigns(unit_get(unit, "Environment"), "LD_PRELOAD", &list);

    *has_ours = false;
    if (stream == NULL || (set && list == NULL)) {
        if (stream != NULL)
            fclose(stream);
        free(kept);
        return NULL;
    }
    for (char *entry = set ? strtok_r(list, " :", &save) : NULL; entry != NULL;
         entry = strtok_r(NULL, " :", &save)) {
        if (text_ends_with(entry, "/" PRELOAD))
            *has_ours = true;
        else
            fprintf(stream, ":%s", entry);
    }
    free(list);
    fclose(stream);
    return kept;
}

static bool environment_is_free(const struct opened *opened)
{
    const struct unit *unit = &opened->unit;
    const char *file;
    bool has_ours;
    char *preloads = preloads_of_unit(unit, &has_ours);

    free(preloads);
    if (has_ours && opened->owner == DROP_IN_ABSENT) {
        say("enable: %s already has " PRELOAD " in LD_PRELOAD, by settings that 'secretssl "
            "enable' did not write; 'systemctl cat %s' shows them",
            opened->name, opened->name);
        return false;
    }
    if (unit_list_has(unit_get(unit, "UnsetEnvironment"), "LD_PRELOAD")) {
        say("enable: %s removes LD_PRELOAD (UnsetEnvironment=); take that setting out first",
            opened->name);
        return false;
    }
    for (size_t at = 0; (file = unit_next(unit, "EnvironmentFiles", &at)) != NULL;) {
        char path[PATH_MAX];

        snprintf(path, sizeof(path), "%.*s", (int)strcspn(file, " "), file);
        if (!file_has_line(path, sets_preload))
            continue;
        say("enable: %s (EnvironmentFile= of %s) sets LD_PRELOAD, which replaces that of a "
            "drop-in; move it to Environment= first",
            path, opened->name);
        return false;
    }
    return true;
}

/* TLS that cannot be reached does not count if there is OpenSSL, too. */
static bool has_openssl(const struct opened *opened, const struct look *look)
{
    const size_t *states = look->states;

    if (look->count == 0 || states[STATE_UNPROTECTED] + states[STATE_PROTECTED] +
                                    states[STATE_DEGRADED] + states[STATE_REFUSING] +
                                    states[STATE_UNUSED] + states[STATE_UNKNOWN] >
                                0)
        return true;
    if (states[STATE_UNREACHED] > 0)
        say("enable: process %d (%s) of %s cannot be protected: %s", (int)look->bad,
            look->bad_name, opened->name, look->reason);
    else
        say("enable: no process of %s has a TLS library, so there is nothing to protect",
            opened->name);
    return false;
}

static void print_note(const struct opened *opened)
{
    const char *profile = unit_get(&opened->unit, "AppArmorProfile");

    if (*profile != '\0')
        say("enable: note: AppArmor profile %s must let %s read " PRELOAD, profile,
            opened->name);
}

bool obstacles_absent(const struct opened *opened, const char *object, const struct look *look)
{
    char program[PATH_MAX];

    if (!is_service(opened) || !object_is_visible(opened, object) ||
        !environment_is_free(opened))
        return false;
    if (!program_of_unit(&opened->unit, program)) {
        say("enable: %s has no program (ExecStart=)", opened->name);
        return false;
    }
    if (!program_is_protectable(opened, object, program) || !has_openssl(opened, look) ||
        !postgresql_is_prepared(opened, object))
        return false;
    print_note(opened);
    return true;
}
