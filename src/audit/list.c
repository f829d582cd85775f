/* SPDX-License-Identifier: MIT */
/* From a table to rows: which column is which, URLs in full, what a status stands for. */
#include "audit/list.h"

#include "audit/csv.h"
#include "base/utf8.h"

#include <stdio.h>
#include <strings.h>

enum column { column_source, column_target, column_status, column_count };

enum { nowhere = csv_cells_max };

struct reading {
    struct csv csv;
    struct arena *arena;
    const struct detour_url *base;
    size_t at[column_count];
    struct audit_list list;
    size_t capacity;
    char *why;
};

static enum err wrong(struct reading *reading, const char *what)
{
    snprintf(reading->why, audit_why_bytes, "line %zu: %s", reading->csv.line, what);
    return ERR_SYNTAX;
}

/* ---- columns ---- */

static const struct name {
    const char *text;
    enum column column;
} names[] = {
    {"source", column_source},
    {"from", column_source},
    {"old", column_source},
    {"url", column_source},
    {"old url", column_source},
    {"source url", column_source},
    {"redirect from", column_source},
    {"request path", column_source},
    {"target", column_target},
    {"to", column_target},
    {"new", column_target},
    {"destination", column_target},
    {"location", column_target},
    {"expected", column_target},
    {"new url", column_target},
    {"target url", column_target},
    {"expected target", column_target},
    {"redirect to", column_target},
    {"status", column_status},
    {"code", column_status},
    {"type", column_status},
    {"expected status", column_status},
    {"status code", column_status},
    {"redirect type", column_status},
};

static bool name_is(struct span cell, const char *name)
{
    if (cell.len != strlen(name)) {
        return false;
    }
    for (size_t i = 0; i < cell.len; i++) {
        uint8_t c = cell.ptr[i] == '_' || cell.ptr[i] == '-' ? ' ' : ascii_lower(cell.ptr[i]);
        if (c != (uint8_t)name[i]) {
            return false;
        }
    }
    return true;
}

/* A first line that names a source column is a header: no URL is called that. */
static bool take_header(struct reading *reading, const struct csv_record *record)
{
    size_t at[column_count] = {nowhere, nowhere, nowhere};
    for (size_t i = 0; i < record->count; i++) {
        for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++) {
            if (at[names[k].column] == nowhere && name_is(record->cells[i], names[k].text)) {
                at[names[k].column] = i;
            }
        }
    }
    if (at[column_source] == nowhere) {
        return false;
    }
    memcpy(reading->at, at, sizeof(at));
    return true;
}

static struct span cell_of(const struct reading *reading, const struct csv_record *record,
                           enum column column)
{
    size_t at = reading->at[column];
    return at < record->count ? record->cells[at] : span_of(NULL, 0);
}

/* ---- cells ---- */

static enum err read_status(struct reading *reading, struct span cell, struct audit_row *row)
{
    if (cell.len == 0) {
        return ERR_NONE;
    }
    if (name_is(cell, "permanent") || name_is(cell, "temporary")) {
        row->class_wanted =
            name_is(cell, "permanent") ? audit_class_permanent : audit_class_temporary;
        return ERR_NONE;
    }
    bool number = cell.len == 3 && cell.ptr[0] >= '2' && cell.ptr[0] <= '5' &&
                  ascii_is_digit(cell.ptr[1]) && ascii_is_digit(cell.ptr[2]);
    if (!number) {
        return wrong(reading, "the status is no number, permanent or temporary");
    }
    row->status =
        (uint16_t)((cell.ptr[0] - '0') * 100 + (cell.ptr[1] - '0') * 10 + (cell.ptr[2] - '0'));
    if (row->status == 301 || row->status == 308) {
        row->class_wanted = audit_class_permanent;
    } else if (row->status == 302 || row->status == 303 || row->status == 307) {
        row->class_wanted = audit_class_temporary;
    }
    return ERR_NONE;
}

static struct detour_text text_of(struct span bytes)
{
    return (struct detour_text){(const char *)bytes.ptr, bytes.len};
}

/* A URL is read as browsers do, which would leave such bytes out, or put others in their place, and
 * so ask for something else than what the list says. */
static const char *what_is_odd(struct span cell)
{
    for (size_t at = 0, len = 0; at < cell.len; at += len) {
        uint32_t point = 0;
        len = utf8_decode(cell, at, &point);
        if (len == 0) {
            return "this is not UTF-8";
        }
        if (point < ' ' || point == 0x7F) {
            return "there is a control character in a URL";
        }
    }
    return NULL;
}

