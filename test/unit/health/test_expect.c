/* SPDX-License-Identifier: MIT */
/* What counts as a good answer. */
#include "health/expect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct expect nothing_said = {0};
static const struct expect two_ranges = {.ranges = {{200, 204}, {401, 401}}, .range_count = 2};

static void test_status(void **state)
{
    static const struct {
        const struct expect *expect;
        long status;
        bool good;
    } rows[] = {{&nothing_said, 199, false}, {&nothing_said, 200, true}, {&nothing_said, 299, true},
                {&nothing_said, 300, false}, {&nothing_said, 0, false},  {&two_ranges, 200, true},
                {&two_ranges, 204, true},    {&two_ranges, 205, false},  {&two_ranges, 400, false},
                {&two_ranges, 401, true},    {&two_ranges, 402, false},  {&two_ranges, 0, false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (expect_status(rows[i].expect, rows[i].status) != rows[i].good) {
            fail_msg("row %zu: %ld", i, rows[i].status);
        }
    }
}

static void test_body(void **state)
{
    static const struct {
        const char *wanted;
        const char *body;
        bool good;
    } rows[] = {{"", "", true},      {"", "x", true},      {"ok", "", false},
                {"ok", "o", false},  {"ok", "ok", true},   {"ok", "xok", true},
                {"ok", "OK", false}, {"ok", "o k", false}, {"ok", "ook!", true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct expect expect = {.body = span_cstr(rows[i].wanted)};
        if (expect_body(&expect, span_cstr(rows[i].body)) != rows[i].good) {
            fail_msg("\"%s\" in \"%s\"", rows[i].wanted, rows[i].body);
        }
    }
    const struct expect expect = {.body = SPAN("ok")};
    assert_false(expect_body(&expect, (struct span){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_status), cmocka_unit_test(test_body)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
