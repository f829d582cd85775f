/* SPDX-License-Identifier: MIT */
/* Tables as text: RFC 4180, and what spreadsheets make of it (a byte order mark, semicolons or
 * tabs, single LFs or CRs). */
#pragma once

#include "base/span.h"

enum { csv_cells_max = 64 };

struct csv {
    uint8_t *text; /* changed while it is read: quotes are taken out in place */
    size_t len;
    size_t at;
    uint8_t delimiter;
    size_t line; /* of the record that was read last, from 1 */
    size_t next_line;
};

struct csv_record {
    struct span cells[csv_cells_max]; /* without their quotes; spaces around plain ones are gone */
    size_t count;
};

enum csv_result {
    CSV_RECORD,
    CSV_END,
    CSV_QUOTE, /* a quote that is not closed, or has text behind it */
    CSV_LIMIT, /* more than csv_cells_max cells */
};

/* The text stays the caller's. The delimiter is ',', ';' or a tab: whichever the first record has
 * most of outside quotes. */
void csv_init(struct csv *csv, uint8_t *text, size_t len);
/* Empty lines and those that begin with '#' are passed over. */
enum csv_result csv_next(struct csv *csv, struct csv_record *out);
