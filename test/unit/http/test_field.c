/* SPDX-License-Identifier: MIT */
/* Reading field values. */
#include "http/field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define S(text)                                   \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }

static bool same(struct span have, const char *want)
{
    return want == NULL ? have.ptr == NULL : have.ptr != NULL && span_eq(have, span_cstr(want));
}

static void fields_are_found_without_case(void **state)
{
    (void)state;
    static const struct field fields[] = {{S("A"), S("1")}, {S("bB"), S("2")}, {S("BB"), S("3")}};
    struct request request = {.fields = fields, .field_count = 3};
    assert_true(same(field_find(&request, SPAN("a")), "1"));
    assert_true(same(field_find(&request, SPAN("Bb")), "2"));
    assert_true(same(field_find(&request, SPAN("b")), NULL));
}

static void lists_are_cut_at_commas(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        const char *joined; /* members, with '|' behind each */
    } rows[] = {
        {"", ""},
        {"a", "a|"},
        {"a,b", "a|b|"},
        {" a ,\t, b ,,", "a|b|"},
        {", ,", ""},
        {"a b, \"c,d\", e=\"f\\\",g\"", "a b|\"c,d\"|e=\"f\\\",g\"|"},
        {"a, \"b, c", "a|\"b, c|"},
        {"\"a\\", "\"a\\|"},
        {"a\\,b", "a\\|b|"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char joined[64] = "";
        struct span list = span_cstr(rows[i].list);
        struct span member;
        while (field_list_next(&list, &member)) {
            strncat(joined, (const char *)member.ptr, member.len);
            strcat(joined, "|");
        }
        if (strcmp(joined, rows[i].joined) != 0) {
            fail_msg("%s: %s", rows[i].list, joined);
        }
    }
}

struct find_row {
    const char *text, *name, *value; /* NULL: none */
};

static void check_rows(const struct find_row *rows, size_t count,
                       struct span (*find)(struct span text, struct span name))
{
    for (size_t i = 0; i < count; i++) {
        struct span found = find(span_cstr(rows[i].text), span_cstr(rows[i].name));
        if (!same(found, rows[i].value)) {
            fail_msg("%s of %s: %.*s", rows[i].name, rows[i].text, SPAN_ARG(found));
        }
    }
}

static void cookies_are_found(void **state)
{
    (void)state;
    static const struct find_row rows[] = {
        {"ops=letmein", "ops", "letmein"},
        {"a=b; ops=letmein; c=d", "ops", "letmein"},
        {"a=b;ops=letmein", "ops", "letmein"},
        {"xops=no; ops=yes", "ops", "yes"},
        {"OPS=no", "ops", NULL},
        {"ops", "ops", NULL},
        {"ops=", "ops", ""},
        {"ops=a=b", "ops", "a=b"},
        {"ops=\"q\"", "ops", "\"q\""},
        {"ops=1; ops=2", "ops", "1"},
        {"", "ops", NULL},
        {";;= ;", "ops", NULL},
    };
    check_rows(rows, sizeof(rows) / sizeof(rows[0]), cookie_find);
}

static void query_parameters_are_found(void **state)
{
    (void)state;
    static const struct find_row rows[] = {
        {"a=b", "a", "b"},       {"x=y&a=b&a=c", "a", "b"}, {"aa=b", "a", NULL},
        {"a", "a", ""},          {"a&b=c", "b", "c"},       {"a=", "a", ""},
        {"%61=%62", "a", "%62"}, {"a+b=c", "a b", "c"},     {"a%20b=c", "a b", "c"},
        {"a%2=c", "a%2", "c"},   {"a%zz=c", "a%zz", "c"},   {"%C3%a4=c", "\xc3\xa4", "c"},
        {"A=b", "a", NULL},      {"&&a=b", "a", "b"},       {"ab=c", "abc", NULL},
        {"a=b=c", "a", "b=c"},   {"%6F%6f=b", "oo", "b"},   {"", "a", NULL},
    };
    check_rows(rows, sizeof(rows) / sizeof(rows[0]), query_find);
}

static void query_parameters_are_taken_out(void **state)
{
    (void)state;
    static const struct {
        const char *query, *rest; /* NULL: nothing */
        const char *values;       /* each with a '|' behind it */
    } rows[] = {
        {"a=1", NULL, "1|"},
        {"b=1&a=2&c", "b=1&c", "2|"},
        {"a&a=%31&%61=3&aa=4", "aa=4", "|%31|3|"},
        {"b=1&&a=2&", "b=1&", "2|"},
        {"b=a&c=%26a=2", "b=a&c=%26a=2", ""},
        {"", "", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char room[64];
        char joined[64];
        struct buffer out = buffer_over(room, sizeof(room));
        struct buffer values = buffer_over(joined, sizeof(joined));
        struct span query = span_cstr(rows[i].query);
        struct span rest = query;
        struct span value;
        while ((value = query_take(&rest, SPAN("a"))).ptr != NULL) {
            buffer_put(&values, value);
            buffer_byte(&values, '|');
        }
        assert_true(same(query_without(query, SPAN("a"), &out), rows[i].rest));
        assert_true(same(buffer_span(&values), rows[i].values));
    }
}

static void query_values_are_decoded(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"eu1%2Cus1", "eu1,us1"}, {"a+b%2b", "a b+"}, {"%zz%2", "%zz%2"}, {"", ""}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char room[64];
        struct buffer out = buffer_over(room, sizeof(room));
        query_decode(span_cstr(rows[i][0]), &out);
        assert_true(same(buffer_span(&out), rows[i][1]));
    }
}

/* Each octet at each place of spans shorter and longer than a machine word. */
static void values_and_names_are_checked_octet_by_octet(void **state)
{
    (void)state;
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (unsigned c = 0; c < 256; c++) {
        bool letter = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        bool token = c < 128 && (letter || (c != 0 && strchr(others, (int)c) != NULL));
        bool value = c == '\t' || (c >= ' ' && c != 127);
        for (size_t len = 1; len < 40; len++) {
            for (size_t at = 0; at < len; at++) {
                uint8_t text[40];
                memset(text, 'a', len);
                text[at] = (uint8_t)c;
                if (field_value_valid(span_of(text, len)) != value ||
                    token_valid(span_of(text, len)) != token) {
                    fail_msg("octet %u at %zu of %zu", c, at, len);
                }
            }
        }
    }
    assert_true(field_value_valid(span_of(NULL, 0)));
    assert_false(token_valid(span_of(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_without_case),
        cmocka_unit_test(lists_are_cut_at_commas),
        cmocka_unit_test(cookies_are_found),
        cmocka_unit_test(query_parameters_are_found),
        cmocka_unit_test(query_parameters_are_taken_out),
        cmocka_unit_test(query_values_are_decoded),
        cmocka_unit_test(values_and_names_are_checked_octet_by_octet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
