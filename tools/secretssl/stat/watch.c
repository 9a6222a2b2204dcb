/* SPDX-License-Identifier: Apache-2.0 */
#include "stat/watch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli/message.h"
#include "cli/terminal.h"
#include "stat/look.h"
#include "stat/report.h"

/* The lines that the view has besides those of processes: time, title, sum, "and more". */
enum { OTHER_LINES = 5 };

static volatile sig_atomic_t stopped;

static void on_stop(int number)
{
    (void)number;
    stopped = 1;
}

static void catch_stop(void)
{
    /* Without SA_RESTART, so that the wait ends. */
    const struct sigaction action = {.sa_handler = on_stop};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
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
    bool on_terminal = isatty(STDOUT_FILENO);
    bool good;

    if (on_terminal)
        fputs("\033[H\033[J", stdout); /* to the upper left corner, and clear what is below */
    print_time(seconds);
    good = stat_print_table(result, form);
    print_missing(result, selection);
    stat_print_sum(result);
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

static size_t count_missing(const struct stat_result *result, const struct selection *selection)
{
    size_t missing = 0;

    for (size_t i = 0; i < selection->count; i++)
        missing += !found_by(&result->found, &selection->list[i]);
    return missing;
}

int stat_watch(const struct selection *selection, unsigned seconds)
{
    struct stat_result before = {.list = NULL}, result;
    double looked_before = 0;
    int status = COULD_NOT_LOOK;
    bool good = true;

    /* The whole view is written at once, so that it does not flicker. */
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    catch_stop();
    while (good && !stopped) {
        struct terminal_size size = terminal_size();
        double looked = now();
        struct table_form form = {
            .live = true,
            .before = looked_before > 0 ? &before : NULL,
            .seconds = looked - looked_before,
            .columns = size.columns,
            .rows = size.rows > OTHER_LINES ? size.rows - OTHER_LINES : size.rows,
        };

        good = stat_look(selection, &result) && show(&result, selection, &form, seconds);
        status = good
                     ? stat_status(&result, selection, count_missing(&result, selection), false)
                     : COULD_NOT_LOOK;
        stat_free(&before);
        before = result;
        looked_before = looked;
        if (good && all_ended(&result, selection))
            break;
        if (good && !stopped)
            sleep(seconds);
    }
    stat_free(&before);
    return status;
}
