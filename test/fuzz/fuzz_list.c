/* SPDX-License-Identifier: MIT */
/* The lists that `detour audit` reads. What is read is made of whole lines of the text, its URLs
 * are absolute and in normal form, and written down again it is read as the same list. The first
 * byte says whether there is a base. */
#include "audit/csv.h"
#include "audit/list.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *copy_of(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1); /* exactly as long: an overrun is seen */
    assert(copy != NULL);
    memcpy(copy, data, size);
    return copy;
}

/* ---- records ---- */

/* Cells lie in the text, one behind the other; lines rise, and are no more than there are. */
static void check_records(const uint8_t *data, size_t size)
{
    uint8_t *text = copy_of(data, size);
    size_t lines = 1;
    for (size_t i = 0; i < size; i++) {
        lines += data[i] == '\n' || data[i] == '\r';
    }
    struct csv csv;
    struct csv_record record;
    size_t line = 0;
    const uint8_t *end = text;
    csv_init(&csv, text, size);
    while (csv_next(&csv, &record) == CSV_RECORD) {
        assert(record.count > 0 && record.count <= csv_cells_max);
        assert(csv.line > line && csv.line <= lines);
        line = csv.line;
        for (size_t i = 0; i < record.count; i++) {
            const struct span *cell = &record.cells[i];
            assert(cell->ptr >= end && cell->ptr + cell->len <= text + size);
            end = cell->ptr + cell->len;
        }
    }
    assert(csv.at <= size);
    free(text);
}

/* ---- lists ---- */

static void check_url(struct span url)
{
    struct detour_url *again = NULL;
    for (size_t i = 0; i < url.len; i++) {
        assert(url.ptr[i] >= ' ' && url.ptr[i] < 0x7F);
    }
    enum detour_error error = detour_url_new(
        (struct detour_text){.ptr = (const char *)url.ptr, .len = url.len}, NULL, &again);
    assert(error == DETOUR_OK);
    assert(span_eq(span_of(again->href.ptr, again->href.len), url));
    detour_url_free(&again);
}

static void check_row(const struct audit_row *row, size_t line)
{
    assert(row->line > line);
    assert(row->source.len > 0);
    check_url(row->source);
    if (row->target.len > 0) {
        check_url(row->target);
        assert(row->target_fragment == (span_find(row->target, 0, '#') < row->target.len));
    }
    assert(row->status == 0 || (row->status >= 200 && row->status <= 599));
    assert(row->class_wanted <= audit_class_temporary);
    assert(row->status == 0 || row->status / 100 == 3 || row->class_wanted == audit_class_any);
}

static void put_quoted(FILE *out, struct span text)
{
    putc('"', out);
    for (size_t i = 0; i < text.len; i++) {
        fputs(text.ptr[i] == '"' ? "\"" : "", out);
        putc(text.ptr[i], out);
    }
    putc('"', out);
}

static void write_down(const struct audit_list *list, char **text, size_t *len)
{
    static const char *const classes[] = {"", "permanent", "temporary"};
    FILE *out = open_memstream(text, len);
    assert(out != NULL);
    for (size_t i = 0; i < list->count; i++) {
        const struct audit_row *row = &list->rows[i];
        put_quoted(out, row->source);
        putc(',', out);
        put_quoted(out, row->target);
        if (row->status != 0) {
            fprintf(out, ",%u\r\n", row->status);
        } else {
            fprintf(out, ",%s\r\n", classes[row->class_wanted]);
        }
    }
    fclose(out);
}

static void check_again(const struct audit_list *list)
{
    char *text = NULL;
    size_t len = 0;
    char why[audit_why_bytes];
    struct audit_list again = {0};
    struct arena arena;
    arena_init(&arena, 0);
    write_down(list, &text, &len);
    enum err err = audit_list_read((uint8_t *)text, len, NULL, &arena, why, &again);
    assert(err == ERR_NONE && again.count == list->count);
    for (size_t i = 0; i < list->count; i++) {
        const struct audit_row *a = &list->rows[i];
        const struct audit_row *b = &again.rows[i];
        assert(span_eq(a->source, b->source) && span_eq(a->target, b->target));
        assert(a->status == b->status && a->class_wanted == b->class_wanted);
        assert(a->target_fragment == b->target_fragment && b->line == i + 1);
    }
    arena_fini(&arena);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const char *base = data[0] == 'b' ? "https://base.example/dir/page?q#f" : NULL;
    check_records(data + 1, size - 1);
    uint8_t *text = copy_of(data + 1, size - 1);
    char why[audit_why_bytes];
    struct audit_list list = {0};
    struct arena arena;
    arena_init(&arena, 0);
    enum err err = audit_list_read(text, size - 1, base, &arena, why, &list);
    if (err == ERR_NONE) {
        for (size_t i = 0; i < list.count; i++) {
            check_row(&list.rows[i], i > 0 ? list.rows[i - 1].line : 0);
        }
        check_again(&list);
    } else {
        assert(err == ERR_SYNTAX && why[0] != 0 && memchr(why, 0, sizeof(why)) != NULL);
        assert(list.count == 0);
    }
    arena_fini(&arena);
    free(text);
    return 0;
}
