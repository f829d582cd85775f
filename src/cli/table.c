/* SPDX-License-Identifier: MIT */
/* Columns that stand under each other. */
#include "cli/show.h"

struct table_row *table_add(struct table *table)
{
    struct table_row *row = show_need(arena_alloc(table->arena, sizeof(*row)));
    for (size_t i = 0; i < table_columns_max; i++) {
        row->cells[i] = "";
    }
    if (table->last != NULL) {
        table->last->next = row;
    } else {
        table->first = row;
    }
    table->last = row;
    return row;
}

/* Characters of UTF-8; wide ones count as one. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != 0; text++) {
        width += ((uint8_t)*text & 0xC0) != 0x80;
    }
    return width;
}

/* 0: nobody says anything there. */
static void measure(const struct table *table, size_t widths[table_columns_max])
{
    for (size_t i = 0; i < table->columns; i++) {
        size_t widest = 0;
        for (struct table_row *row = table->first; row != NULL; row = row->next) {
            row->cells[i] = show_clean(table->arena, row->cells[i]);
            size_t width = width_of(row->cells[i]);
            widest = width > widest ? width : widest;
        }
        size_t heading = table->headings[i] != NULL ? width_of(table->headings[i]) : 0;
        widths[i] = widest > 0 && heading > widest ? heading : widest;
    }
}

/* Nothing stands behind the last thing that is said. */
static void print_row(const struct table *table, const char *const *cells, const size_t *widths,
                      FILE *out)
{
    size_t owed = 0;
    for (size_t i = 0; i < table->columns; i++) {
        if (widths[i] == 0) {
            continue;
        }
        const char *cell = cells[i] != NULL ? cells[i] : "";
        if (cell[0] != 0) {
            fprintf(out, "%*s%s", (int)owed, "", cell);
            owed = 0;
        }
        owed += widths[i] - width_of(cell) + 2;
    }
}

void table_print(const struct table *table, FILE *out)
{
    size_t widths[table_columns_max] = {0};
    bool colours = show_in_colours(out);
    measure(table, widths);
    if (table->first != NULL && table->headings[0] != NULL) {
        print_row(table, table->headings, widths, out);
        fputc('\n', out);
    }
    for (const struct table_row *row = table->first; row != NULL; row = row->next) {
        bool loud = row->loud && colours;
        fputs(loud ? "\033[1;31m" : "", out);
        print_row(table, row->cells, widths, out);
        fputs(loud ? "\033[0m\n" : "\n", out);
    }
}