static enum err resolve(struct reading *reading, struct span cell, const struct detour_url *base,
                        struct detour_url **out, const char *what)
{
    const char *odd = what_is_odd(cell);
    if (odd != NULL) {
        return wrong(reading, odd);
    }
    switch (detour_url_new(text_of(cell), base, out)) {
    case DETOUR_OK:
        return ERR_NONE;
    case DETOUR_ERROR_MEMORY:
        return ERR_MEMORY;
    default:
        return wrong(reading, what);
    }
}

static enum err read_urls(struct reading *reading, struct span source, struct span target,
                          struct audit_row *row)
{
    struct detour_url *from = NULL;
    struct detour_url *to = NULL;
    enum err err =
        resolve(reading, source, reading->base, &from, "the source is no URL; paths want --base");
    if (err == ERR_NONE && target.len > 0) {
        err = resolve(reading, target, from, &to, "the target is no URL");
    }
    if (err == ERR_NONE) {
        row->source = arena_copy(reading->arena, span_of(from->href.ptr, from->href.len));
        err = row->source.ptr == NULL ? ERR_MEMORY : ERR_NONE;
    }
    if (err == ERR_NONE && to != NULL) {
        row->target_fragment = to->fragment.ptr != NULL;
        row->target = arena_copy(reading->arena, span_of(to->href.ptr, to->href.len));
        err = row->target.ptr == NULL ? ERR_MEMORY : ERR_NONE;
    }
    detour_url_free(&from);
    detour_url_free(&to);
    return err;
}

/* ---- records ---- */

static enum err take_record(struct reading *reading, const struct csv_record *record)
{
    struct audit_row row = {.line = reading->csv.line};
    struct span source = cell_of(reading, record, column_source);
    if (reading->list.count == audit_rows_max) {
        snprintf(reading->why, audit_why_bytes, "more than %d lines", audit_rows_max);
        return ERR_LIMIT;
    }
    if (source.len == 0) {
        return wrong(reading, "there is no source");
    }
    enum err err = read_status(reading, cell_of(reading, record, column_status), &row);
    if (err == ERR_NONE) {
        err = read_urls(reading, source, cell_of(reading, record, column_target), &row);
    }
    struct audit_row *rows = err == ERR_NONE
                                 ? arena_grow(reading->arena, reading->list.rows,
                                              reading->list.count, &reading->capacity, sizeof(row))
                                 : NULL;
    if (rows == NULL) {
        return err == ERR_NONE ? ERR_MEMORY : err;
    }
    reading->list.rows = rows;
    rows[reading->list.count++] = row;
    return ERR_NONE;
}

static enum err read_records(struct reading *reading)
{
    struct csv_record record;
    bool first = true;
    for (;;) {
        switch (csv_next(&reading->csv, &record)) {
        case CSV_END:
            return ERR_NONE;
        case CSV_QUOTE:
            return wrong(reading, "a quote is not closed, or text follows it");
        case CSV_LIMIT:
            return wrong(reading, "too many cells");
        default:
            break;
        }
        enum err err = ERR_NONE;
        if (!first || !take_header(reading, &record)) {
            err = take_record(reading, &record);
        }
        first = false;
        if (err != ERR_NONE) {
            return err;
        }
    }
}

/* What spreadsheets call Unicode text. */
static bool is_utf16(const uint8_t *text, size_t len)
{
    return len >= 2 && (memcmp(text, "\xFF\xFE", 2) == 0 || memcmp(text, "\xFE\xFF", 2) == 0);
}

enum err audit_list_read(uint8_t *text, size_t len, const char *base, struct arena *arena,
                         char why[audit_why_bytes], struct audit_list *out)
{
    struct detour_url *base_url = NULL;
    struct reading reading = {.arena = arena, .at = {0, 1, 2}, .why = why};
    why[0] = 0;
    if (is_utf16(text, len)) {
        snprintf(why, audit_why_bytes, "this is UTF-16; save it as UTF-8");
        return ERR_SYNTAX;
    }
    if (base != NULL && detour_url_new(detour_text_of(base), NULL, &base_url) != DETOUR_OK) {
        snprintf(why, audit_why_bytes, "the base is no absolute URL");
        return ERR_SYNTAX;
    }
    reading.base = base_url;
    csv_init(&reading.csv, text, len);
    enum err err = read_records(&reading);
    detour_url_free(&base_url);
    if (err == ERR_NONE) {
        *out = reading.list;
    }
    return err;
}
