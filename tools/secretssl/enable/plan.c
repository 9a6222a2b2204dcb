/* SPDX-License-Identifier: Apache-2.0 */
#include "enable/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/message.h"
#include "cli/preload_path.h"
#include "enable/object.h"
#include "enable/obstacles.h"
#include "enable/postgresql.h"
#include "enable/program.h"
#include "enable/server_config.h"
#include "enable/text.h"

#define CALL   "memfd_secret"
#define FILTER "SystemCallFilter="

enum { USUAL_CONNECTIONS = 1000, USUAL_CERTIFICATES = 10 };

/* Returns true if the unit's filter of system calls, as far as there is one, has no CALL. */
static bool filter_refuses(const struct unit *unit)
{
    const char *filter = unit_get(unit, "SystemCallFilter");

    if (*filter == '\0')
        return false;
    if (*filter == '~')
        return unit_list_has(filter + 1 + strspn(filter + 1, " "), CALL);
    return !unit_list_has(filter, CALL);
}

static bool sets_filter(const char *line)
{
    return strncmp(line, FILTER, sizeof(FILTER) - 1) == 0;
}

/* Returns true if the unit's own files, without this program's drop-in, have a filter. */
static bool has_own_filter(const struct opened *opened)
{
    char *save, *paths = strdup(unit_get(&opened->unit, "DropInPaths"));
    bool found = file_has_line(unit_get(&opened->unit, "FragmentPath"), sets_filter);

    for (char *path = paths != NULL ? strtok_r(paths, " ", &save) : NULL;
         path != NULL && !found; path = strtok_r(NULL, " ", &save))
        found = strcmp(path, opened->path) != 0 && file_has_line(path, sets_filter);
    free(paths);
    return found;
}

static bool needs_call(const struct opened *opened)
{
    if (opened->before != NULL && strstr(opened->before, FILTER CALL) != NULL)
        return has_own_filter(opened);
    return filter_refuses(&opened->unit);
}

/* What was asked for; else what the server's configuration says; else what is usual. */
static struct load load_of(const struct opened *opened, const struct wish *wish,
                           const struct look *look, const char *program)
{
    struct load load = {.processes = look->count > 0
                                         ? (unsigned)look->count
                                         : (unsigned)sysconf(_SC_NPROCESSORS_ONLN) + 1,
                        .certificates = wish->certificates,
                        .connections = wish->connections};
    struct server_config config = {0};

    if (load.connections == 0 || load.certificates == 0)
        config = server_config_of(opened, program, load.processes);
    if (load.connections == 0)
        load.connections = config.connections > 0 ? config.connections : USUAL_CONNECTIONS;
    if (load.certificates == 0)
        load.certificates = config.certificates > 0 ? config.certificates : USUAL_CERTIFICATES;
    return load;
}

static void find_limit(const struct opened *opened, const struct wish *wish,
                       const struct look *look, const char *program, struct plan *plan)
{
    const char *slash = strrchr(program, '/');

    plan->memlock_mib = wish->memlock_mib;
    if (plan->memlock_mib > 0)
        return;
    plan->load = load_of(opened, wish, look, program);
    plan->memlock_mib = sizing_limit(postgresql_starts(&opened->unit) ? "postgres"
                                     : slash != NULL                  ? slash + 1
                                                                      : program,
                                     &plan->load);
}

/* Returns the value of LD_PRELOAD: the object, and then what the unit preloads itself. */
static char *preload_of(const struct opened *opened, const char *object)
{
    bool has_ours;
    char *others = preloads_of_unit(&opened->unit, &has_ours), *value = NULL;
    char *own = object_for_unit(object);

    if (own == NULL)
        say("enable: the dynamic linker cannot load %s; 'secretssl doctor' says why", object);
    else if (others == NULL || asprintf(&value, "%s%s", own, others) < 0)
        say("enable: out of memory");
    else if (!drop_in_can_hold(value))
        say("enable: LD_PRELOAD of %s has a quote or a backslash: %s; take that out first",
            opened->name, value);
    else {
        free(own);
        free(others);
        return value;
    }
    free(value);
    free(own);
    free(others);
    return NULL;
}

/*
 * stat --strict fails for TLS that is not OpenSSL's. A running unit shows whether it has any. A
 * server of PostgreSQL has GnuTLS.
 */
static bool may_be_strict(const struct opened *opened, const struct look *look)
{
    return look->other[0] == '\0' && !postgresql_starts(&opened->unit);
}

bool plan_make(const struct opened *opened, const struct wish *wish, const char *object,
               const struct look *look, struct plan *plan)
{
    char tool[PATH_MAX], program[PATH_MAX] = "";
    ssize_t length = readlink("/proc/self/exe", tool, sizeof(tool) - 1);

    *plan = (struct plan){.text = NULL};
    program_of_unit(&opened->unit, program);
    find_limit(opened, wish, look, program, plan);
    if (length <= 0) {
        say("enable: /proc/self/exe cannot be read; mount /proc");
        return false;
    }
    tool[length] = '\0';
    plan->preload = preload_of(opened, object);
    if (plan->preload == NULL)
        return false;
    plan->text = drop_in_text(&(struct drop_in){.unit = opened->name,
                                                .object = object,
                                                .preload = plan->preload,
                                                .tool = tool,
                                                .memlock_mib = plan->memlock_mib,
                                                .strict = may_be_strict(opened, look),
                                                .allow_call = needs_call(opened)});
    if (plan->text == NULL) {
        say("enable: out of memory");
        return false;
    }
    nginx_env_find(opened, program, &plan->env);
    return true;
}

void plan_free(struct plan *plan)
{
    free(plan->preload);
    free(plan->text);
    *plan = (struct plan){.text = NULL};
}

static bool is_assigned(const struct unit *unit, const char *variable, const char *wanted)
{
    char *value;
    bool good = unit_assigns(unit_get(unit, "Environment"), variable, &value) &&
                value != NULL && strcmp(value, wanted) == 0;

    free(value);
    return good;
}

const char *plan_missing(const struct plan *plan, const struct unit *unit)
{
    char limit[24];

    snprintf(limit, sizeof(limit), "%" PRIu64, plan->memlock_mib << 20);
    if (!is_assigned(unit, "LD_PRELOAD", plan->preload))
        return "Environment=LD_PRELOAD";
    if (!is_assigned(unit, "SECRETSSL_REQUIRE", "1"))
        return "Environment=SECRETSSL_REQUIRE";
    if (!unit_is(unit, "LimitMEMLOCK", limit))
        return "LimitMEMLOCK";
    if (filter_refuses(unit))
        return "SystemCallFilter";
    return strstr(unit_get(unit, "ExecStartPost"), "secretssl stat ") != NULL ? NULL
                                                                              : "ExecStartPost";
}
