/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool coloured;

bool colour_choice_parse(const char *text, enum colour_choice *choice)
{
    static const char *const names[] = {
        [COLOUR_AUTO] = "auto", [COLOUR_ALWAYS] = "always", [COLOUR_NEVER] = "never"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *choice = (enum colour_choice)i;
            return true;
        }
    }
    return false;
}

bool terminal_can_move(void)
{
    const char *kind = getenv("TERM");

    return isatty(STDOUT_FILENO) && kind != NULL && kind[0] != '\0' &&
           strcmp(kind, "dumb") != 0;
}

void colour_use(enum colour_choice choice)
{
    const char *none = getenv("NO_COLOR");

    coloured = choice == COLOUR_ALWAYS || (choice == COLOUR_AUTO && terminal_can_move() &&
                                           (none == NULL || none[0] == '\0'));
}

const char *colour(enum colour colour)
{
    static const char *const sequences[COLOURS] = {
        [PLAIN] = "\033[0m",  [BOLD] = "\033[1m",    [DIM] = "\033[2m",     [RED] = "\033[31m",
        [GREEN] = "\033[32m", [YELLOW] = "\033[33m", [MAGENTA] = "\033[35m"};

    return coloured ? sequences[colour] : "";
}

struct terminal_size terminal_size(void)
{
    struct winsize size;

    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return (struct terminal_size){0, 0};
    return (struct terminal_size){size.ws_col, size.ws_row};
}
