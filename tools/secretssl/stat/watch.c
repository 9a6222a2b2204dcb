/* SPDX-License-Identifier: Apache-2.0 */
#include "stat/watch.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli/clock.h"
#include "cli/message.h"
#include "cli/terminal.h"
#include "stat/look.h"
#include "stat/report.h"

/* Lines of a view besides those of processes and missing names: time, title, "and more", sum */
enum { OTHER_LINES = 4 };

static volatile sig_atomic_t stopped;

static void on_stop(int number)
{
    (void)number;
    stopped = 1;
}

/*
 * Catches the signals that end the view. They are blocked but while the view waits, so that
 * none comes between a look at `stopped` and the wait. mask: that of the wait.
 */
static void catch_stop(sigset_t *mask)
{
    static const int ending[] = {SIGINT, SIGTERM};
    const struct sigaction action = {.sa_handler = on_stop};
    struct sigaction before;
    sigset_t blocked;

    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
        if (sigaction(ending[i], NULL, &before) != 0 || before.sa_handler == SIG_IGN)
            continue;
        sigaction(ending[i], &action, NULL);
        sigaddset(&blocked, ending[i]);
    }
    sigprocmask(SIG_BLOCK, &blocked, mask);
}

static void wait_for(unsigned seconds, const sigset_t *mask)
{
    const struct timespec time = {.tv_sec = (time_t)seconds};

    ppoll(NULL, 0, &time, mask);
}

static void print_time(unsigned seconds)
{
    char text[32];
    time_t clock = time(NULL);
    struct tm local;

    localtime_r(&clock, &local);
    strftime(text, sizeof(text), "%F %T", &local);
    printf("%s, every %u s\n", text, seconds);
}

static void print_missing(const struct stat_result *result, const struct selection *selection)
{
    for (size_t i = 0; i < selection->count; i++) {
        if (!found_by(&result->found, &selection->list[i]))
            printf("no process has the program or unit '%s'\n", selection->list[i].text);
    }
}

/* Returns false if the output could not be written. */
static bool show(const struct stat_result *result, const struct selection *selection,
                 const struct table_form *form, unsigned seconds)
{
    bool on_terminal = terminal_can_move();
    bool good;

    if (on_terminal)
        fputs("\033[H\033[J", stdout); /* to the upper left corner, and clear what is below */
    print_time(seconds);
    good = stat_print_table(result, form);
    print_missing(result, selection);
    stat_print_sum(result, form->columns);
    if (!on_terminal)
        putchar('\n');
    return good && output_written();
}

/* Returns true if there is nothing left to watch: all was given by number, and has ended. */
static bool all_ended(const struct stat_result *result, const struct selection *selection)
{
    return !result->all && !selection_has_names(selection) &&
           result->states[STATE_GONE] == result->count;
}

/* The rows that are left for processes; 0: any number. */
static unsigned rows_of(struct terminal_size size, size_t missing)
{
    size_t others = OTHER_LINES + missing;

    if (size.rows == 0)
        return 0;
    return size.rows > others ? (unsigned)(size.rows - others) : 1;
}

int stat_watch(const struct selection *selection, unsigned seconds)
{
    struct stat_result before = {.list = NULL}, result;
    double looked_before = 0;
    int status = COULD_NOT_LOOK;
    sigset_t mask;
    bool good = true;

    /* The whole view is written at once, so that it does not flicker. */
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    catch_stop(&mask);
    while (good && !stopped) {
        struct terminal_size size = terminal_size();
        double looked = clock_seconds();
        struct table_form form = {
            .live = true,
            .before = looked_before > 0 ? &before : NULL,
            .seconds = looked - looked_before,
            .columns = size.columns,
        };

        good = stat_look(selection, &result);
        form.rows = rows_of(size, selection_missing(selection, &result.found));
        good = good && show(&result, selection, &form, seconds);
        status = good ? stat_status(&result, selection, false) : COULD_NOT_LOOK;
        stat_free(&before);
        before = result;
        looked_before = looked;
        if (good && all_ended(&result, selection))
            break;
        if (good && !stopped)
            wait_for(seconds, &mask);
    }
    stat_free(&before);
    return status;
}
