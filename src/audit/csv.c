/* SPDX-License-Identifier: MIT */
/* Records out of text, in one pass, in place. */
#include "audit/csv.h"

static bool is_line_end(uint8_t c)
{
    return c == '\n' || c == '\r';
}

static uint8_t likely_delimiter(const uint8_t *text, size_t len)
{
    static const char known[] = ",;\t";
    size_t counts[3] = {0};
    bool quoted = false;
    for (size_t i = 0; i < len && (quoted || !is_line_end(text[i])); i++) {
        quoted = quoted != (text[i] == '"');
        for (size_t k = 0; k < 3 && !quoted; k++) {
            counts[k] += text[i] == (uint8_t)known[k];
        }
    }
    size_t best = 0;
    for (size_t k = 1; k < 3; k++) {
        best = counts[k] > counts[best] ? k : best;
    }
    return (uint8_t)known[best];
}

static bool at_line_end(const struct csv *csv)
{
    return csv->at >= csv->len || is_line_end(csv->text[csv->at]);
}

static void pass_line_end(struct csv *csv)
{
    csv->at += csv->at < csv->len && csv->text[csv->at] == '\r';
    csv->at += csv->at < csv->len && csv->text[csv->at] == '\n';
    csv->next_line++;
}

static void pass_idle_lines(struct csv *csv)
{
    while (csv->at < csv->len) {
        bool comment = csv->text[csv->at] == '#';
        if (!comment && !at_line_end(csv)) {
            return;
        }
        while (!at_line_end(csv)) {
            csv->at++;
        }
        pass_line_end(csv);
    }
}

void csv_init(struct csv *csv, uint8_t *text, size_t len)
{
    bool marked = len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0;
    *csv = (struct csv){.text = text, .len = len, .at = marked ? 3 : 0, .next_line = 1};
    pass_idle_lines(csv);
    csv->delimiter = likely_delimiter(text + csv->at, len - csv->at);
}

static bool is_blank(uint8_t c, uint8_t delimiter)
{
    return c == ' ' || (c == '\t' && delimiter != '\t');
}

/* at is behind the opening quote. False: it is not closed. */
static bool take_quoted(struct csv *csv, struct span *out)
{
    size_t from = csv->at;
    size_t to = from;
    for (; csv->at < csv->len; csv->at++) {
        uint8_t c = csv->text[csv->at];
        if (c == '"') {
            csv->at++;
            if (csv->at >= csv->len || csv->text[csv->at] != '"') {
                *out = span_of(csv->text + from, to - from);
                return true;
            }
        }
        bool crlf = c == '\r' && csv->at + 1 < csv->len && csv->text[csv->at + 1] == '\n';
        csv->next_line += is_line_end(c) && !crlf;
        csv->text[to++] = c;
    }
    return false;
}

static struct span take_plain(struct csv *csv)
{
    size_t from = csv->at;
    while (!at_line_end(csv) && csv->text[csv->at] != csv->delimiter) {
        csv->at++;
    }
    size_t to = csv->at;
    while (to > from && is_blank(csv->text[to - 1], csv->delimiter)) {
        to--;
    }
    return span_of(csv->text + from, to - from);
}

static void pass_blanks(struct csv *csv)
{
    while (csv->at < csv->len && is_blank(csv->text[csv->at], csv->delimiter)) {
        csv->at++;
    }
}

static bool take_cell(struct csv *csv, struct span *out)
{
    pass_blanks(csv);
    if (csv->at >= csv->len || csv->text[csv->at] != '"') {
        *out = take_plain(csv);
        return true;
    }
    csv->at++;
    if (!take_quoted(csv, out)) {
        return false;
    }
    pass_blanks(csv);
    return at_line_end(csv) || csv->text[csv->at] == csv->delimiter;
}

enum csv_result csv_next(struct csv *csv, struct csv_record *out)
{
    pass_idle_lines(csv);
    if (csv->at >= csv->len) {
        return CSV_END;
    }
    csv->line = csv->next_line;
    out->count = 0;
    for (;;) {
        if (out->count == csv_cells_max) {
            return CSV_LIMIT;
        }
        if (!take_cell(csv, &out->cells[out->count++])) {
            return CSV_QUOTE;
        }
        if (at_line_end(csv)) {
            pass_line_end(csv);
            return CSV_RECORD;
        }
        csv->at++;
    }
}
