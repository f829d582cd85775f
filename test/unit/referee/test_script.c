/* SPDX-License-Identifier: MIT */
/* What cases answer: names that are unique, locations that fit, loops that end. */
#include "referee/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* As long as they may be. */
static const struct case_names names = {
    .key = {(const uint8_t *)"12345678901234567890123456789012", 32},
    .places = {{(const uint8_t *)"127.0.0.1:65533", 15},
               {(const uint8_t *)"127.0.0.1:65534", 15},
               {(const uint8_t *)"localhost:65533", 15},
               {(const uint8_t *)"127.0.0.1:65535", 15}},
};

static struct span location_of(const struct case_answer *answer)
{
    for (size_t i = 0; i < answer->field_count; i++) {
        if (span_eq(answer->fields[i].name, SPAN("Location"))) {
            return answer->fields[i].value;
        }
    }
    return (struct span){0};
}

static void test_each_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < test_case_count; i++) {
        const struct test_case *test = &test_cases[i];
        struct case_answer answer;
        assert_ptr_equal(case_find(span_cstr(test->id)), test);
        assert_non_null(test->judge);
        assert_non_null(test->right);
        for (unsigned step = 0; step <= step_unknown; step++) {
            case_answer(test, &names, (uint8_t)step, false, 0, &answer);
            assert_in_range(answer.status, 200, 399);
        }
        case_answer(test, &names, 0, false, 0, &answer);
        assert_int_not_equal(answer.status, 200);
        case_answer(test, &names, 0, true, loop_requests_max, &answer);
        assert_true(!test->loop || answer.status == 200);
    }
}

static void test_locations(void **state)
{
    static const struct {
        const char *test;
        uint8_t step;
        const char *location;
    } rows[] = {
        {"307-POST", 0, "/t/12345678901234567890123456789012/307-POST/1"},
        {"hops-21", 20, "/t/12345678901234567890123456789012/hops-21/21"},
        {"authorization-back", 0,
         "http://127.0.0.1:65534/t/12345678901234567890123456789012/authorization-back/1"},
        {"authorization-back", 1,
         "http://127.0.0.1:65533/t/12345678901234567890123456789012/authorization-back/2"},
        {"cookie-host", 0,
         "http://localhost:65533/t/12345678901234567890123456789012/cookie-host/1"},
        {"authorization-up", 0,
         "https://127.0.0.1:65535/t/12345678901234567890123456789012/authorization-up/1"},
        {"authorization-down", 0,
         "http://127.0.0.1:65533/t/12345678901234567890123456789012/authorization-down/1"},
        {"location-userinfo", 0,
         "http://user:pass@127.0.0.1:65533/t/12345678901234567890123456789012/"
         "location-userinfo/1"},
        {"location-relative", 0, ".././x/../location-relative/./1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct case_answer answer;
        case_answer(case_find(span_cstr(rows[i].test)), &names, rows[i].step, false, 0, &answer);
        struct span location = location_of(&answer);
        print_message("%s\n", rows[i].test);
        assert_true(span_eq(location, span_cstr(rows[i].location)));
    }
}

static void test_steps(void **state)
{
    const struct test_case *space = case_find(SPAN("location-space"));
    const struct test_case *utf8 = case_find(SPAN("location-utf8"));
    (void)state;
    assert_int_equal(case_step(space, SPAN("0")), 0);
    assert_int_equal(case_step(space, SPAN("a%20b")), 1);
    assert_int_equal(case_step(space, SPAN("a+b")), step_unknown);
    assert_int_equal(case_step(utf8, SPAN("%c3%bc")), 1);
    assert_int_equal(case_step(utf8, SPAN("%C3%83%C2%BC")), step_unknown);
    assert_int_equal(case_step(utf8, SPAN("")), step_unknown);
    assert_int_equal(case_step(utf8, SPAN("255")), step_unknown);
    assert_int_equal(case_step(utf8, SPAN("254")), 254);
}

/* The loop that a cookie ends is none; the others end when a client does not. */
static void test_loops(void **state)
{
    const struct test_case *self = case_find(SPAN("loop-self"));
    const struct test_case *cookie = case_find(SPAN("loop-cookie"));
    struct case_answer answer;
    (void)state;
    case_answer(self, &names, 0, true, loop_requests_max - 2, &answer);
    assert_int_equal(answer.status, 307);
    case_answer(self, &names, 0, true, loop_requests_max - 1, &answer);
    assert_int_equal(answer.status, 200);
    case_answer(cookie, &names, 0, false, 1, &answer);
    assert_int_equal(answer.status, 302);
    case_answer(cookie, &names, 0, true, 1, &answer);
    assert_int_equal(answer.status, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_case),
        cmocka_unit_test(test_locations),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_loops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
