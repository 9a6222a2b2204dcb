/* SPDX-License-Identifier: Apache-2.0 */
/* What stdout is: a terminal with colours and a size, or not. */
#ifndef SECRETSSL_CLI_TERMINAL_H
#define SECRETSSL_CLI_TERMINAL_H

#include <stdbool.h>

enum colour_choice { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

enum colour { PLAIN, BOLD, DIM, RED, GREEN, YELLOW, MAGENTA, COLOURS };

/* Reads the value of --color. Returns false if the text is none. */
bool colour_choice_parse(const char *text, enum colour_choice *choice);

/*
 * Decides whether colour() returns sequences. COLOUR_AUTO: if stdout is a terminal that has
 * colours, and NO_COLOR is not set or empty.
 */
void colour_use(enum colour_choice choice);

/* Returns the sequence that begins a colour, "" if there are none. PLAIN ends each of them. */
const char *colour(enum colour colour);

/* Returns true if stdout is a terminal that can move its cursor. */
bool terminal_can_move(void);

struct terminal_size {
    unsigned columns, rows; /* 0: stdout is no terminal, or its size is not known */
};

struct terminal_size terminal_size(void);

#endif
