/* SPDX-License-Identifier: MIT */
/* Who asks for JSON, and who is a browser, by Accept and its weights. */
#include "http/accept.h"
#include "http/h1/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void browsers_are_told_by_accept(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        bool html;
    } rows[] = {
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true},
        {"application/xhtml+xml", true},
        {"TEXT/HTML ; level=1", true},
        {"*/*", false},
        {"text/*", false},
        {"application/json", false},
        {"text/html;q=0", false},
        {"text/html; Q=0.000", false},
        {"text/html;q=0.001", true},
        {"text/html;q=1", true},
        {"text/html;q=", false},
        {"text/html;q=2", false},
        {"text/html;q=0, application/xhtml+xml", true},
        {"text/htmlx", false},
        {"a=\"text/html\"", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (accept_names_html(span_cstr(rows[i].accept)) != rows[i].html) {
            fail_msg("%s", rows[i].accept);
        }
    }
}

static bool asks(const char *fields)
{
    static char text[4096];
    static struct h1_head head;
    size_t scanned = 0;
    size_t used;
    uint16_t status;
    int len = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a.example\r\n%s\r\n", fields);
    assert_in_range(len, 1, sizeof(text) - 1);
    assert_int_equal(h1_parse(span_of(text, (size_t)len), &scanned, &head, &used, &status),
                     H1_DONE);
    return accept_prefers_json(&head.request);
}

static void json_is_asked_for_by_name(void **state)
{
    static const struct {
        const char *accept;
        bool json;
    } rows[] = {
        {"application/json", true},
        {"APPLICATION/Json", true},
        {"application/json;q=0.1", true},
        {"application/json;charset=utf-8;q=0.001", true},
        {"application/json ; Q=1.000", true},
        /* ranges name nothing */
        {"*/*", false},
        {"", false},
        {"application/*", false},
        {"application/problem+json", false},
        {"application/jsonp, application/js", false},
        {"text/html", false},
        /* not wanted at all */
        {"application/json;q=0", false},
        {"application/json;q=0.000", false},
        {"application/json;q=0., text/plain", false},
        /* beside HTML */
        {"text/html, application/json", true},
        {"text/html, application/json;q=0.9", false},
        {"text/html;q=0.5, application/json;q=0.5", true},
        {"text/html;q=0.501, application/json;q=0.5", false},
        {"text/html;q=0, application/json;q=0.001", true},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false},
        /* beside ranges that hold HTML: the closest one says it */
        {"application/json, text/plain, */*", true},
        {"application/json, text/javascript, */*; q=0.01", true},
        {"application/json;q=0.8, */*", false},
        {"application/json;q=0.8, text/*;q=0.9", false},
        {"application/json;q=0.8, */*, text/*;q=0.7", true},
        {"application/json;q=0.8, */*, text/*, text/html;q=0.3", true},
        {"text/html;q=0.3, text/*, */*, application/json;q=0.8", true},
        {"application/json;q=0.4, text/html;q=0.3, text/html;level=1;q=0.5", false},
        {"application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*", false},
        /* said twice: the most */
        {"application/json;q=0, application/json;q=0.7, text/html;q=0.6", true},
        /* no weights */
        {"application/json;q=", false},
        {"application/json;q=x", false},
        {"application/json;q=2", false},
        {"application/json;q=1.001", false},
        {"application/json;q=0.5555", false},
        {"application/json;q=-1", false},
        {"application/json;q=.5", false},
        {"text/html;q=x, application/json;q=0.9", false},
        {"text/html;q=x, application/json", true},
        /* empty members and parameters */
        {", ,application/json;;q=0.5,", true},
        {"application/json;", true},
        {";q=1", false},
        {"application/json;x=\"a,text/html\"", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char field[512];
        snprintf(field, sizeof(field), "Accept: %s\r\n", rows[i].accept);
        if (asks(field) != rows[i].json) {
            fail_msg("%s", rows[i].accept);
        }
    }
}

static void all_lines_count(void **state)
{
    (void)state;
    assert_false(asks(""));
    assert_false(asks("Accept-Language: application/json\r\n"));
    assert_true(asks("Accept: text/plain\r\nX: y\r\naccept: application/json\r\n"));
    assert_false(
        asks("Accept: application/json;q=0.5\r\nAccept: text/html;q=0.6\r\nAccept: a/b\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(browsers_are_told_by_accept),
        cmocka_unit_test(json_is_asked_for_by_name),
        cmocka_unit_test(all_lines_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
