/* SPDX-License-Identifier: Apache-2.0 */
/* One line for each process. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/clean.h"
#include "cli/message.h"
#include "cli/terminal.h"
#include "stat/metrics.h"
#include "stat/report.h"

enum column {
    COLUMN_PID,
    COLUMN_PROGRAM,
    COLUMN_UNIT,
    COLUMN_STATE,
    COLUMN_SECRET,
    COLUMN_PEAK,
    COLUMN_BLOCKS,
    COLUMN_RATE,
    COLUMN_SPILLED,
    COLUMN_REASON,
    COLUMN_COUNT
};

static const char *const titles[COLUMN_COUNT] = {
    [COLUMN_PID] = "PID",       [COLUMN_PROGRAM] = "PROGRAM", [COLUMN_UNIT] = "UNIT",
    [COLUMN_STATE] = "STATE",   [COLUMN_SECRET] = "SECRET",   [COLUMN_PEAK] = "PEAK",
    [COLUMN_BLOCKS] = "BLOCKS", [COLUMN_RATE] = "MADE/S",     [COLUMN_SPILLED] = "SPILLED",
    [COLUMN_REASON] = "REASON",
};

static bool is_number_column(enum column column)
{
    return column == COLUMN_PID || (column >= COLUMN_SECRET && column <= COLUMN_SPILLED);
}

/* The texts of one line. */
struct row {
    char cells[COLUMN_COUNT][320];
};

/* Terminals count characters, not bytes. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static const struct process_state *same_process(const struct stat_result *result,
                                                const struct process_state *process)
{
    for (size_t i = 0; result != NULL && i < result->count; i++) {
        if (result->list[i].pid == process->pid &&
            process_state_has_figures(&result->list[i]) &&
            result->list[i].stats.allocations <= process->stats.allocations)
            return &result->list[i];
    }
    return NULL;
}

static void set_figures(struct row *row, const struct process_state *process,
                        const struct table_form *form)
{
    const struct process_state *before = same_process(form->before, process);
    uint64_t v[FIGURES];

    figures_of(process, v);
    snprintf(row->cells[COLUMN_SECRET], sizeof(row->cells[0]), "%s",
             size_as_text(v[FIGURE_SECRET]).text);
    snprintf(row->cells[COLUMN_PEAK], sizeof(row->cells[0]), "%s",
             size_as_text(v[FIGURE_PEAK]).text);
    snprintf(row->cells[COLUMN_BLOCKS], sizeof(row->cells[0]), "%" PRIu64, v[FIGURE_LIVE]);
    snprintf(row->cells[COLUMN_SPILLED], sizeof(row->cells[0]), "%" PRIu64, v[FIGURE_SPILLED]);
    if (before != NULL && form->seconds > 0)
        snprintf(row->cells[COLUMN_RATE], sizeof(row->cells[0]), "%.0f",
                 (double)(process->stats.allocations - before->stats.allocations) /
                     form->seconds);
}

/* The reason for the state or, if it is protected, what is not reached. */
static void set_reason(char *cell, size_t size, const struct process_state *process)
{
    if (process->reason[0] != '\0')
        snprintf(cell, size, "%s", process->reason);
    else if (process->tls.count > 0)
        snprintf(cell, size, "not reached: %s%s", process->tls.list[0].what,
                 process->tls.count > 1 ? " and more" : "");
}

static struct row row_of(const struct process_state *process, const struct table_form *form)
{
    struct row row = {.cells = {""}};

    snprintf(row.cells[COLUMN_PID], sizeof(row.cells[0]), "%d", (int)process->pid);
    snprintf(row.cells[COLUMN_PROGRAM], sizeof(row.cells[0]), "%s", process->name);
    snprintf(row.cells[COLUMN_UNIT], sizeof(row.cells[0]), "%s",
             process->unit[0] != '\0' ? process->unit : "-");
    snprintf(row.cells[COLUMN_STATE], sizeof(row.cells[0]), "%s", state_names[process->state]);
    for (int i = COLUMN_SECRET; i <= COLUMN_SPILLED; i++)
        strcpy(row.cells[i], "-");
    if (process_state_has_figures(process))
        set_figures(&row, process, form);
    set_reason(row.cells[COLUMN_REASON], sizeof(row.cells[0]), process);
    return row;
}

