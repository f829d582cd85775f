/* SPDX-License-Identifier: MIT */
/* Output that people read: text that no terminal obeys, times, tables.
 *
 * Who runs out of memory here ends the program with one line: a command holds some
 * kilobytes, and has nothing to say without them. Everything lives in the arena that is
 * passed in. */
#pragma once

#include "base/arena.h"

#include <jansson.h>
#include <stdio.h>

/* What an allocation gave; NULL ends the program. */
void *show_need(void *allocated);
const char *show_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The text with control characters written as \x1b. */
const char *show_clean(struct arena *arena, const char *text);

/* A member as text: strings as they are, null and what is not there as "", the others as
 * JSON; lists with commas. */
const char *show_member(struct arena *arena, const json_t *object, const char *name);
/* Whether a member is true. */
bool show_is(const json_t *object, const char *name);

/* Nanoseconds of a time that the admin API tells; false: it is none. */
bool show_read_time(const char *text, int64_t *ns_out);
/* "2026-11-23 14:00:00 CET": local. What is no time is shown as it is. */
const char *show_time(struct arena *arena, const char *text);
/* The same with " (in 12 minutes)" or " (12 minutes ago)". */
const char *show_when(struct arena *arena, const char *text, int64_t now_ns);
/* "12 minutes", rounded to nearest; two units at most: "1 hour 20 minutes". */
const char *show_duration(struct arena *arena, int64_t ns);

enum { table_columns_max = 10 };

/* Columns with headings; those in which no row says anything are left out. */
struct table {
    struct arena *arena;
    size_t columns;
    const char *headings[table_columns_max];
    struct table_row *first;
    struct table_row *last;
};

struct table_row {
    struct table_row *next;
    bool loud; /* bold and red where a terminal can */
    const char *cells[table_columns_max];
};

/* A new row; its cells are "". They are cleaned when the table is printed. */
struct table_row *table_add(struct table *table);
/* With a heading line, unless the table has no headings. */
void table_print(const struct table *table, FILE *out);
/* Whether to shout in colours: a terminal, and NO_COLOR is not set. */
bool show_in_colours(FILE *out);
