/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *const verdict_names[VERDICTS] = {
    [VERDICT_OK] = "ok",         [VERDICT_NOTE] = "note",       [VERDICT_WARNING] = "warning",
    [VERDICT_FAILED] = "failed", [VERDICT_UNKNOWN] = "unknown",
};

struct check *check_new(struct diagnosis *diagnosis, const char *name)
{
    if (diagnosis->count == CHECKS_MOST)
        abort();

    struct check *check = &diagnosis->list[diagnosis->count++];

    *check = (struct check){.name = name};
    return check;
}

void check_say(struct check *check, enum verdict verdict, const char *format, ...)
{
    va_list args;

    check->verdict = verdict;
    va_start(args, format);
    vsnprintf(check->found, sizeof(check->found), format, args);
    va_end(args);
}

void check_remedy(struct check *check, const char *where, const char *format, ...)
{
    struct remedy *remedy = &check->remedies[check->remedy_count];
    va_list args;

    if (check->remedy_count == REMEDIES_MOST)
        return;
    check->remedy_count++;
    snprintf(remedy->where, sizeof(remedy->where), "%s", where);
    va_start(args, format);
    vsnprintf(remedy->line, sizeof(remedy->line), format, args);
    va_end(args);
}

void check_remedy_earlier(struct check *check, const struct diagnosis *diagnosis)
{
    for (const struct check *one = diagnosis->list; one < check; one++) {
        if (one->verdict != VERDICT_FAILED && one->verdict != VERDICT_UNKNOWN)
            continue;
        for (size_t i = 0; i < one->remedy_count; i++)
            check_remedy(check, one->remedies[i].where, "%s", one->remedies[i].line);
    }
    /* strace(1) shows the call that failed. */
    if (check->remedy_count == 0)
        check_remedy(check, "a shell, and send what it writes with a report",
                     "strace -f -o secretssl.trace secretssl doctor");
}

void check_remedy_filter(struct check *check)
{
    /*
     * In a unit without SystemCallFilter=, this line allows next to nothing but
     * memfd_secret(2).
     */
    check_remedy(check, UNIT_FILE ", only where the unit has a SystemCallFilter= already",
                 "SystemCallFilter=memfd_secret");
    check_remedy(
        check, "the profile of docker run --security-opt seccomp=PROFILE.json, in \"syscalls\"",
        "{\"names\": [\"memfd_secret\"], \"action\": \"SCMP_ACT_ALLOW\"}");
}

void check_remedy_file_size(struct check *check)
{
    check_remedy(check, UNIT_FILE, "LimitFSIZE=infinity");
    check_remedy(check, "docker run", "--ulimit fsize=-1:-1");
    check_remedy(check, "/etc/security/limits.d/secretssl.conf, for logins",
                 "* - fsize unlimited");
}
