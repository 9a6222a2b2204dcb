/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH = 40, PERIOD_MS = 100, QUIET_MS = 1000 };

static struct {
    pid_t pid;
    uint64_t total, done;
    int64_t began, drawn; /* milliseconds */
    bool terminal, visible;
} bar;

static int64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

void progress_begin(pid_t pid, uint64_t total)
{
    /* The quiet second is at the start of the whole search, not of each process. */
    int64_t began = bar.began != 0 ? bar.began : now();

    bar.pid = pid;
    bar.total = total;
    bar.done = 0;
    bar.began = began;
    bar.terminal = isatty(STDERR_FILENO);
}

void progress_add(uint64_t bytes)
{
    bar.done += bytes;
    if (!bar.terminal)
        return;

    int64_t time = now();

    if (time - bar.began < QUIET_MS || time - bar.drawn < PERIOD_MS)
        return;
    bar.drawn = time;
    bar.visible = true;

    uint64_t percent = bar.total == 0 ? 0 : bar.done / (bar.total / 100 + 1);
    char line[WIDTH + 1];

    /* The total is the size of the process at the start. */
    if (percent > 99)
        percent = 99;
    memset(line, ' ', WIDTH);
    memset(line, '#', percent * WIDTH / 100);
    line[WIDTH] = '\0';
    if (bar.pid == 0)
        fprintf(stderr, "\rkernel [%s] %2d%%", line, (int)percent);
    else
        fprintf(stderr, "\r%d [%s] %2d%%", (int)bar.pid, line, (int)percent);
    fflush(stderr);
}

void progress_end(void)
{
    if (bar.visible) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    bar.visible = false;
}