static struct row title_row(void)
{
    struct row row;

    for (int i = 0; i < COLUMN_COUNT; i++)
        snprintf(row.cells[i], sizeof(row.cells[i]), "%s", titles[i]);
    return row;
}

/* Widens the columns for a line. */
static void widen(size_t widths[COLUMN_COUNT], const struct row *row)
{
    for (int i = 0; i < COLUMN_COUNT; i++) {
        size_t width = width_of(row->cells[i]);

        if (width > widths[i])
            widths[i] = width;
    }
}

/* Cuts a text after so many characters. */
static void cut_to(char *text, size_t width)
{
    for (; *text != '\0'; text++) {
        if (((unsigned char)*text & 0xc0) == 0x80)
            continue;
        if (width == 0) {
            *text = '\0';
            return;
        }
        width--;
    }
}

/* Pads a cell to the column's width, with a gap before all but the first column. */
static void pad(char *text, size_t size, const char *cell, size_t width, enum column column)
{
    int blanks = (int)(width - width_of(cell));
    const char *gap = column > 0 ? "  " : "";

    if (is_number_column(column))
        snprintf(text, size, "%s%*s%s", gap, blanks, "", cell);
    else
        snprintf(text, size, "%s%s%*s", gap, cell, column == COLUMN_REASON ? 0 : blanks, "");
}

/* state: the colour of the state's cell; NULL: the line is the title */
static void print_row(const struct row *row, const size_t widths[COLUMN_COUNT],
                      const char *state, const struct table_form *form)
{
    size_t left = form->columns > 0 ? form->columns : SIZE_MAX;

    fputs(state == NULL ? colour(BOLD) : "", stdout);
    for (int i = 0; i < COLUMN_COUNT && left > 0; i++) {
        bool coloured = i == COLUMN_STATE && state != NULL;
        char text[sizeof(row->cells[0]) + 4];

        if (widths[i] == 0)
            continue;
        pad(text, sizeof(text), row->cells[i], widths[i], (enum column)i);
        cut_to(text, left);
        left -= width_of(text);
        if (coloured)
            fputs(state, stdout);
        put_clean(text);
        if (coloured)
            fputs(colour(PLAIN), stdout);
    }
    fputs(state == NULL ? colour(PLAIN) : "", stdout);
    putchar('\n');
}

/* Of a process that could not be inspected stderr has a message. */
static bool is_shown(const struct process_state *process, const struct table_form *form)
{
    return form->live || process->state < STATE_UNKNOWN || process->stats.count > 0;
}

static void measure(const struct stat_result *result, const struct table_form *form,
                    size_t widths[COLUMN_COUNT])
{
    bool units = false, reasons = false;
    struct row row = title_row();

    memset(widths, 0, COLUMN_COUNT * sizeof(*widths));
    widen(widths, &row);
    for (size_t i = 0; i < result->count; i++) {
        if (!is_shown(&result->list[i], form))
            continue;
        row = row_of(&result->list[i], form);
        widen(widths, &row);
        units |= result->list[i].unit[0] != '\0';
        reasons |= row.cells[COLUMN_REASON][0] != '\0';
    }
    /* Columns that say nothing of any process are left out. */
    if (!units)
        widths[COLUMN_UNIT] = 0;
    if (!reasons)
        widths[COLUMN_REASON] = 0;
    if (form->before == NULL)
        widths[COLUMN_RATE] = 0;
}

bool stat_print_table(const struct stat_result *result, const struct table_form *form)
{
    size_t widths[COLUMN_COUNT], shown = 0;
    struct row row = title_row();

    measure(result, form, widths);
    for (size_t i = 0; i < result->count; i++) {
        if (!is_shown(&result->list[i], form))
            continue;
        if (shown == 0)
            print_row(&row, widths, NULL, form);
        shown++;
        if (form->rows > 0 && shown > form->rows)
            continue;
        row = row_of(&result->list[i], form);
        print_row(&row, widths, state_colour(result->list[i].state), form);
    }
    if (form->rows > 0 && shown > form->rows)
        printf("and %zu more\n", shown - form->rows);
    return output_written();
}
