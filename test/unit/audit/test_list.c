/* SPDX-License-Identifier: MIT */
/* Columns, URLs and statuses of a list. */
#include "audit/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct list_case {
    const char *name;
    const char *text;
    const char *base;
    const char *read; /* "line source > target status class"; NULL: an error */
    const char *why;
} cases[] = {
    {.name = "by place",
     .text = "http://a/x,http://b/,301",
     .read = "1 http://a/x > http://b/ 301 1"},
    {.name = "the source alone", .text = "http://a", .read = "1 http://a/ >  0 0"},
    {.name = "a target against its source",
     .text = "http://a/b/c,../d",
     .read = "1 http://a/b/c > http://a/d 0 0"},
    {.name = "a base",
     .text = "/x,/y",
     .base = "https://h:8443/z",
     .read = "1 https://h:8443/x > https://h:8443/y 0 0"},
    {.name = "a header in another order",
     .text = "Status,New_URL,x,Old-URL\n307,/b,,http://a/a",
     .read = "2 http://a/a > http://a/b 307 2"},
    {.name = "a header without targets", .text = "url\nhttp://a/", .read = "2 http://a/ >  0 0"},
    {.name = "words",
     .text = "http://a/,,Permanent\nhttp://a/,,temporary",
     .read = "1 http://a/ >  0 1|2 http://a/ >  0 2"},
    {.name = "classes of numbers",
     .text = "http://a/,,308\nhttp://a/,,303\nhttp://a/,,410",
     .read = "1 http://a/ >  308 1|2 http://a/ >  303 2|3 http://a/ >  410 0"},
    {.name = "normal form", .text = "HTTP://A:80/\xC3\xA9", .read = "1 http://a/%C3%A9 >  0 0"},
    {.name = "nothing", .text = "", .read = ""},
    {.name = "a path without a base", .text = "/x,/y", .why = "line 1: the source"},
    {.name = "a bad target", .text = "http://a/,http://[", .why = "line 1: the target"},
    {.name = "a bad status", .text = "http://a/,,31", .why = "line 1: the status"},
    {.name = "a status of none", .text = "http://a/,,700", .why = "line 1: the status"},
    {.name = "no source", .text = "http://a/\n,b", .why = "line 2: there is no source"},
    {.name = "a bad base", .text = "/x", .base = "x", .why = "the base"},
    {.name = "a quote", .text = "http://a/\n\"", .why = "line 2: a quote"},
    {.name = "lines that end in CR alone",
     .text = "source,target\rhttp://a/,http://b/\rhttp://c/,",
     .read = "2 http://a/ > http://b/ 0 0|3 http://c/ >  0 0"},
    {.name = "a line end in a URL",
     .text = "\"http://a/\nb\"",
     .why = "line 1: there is a control"},
    {.name = "a control character in a target",
     .text = "http://a/,http://b/\x1B",
     .why = "line 1: there is a control"},
    {.name = "Latin-1", .text = "http://a/\xE9,", .why = "line 1: this is not UTF-8"},
    {.name = "UTF-16", .text = "\xFF\xFEs", .why = "this is UTF-16"},
    {.name = "UTF-16 of the other kind", .text = "\xFE\xFFs", .why = "this is UTF-16"},
};

static void lists(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct list_case *each = &cases[i];
        uint8_t text[1024];
        char read[1024] = "";
        char why[audit_why_bytes];
        size_t at = 0;
        struct audit_list list = {0};
        struct arena arena;
        arena_init(&arena, 0);
        memcpy(text, each->text, strlen(each->text) + 1);
        enum err err = audit_list_read(text, strlen(each->text), each->base, &arena, why, &list);
        for (size_t k = 0; k < list.count; k++) {
            const struct audit_row *row = &list.rows[k];
            at += (size_t)snprintf(read + at, sizeof(read) - at, "%s%zu %.*s > %.*s %u %u",
                                   k > 0 ? "|" : "", row->line, SPAN_ARG(row->source),
                                   SPAN_ARG(row->target), row->status, row->class_wanted);
        }
        bool good = each->why != NULL ? err == ERR_SYNTAX && strstr(why, each->why) == why
                                      : err == ERR_NONE && strcmp(read, each->read) == 0;
        if (!good) {
            fail_msg("%s: %s%s", each->name, read, why);
        }
        arena_fini(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
