/* SPDX-License-Identifier: Apache-2.0 */
#include "enable/service.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/message.h"
#include "enable/child.h"

enum { WAIT_SECONDS = 10, LOOK_MILLISECONDS = 200, STAY_MILLISECONDS = 1000 };

static volatile sig_atomic_t interrupt;

static void remember_interrupt(int number)
{
    interrupt = number;
}

void interrupts_catch(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    const struct sigaction action = {.sa_handler = remember_interrupt, .sa_flags = SA_RESTART};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &action, NULL);
}

bool interrupted(void)
{
    return interrupt != 0;
}

bool manager_reload(const char *command)
{
    const char *const argv[] = {"systemctl", "daemon-reload", NULL};
    int status = child_run(argv);

    if (status != 0)
        say("%s: 'systemctl daemon-reload' failed with status %d", command, status);
    return status == 0;
}

bool service_do(const char *verb, const char *name)
{
    const char *const argv[] = {"systemctl", verb, "--", name, NULL};

    return child_run(argv) == 0;
}

void service_say_failed(struct opened *opened)
{
    const char *argv[] = {
        "journalctl", "--quiet", "--output=cat", "--lines=1", "--grep=^(lib)?secretssl: ",
        NULL,         NULL};
    char *text = NULL, *match = NULL;

    say("enable: %s does not start with libsecretssl; 'journalctl --unit=%s' says why",
        opened->name, opened->name);
    if (!unit_again("enable", opened) || asprintf(&match, "_SYSTEMD_INVOCATION_ID=%s",
                                                  unit_get(&opened->unit, "InvocationID")) < 0)
        return;
    argv[5] = match;
    if (child_read(argv, NULL, STDOUT_FILENO, &text) == 0 && text != NULL && *text != '\0')
        say("enable: the journal has: %.*s", (int)strcspn(text, "\n"), text);
    free(text);
    free(match);
}

static void pause_for(long milliseconds)
{
    nanosleep(&(struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000}, NULL);
}

bool service_restarts(const char *command, struct opened *opened)
{
    if (!service_do("restart", opened->name))
        return false;
    pause_for(STAY_MILLISECONDS);
    return unit_again(command, opened) && unit_is_active(&opened->unit);
}

struct service_state service_state_of(const struct unit *unit)
{
    return (struct service_state){.active = unit_is_active(unit),
                                  .failed = unit_is(unit, "ActiveState", "failed")};
}

bool service_restore(const char *command, struct opened *opened,
                     const struct service_state *state)
{
    if (!state->active) {
        if (!service_do("stop", opened->name) || !unit_again(command, opened))
            return false;
        return state->failed || !unit_is(&opened->unit, "ActiveState", "failed") ||
               service_do("reset-failed", opened->name);
    }
    /* Failed starts count towards the limit on starts (StartLimitBurst=). */
    service_do("reset-failed", opened->name);
    return service_restarts(command, opened);
}

/* Why a service that is given up was not protected */
static void say_not_protected(const struct opened *opened, const struct look *look)
{
    if (interrupted())
        say("enable: interrupted");
    else if (!unit_is_active(&opened->unit))
        say("enable: %s did not stay up (%s); 'journalctl --unit=%s' says why", opened->name,
            unit_get(&opened->unit, "ActiveState"), opened->name);
    else if (look->bad != 0)
        say("enable: process %d (%s) of %s is not fully protected (%s): %s", (int)look->bad,
            look->bad_name, opened->name, state_names[look->bad_state], look->reason);
    else
        say("enable: no process of %s has used OpenSSL since its start, so that nothing is "
            "protected",
            opened->name);
}

static time_t seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

bool service_wait_protected(struct opened *opened, struct look *look)
{
    time_t end = seconds_now() + WAIT_SECONDS;
    bool good = false, stays = false;

    *look = (struct look){.count = 0};
    while (!stays && !interrupted() && (good || seconds_now() < end)) {
        look_free(look);
        if (!unit_again("enable", opened) || !unit_is_active(&opened->unit))
            break;
        if (!look_at(unit_get(&opened->unit, "ControlGroup"), look)) {
            say("enable: the processes of %s cannot be looked at; mount /proc", opened->name);
            return false;
        }
        stays = good && look_is_good(look);
        good = look_is_good(look);
        if (!stays)
            pause_for(good ? STAY_MILLISECONDS : LOOK_MILLISECONDS);
    }
    if (stays)
        return true;
    say_not_protected(opened, look);
    return false;
}
