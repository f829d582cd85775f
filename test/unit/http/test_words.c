/* SPDX-License-Identifier: MIT */
/* The protocol's words: statuses, methods, dates. */
#include "http/date.h"
#include "http/method.h"
#include "http/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static void reasons_are_those_of_the_registry(void **state)
{
    (void)state;
    assert_true(span_eq(status_reason(307), SPAN("Temporary Redirect")));
    assert_true(span_eq(status_reason(308), SPAN("Permanent Redirect")));
    assert_true(span_eq(status_reason(503), SPAN("Service Unavailable")));
    assert_true(span_eq(status_reason(431), SPAN("Request Header Fields Too Large")));
    assert_int_equal(status_reason(306).len, 0);
    assert_int_equal(status_reason(99).len, 0);
    assert_int_equal(status_reason(999).len, 0);
}

static void five_statuses_redirect(void **state)
{
    (void)state;
    int count = 0;
    for (uint16_t status = 0; status < 1000; status++) {
        count += status_redirects(status);
    }
    assert_int_equal(count, 5);
    assert_true(status_redirects(301) && status_redirects(302) && status_redirects(303));
    assert_true(status_redirects(307) && status_redirects(308));
}

static void methods_have_one_spelling(void **state)
{
    (void)state;
    for (int method = METHOD_GET; method < METHOD_OTHER; method++) {
        struct span name = method_name((enum method)method);
        assert_true(name.len >= 3);
        assert_int_equal(method_find(name), method);
    }
    assert_int_equal(method_find(SPAN("PATCH")), METHOD_PATCH);
    assert_int_equal(method_find(SPAN("get")), METHOD_OTHER);
    assert_int_equal(method_find(SPAN("GETS")), METHOD_OTHER);
    assert_int_equal(method_find(SPAN("")), METHOD_OTHER);
    assert_int_equal(method_name(METHOD_OTHER).len, 0);
}

static void dates_are_written_in_one_form(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } rows[] = {
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {-1, "Wed, 31 Dec 1969 23:59:59 GMT"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {951868800, "Wed, 01 Mar 2000 00:00:00 GMT"},
        {1709251199, "Thu, 29 Feb 2024 23:59:59 GMT"},
        {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
        {4107542399, "Sun, 28 Feb 2100 23:59:59 GMT"},
        {1798761599, "Thu, 31 Dec 2026 23:59:59 GMT"},
        {1798761600, "Fri, 01 Jan 2027 00:00:00 GMT"},
        {2147483648, "Tue, 19 Jan 2038 03:14:08 GMT"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t out[date_bytes];
        date_format(rows[i].seconds, out);
        if (!span_eq(span_of(out, date_bytes), span_cstr(rows[i].text))) {
            fail_msg("%.*s is not %s", (int)date_bytes, (const char *)out, rows[i].text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons_are_those_of_the_registry),
        cmocka_unit_test(five_statuses_redirect),
        cmocka_unit_test(methods_have_one_spelling),
        cmocka_unit_test(dates_are_written_in_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
