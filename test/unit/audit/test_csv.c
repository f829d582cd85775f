/* SPDX-License-Identifier: MIT */
/* Tables: RFC 4180, and what spreadsheets write. */
#include "audit/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What is read: cells in brackets, records ended by the line they began in. */
static void render(const char *text, char *out, size_t size)
{
    uint8_t copy[4096];
    struct csv csv;
    struct csv_record record;
    enum csv_result result;
    size_t len = strlen(text);
    assert_true(len <= sizeof(copy));
    memcpy(copy, text, len);
    csv_init(&csv, copy, len);
    out[0] = 0;
    size_t at = 0;
    while ((result = csv_next(&csv, &record)) == CSV_RECORD) {
        for (size_t i = 0; i < record.count; i++) {
            at += (size_t)snprintf(out + at, size - at, "[%.*s]", SPAN_ARG(record.cells[i]));
        }
        at += (size_t)snprintf(out + at, size - at, "%zu ", csv.line);
    }
    if (result != CSV_END) {
        snprintf(out + at, size - at, result == CSV_QUOTE ? "quote" : "limit");
    }
}

static void records(void **state)
{
    static const struct {
        const char *name;
        const char *text;
        const char *read;
    } cases[] = {
        {"nothing", "", ""},
        {"one line without an end", "a,b,c", "[a][b][c]1 "},
        {"CRLF and LF", "a,b\r\nc,d\n", "[a][b]1 [c][d]2 "},
        {"empty cells", "a,,c\n,,\n", "[a][][c]1 [][][]2 "},
        {"the last cell is empty", "a,\n", "[a][]1 "},
        {"quotes", "\"a,b\",\"c\"\n", "[a,b][c]1 "},
        {"quotes in quotes", "\"a\"\"b\",\"\"\"\"\n", "[a\"b][\"]1 "},
        {"empty quotes", "\"\",x\n", "[][x]1 "},
        {"lines in quotes", "\"a\nb\r\nc\",d\ne\n", "[a\nb\r\nc][d]1 [e]4 "},
        {"spaces around", " a , \"b \" ,c\n", "[a][b ][c]1 "},
        {"a quote within a plain cell", "a\"b,c\n", "[a\"b][c]1 "},
        {"empty lines and comments", "\n\n# a,b\nx,y\n\r\n#\nz,w\n#", "[x][y]4 [z][w]7 "},
        {"a byte order mark",
         "\xEF\xBB\xBF"
         "a,b\n",
         "[a][b]1 "},
        {"semicolons", "a;b,c;d\n", "[a][b,c][d]1 "},
        {"tabs", "a\tb c\t\td\n", "[a][b c][][d]1 "},
        {"delimiters in quotes do not count", "\"a;b;c\",d\n", "[a;b;c][d]1 "},
        {"the delimiter is chosen behind comments", "# a, b, c\nx;y\n", "[x][y]2 "},
        {"lone CRs", "a\rb,c\r\rd\r\n", "[a]1 [b][c]2 [d]4 "},
        {"a lone CR ends the line that chooses the delimiter", "a\r;;b,c\n", "[a]1 [;;b][c]2 "},
        {"lone CRs in quotes", "\"a\rb\r\nc\",d\re\n", "[a\rb\r\nc][d]1 [e]4 "},
        {"not closed", "a,\"b\nc", "quote"},
        {"text behind a quote", "x\n\"a\"b,c\n", "[x]1 quote"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char read[4096];
        render(cases[i].text, read, sizeof(read));
        if (strcmp(read, cases[i].read) != 0) {
            fail_msg("%s: %s", cases[i].name, read);
        }
    }
}

static void too_many_cells(void **state)
{
    char text[2 * csv_cells_max + 2] = "";
    char read[4096];
    memset(text, ',', csv_cells_max - 1);
    render(text, read, sizeof(read));
    assert_string_not_equal(read, "limit");
    memset(text, ',', csv_cells_max);
    render(text, read, sizeof(read));
    assert_string_equal(read, "limit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(records), cmocka_unit_test(too_many_cells)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
