/* SPDX-License-Identifier: MIT */
/* Locations: what a target must be, how values land in it, and that none of them can
 * lead elsewhere. */
#include "uri/location.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* The values are bytes as they were sent. */
struct row {
    const char *target;
    const char *name[3];
    const char *value[3];
    const char *query; /* NULL: none */
    enum location_result result;
    const char *expected;
};

static const struct template *compile(const char *source, struct arena *arena)
{
    const struct template *t = NULL;
    struct template_error error;
    enum err err = template_compile(span_cstr(source), arena, &t, &error);
    if (err != ERR_NONE) {
        fail_msg("%s: %s at %zu", source, error.reason, error.offset);
    }
    return t;
}

static void set_values(const struct row *row, const struct template *t,
                       struct template_value *values)
{
    for (size_t v = 0; v < template_var_count(t); v++) {
        for (size_t i = 0; i < 3 && row->name[i] != NULL; i++) {
            if (span_eq(template_var_name(t, v), span_cstr(row->name[i]))) {
                values[v].bytes = span_cstr(row->value[i]);
                values[v].defined = true;
                values[v].sent = true;
            }
        }
    }
}

static void run_row(const struct row *row)
{
    struct arena arena;
    arena_init(&arena, 0);
    const struct template *t = compile(row->target, &arena);
    struct template_error error = {0};
    if (location_target_check(t, &error) != ERR_NONE) {
        fail_msg("%s: %s at %zu", row->target, error.reason, error.offset);
    }
    struct template_value values[template_vars_max] = {0};
    set_values(row, t, values);
    uint8_t memory[1024] = "Location: ";
    struct buffer out = buffer_over(memory, sizeof(memory));
    out.len = 10;
    enum location_result result = location_build(t, values, span_cstr(row->query), &out);
    struct span got = span_from(buffer_span(&out), 10);
    if (result != row->result || !span_eq(got, span_cstr(row->expected))) {
        fail_msg("%s: %d %.*s, expected %d %s", row->target, (int)result, SPAN_ARG(got),
                 (int)row->result, row->expected);
    }
    arena_fini(&arena);
}

#define RUN(rows)                                               \
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) \
    run_row(&rows[i])

static void values_as_sent(void **state)
{
    static const struct row rows[] = {
        {"https://n.example{+path}",
         {"path"},
         {"/a%2Fb+c%3Fd%25"},
         NULL,
         LOCATION_OK,
         "https://n.example/a%2Fb+c%3Fd%25"},
        {"https://n.example/{x}",
         {"x"},
         {"a%2Fb+c%3Fd%25"},
         NULL,
         LOCATION_OK,
         "https://n.example/a%2Fb%2Bc%3Fd%25"},
        {"https://n.example{+path}",
         {"path"},
         {"/a b\"<>\\^`{|}\x01\x7F\xFF%z"},
         NULL,
         LOCATION_OK,
         "https://n.example/a%20b%22%3C%3E%5C%5E%60%7B%7C%7D%01%7F%FF%25z"},
        {"https://n.example/{+x}",
         {"x"},
         {"a?b#c"},
         NULL,
         LOCATION_OK,
         "https://n.example/a%3Fb%23c"},
        {"https://n.example/?q={+x}",
         {"x"},
         {"a?b#c/../.."},
         NULL,
         LOCATION_OK,
         "https://n.example/?q=a?b%23c/../.."},
        {"https://n.example/#{+x}",
         {"x"},
         {"a?b#c"},
         NULL,
         LOCATION_OK,
         "https://n.example/#a?b%23c"},
        {"https://n.example{/x}{?y}",
         {"x", "y"},
         {"a/b", "c&d"},
         NULL,
         LOCATION_OK,
         "https://n.example/a%2Fb?y=c%26d"},
        {"https://n.example{+path}",
         {"path"},
         {"/%0d%0aSet-Cookie:%20a"},
         NULL,
         LOCATION_OK,
         "https://n.example/%0d%0aSet-Cookie:%20a"},
        {"https://n.example/{x}", {"x"}, {"%0d%0a"}, NULL, LOCATION_OK, "https://n.example/%0D%0A"},
    };
    RUN(rows);
}

static void queries(void **state)
{
    static const struct row rows[] = {
        {"https://n.example/a", {0}, {0}, "q=1", LOCATION_OK, "https://n.example/a?q=1"},
        {"https://n.example/a", {0}, {0}, "", LOCATION_OK, "https://n.example/a?"},
        {"https://n.example/a", {0}, {0}, NULL, LOCATION_OK, "https://n.example/a"},
        {"https://n.example", {0}, {0}, "q", LOCATION_OK, "https://n.example?q"},
        {"https://n.example/a#f", {0}, {0}, "q", LOCATION_OK, "https://n.example/a?q#f"},
        {"https://n.example/a{#x}", {"x"}, {"f"}, "q", LOCATION_OK, "https://n.example/a?q#f"},
        {"https://n.example/a{#x}", {0}, {0}, "q", LOCATION_OK, "https://n.example/a?q"},
        {"https://n.example/a#{x}", {"x"}, {"f"}, "q", LOCATION_OK, "https://n.example/a?q#f"},
        {"https://n.example/a?own", {0}, {0}, "q", LOCATION_OK, "https://n.example/a?own"},
        {"https://n.example/a?own#f?", {0}, {0}, "q", LOCATION_OK, "https://n.example/a?own#f?"},
        {"https://n.example/a#f?", {0}, {0}, "q", LOCATION_OK, "https://n.example/a?q#f?"},
        {"https://n.example/a{?x}", {"x"}, {"1"}, "q", LOCATION_OK, "https://n.example/a?x=1"},
        /* The target has a query of its own, though it came out empty. */
        {"https://n.example/a{?x}", {0}, {0}, "q", LOCATION_OK, "https://n.example/a"},
        {"https://n.example/a",
         {0},
         {0},
         "a b#c\"%zz%2F?d\r\n",
         LOCATION_OK,
         "https://n.example/a?a%20b%23c%22%25zz%2F?d%0D%0A"},
    };
    RUN(rows);
}

static void slashes(void **state)
{
    static const struct row rows[] = {
        {"https://n.example/{+x}", {"x"}, {"/a"}, NULL, LOCATION_OK, "https://n.example/a"},
        {"https://n.example/{+x}", {"x"}, {"//a"}, NULL, LOCATION_OK, "https://n.example//a"},
        {"https://n.example{+path}",
         {"path"},
         {"//evil"},
         NULL,
         LOCATION_OK,
         "https://n.example//evil"},
        {"https://n.example/v1/{+x}/end",
         {"x"},
         {"/a/"},
         NULL,
         LOCATION_OK,
         "https://n.example/v1/a/end"},
        {"https://n.example/v1{+x}/end",
         {"x"},
         {"/a"},
         NULL,
         LOCATION_OK,
         "https://n.example/v1/a/end"},
        {"https://n.example/a/{x}/b", {"x"}, {""}, NULL, LOCATION_OK, "https://n.example/a/b"},
        {"https://n.example/a/{/x}", {"x"}, {"b"}, NULL, LOCATION_OK, "https://n.example/a/b"},
        {"https://n.example/{+x}{+y}",
         {"x", "y"},
         {"a/", "/b"},
         NULL,
         LOCATION_OK,
         "https://n.example/a/b"},
        {"https://n.example/{x}", {"x"}, {"/a"}, NULL, LOCATION_OK, "https://n.example/%2Fa"},
        {"https://n.example/?{+x}", {"x"}, {"/a"}, NULL, LOCATION_OK, "https://n.example/?/a"},
        {"https://n.example/?a/{+x}", {"x"}, {"/a"}, NULL, LOCATION_OK, "https://n.example/?a//a"},
        {"https://n.example{+path}/x", {"path"}, {"/"}, NULL, LOCATION_OK, "https://n.example/x"},
    };
    RUN(rows);
}

static void dot_segments(void **state)
{
    static const struct row rows[] = {
        {"https://n.example/v1/{+x}", {"x"}, {".."}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example/v1/{x}", {"x"}, {"%2e%2E"}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example/v1/{+x}", {"x"}, {"%2e."}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example/v1/{+x}", {"x"}, {".%2E/a"}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example/v1{+x}", {"x"}, {"/../a"}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example/v1/{+x}", {"x"}, {"a/../../b"}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example/v1/{+x}",
         {"x"},
         {"a/../b"},
         NULL,
         LOCATION_OK,
         "https://n.example/v1/a/../b"},
        {"https://n.example/v1/{+x}",
         {"x"},
         {"./a/..b/c../..."},
         NULL,
         LOCATION_OK,
         "https://n.example/v1/./a/..b/c../..."},
        {"https://n.example/v1/{+x}", {"x"}, {"a//../.."}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example/v1/{+x}", {"x"}, {"..%2fa"}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example/v1/{+x}", {"x"}, {"a%5c..%5C..%5cb"}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example//{+x}", {"x"}, {".."}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example/v1/{+x}", {"x"}, {"a%2Fb//../.."}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example/v1/{+x}", {"x"}, {"..\\a"}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example/v1/{+x}", {"x"}, {"a%2Fb/../../c"}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example/v1/{+x}", {"x"}, {"..;a/b"}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example/v1/.{x}", {"x"}, {"."}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example/v1/.{x}",
         {"x"},
         {"git"},
         NULL,
         LOCATION_OK,
         "https://n.example/v1/.git"},
        {"https://n.example/v1/{x}{y}", {"x", "y"}, {".", "."}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example/v1/{x}/b", {"x"}, {".."}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example/v1/{x}../b", {"x"}, {""}, NULL, LOCATION_ESCAPES, ""},
        /* Nothing to climb out of: a client stops at the root. */
        {"https://n.example{+path}",
         {"path"},
         {"/../a"},
         NULL,
         LOCATION_OK,
         "https://n.example/../a"},
        {"https://n.example/v1?x={+x}#{+x}",
         {"x"},
         {"/../.."},
         NULL,
         LOCATION_OK,
         "https://n.example/v1?x=/../..#/../.."},
    };
    RUN(rows);
}

static void authorities(void **state)
{
    static const struct row rows[] = {
        {"https://{region}.example.com/",
         {"region"},
         {"eu-1"},
         NULL,
         LOCATION_OK,
         "https://eu-1.example.com/"},
        {"https://{region}.example.com/", {"region"}, {"a.b"}, NULL, LOCATION_ESCAPES, ""},
        {"https://{region}.example.com/", {"region"}, {""}, NULL, LOCATION_ESCAPES, ""},
        {"https://{region}.example.com/", {0}, {0}, NULL, LOCATION_ESCAPES, ""},
        {"https://{region}.example.com/", {"region"}, {"evil.com/"}, NULL, LOCATION_ESCAPES, ""},
        {"https://{region}.example.com/", {"region"}, {"a@b"}, NULL, LOCATION_ESCAPES, ""},
        {"https://{region}.example.com/", {"region"}, {"%65u"}, NULL, LOCATION_ESCAPES, ""},
        {"https://{region}.example.com/", {"region"}, {"-a"}, NULL, LOCATION_ESCAPES, ""},
        {"https://{region}.example.com/", {"region"}, {"\xE3\x80\x82"}, NULL, LOCATION_ESCAPES, ""},
        {"https://{host}{+path}",
         {"host", "path"},
         {"a.example", "/b"},
         NULL,
         LOCATION_OK,
         "https://a.example/b"},
        {"https://{host}:8443/", {"host"}, {"[::1]"}, NULL, LOCATION_OK, "https://[::1]:8443/"},
        {"https://{host}/", {"host"}, {"a.example:80"}, NULL, LOCATION_ESCAPES, ""},
        {"https://{host}/", {"host"}, {"a..b"}, NULL, LOCATION_ESCAPES, ""},
        {"https://{host}/", {"host"}, {"a."}, NULL, LOCATION_ESCAPES, ""},
        {"https://{host}/", {"host"}, {"[::1]@"}, NULL, LOCATION_ESCAPES, ""},
        {"https://www.{host}/",
         {"host"},
         {"a.example"},
         NULL,
         LOCATION_OK,
         "https://www.a.example/"},
        {"https://www.{host}/", {"host"}, {"[::1]"}, NULL, LOCATION_ESCAPES, ""},
        /* What follows the authority must not lengthen it. */
        {"https://n.example{+path}", {"path"}, {"evil"}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example{+path}", {"path"}, {".evil"}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example{+path}", {"path"}, {":80/"}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example{+path}", {"path"}, {"@evil/"}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example{+path}", {"path"}, {"%2fevil"}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example{+path}.evil", {0}, {0}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example{?x}.evil", {0}, {0}, NULL, LOCATION_ESCAPES, ""},
        {"https://n.example{+path}", {0}, {0}, "q", LOCATION_OK, "https://n.example?q"},
    };
    RUN(rows);
}

/* offset SIZE_MAX: the target is fine. */
struct target_row {
    const char *target;
    size_t offset;
    const char *reason;
};

static void check_targets(const struct target_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct template_error error = {.offset = SIZE_MAX};
        enum err err = location_target_check(compile(rows[i].target, &arena), &error);
        if ((err == ERR_NONE) != (rows[i].offset == SIZE_MAX) || error.offset != rows[i].offset ||
            strstr(error.reason, rows[i].reason) == NULL) {
            fail_msg("%s: %zu \"%s\", expected %zu \"%s\"", rows[i].target, error.offset,
                     error.reason, rows[i].offset, rows[i].reason);
        }
        arena_fini(&arena);
    }
}

static void target_fine(void **state)
{
    static const struct target_row rows[] = {
        {"https://n.example", SIZE_MAX, ""},
        {"HTTPS://N.Example:8443/", SIZE_MAX, ""},
        {"http://[2001:db8::1]:80{+path}", SIZE_MAX, ""},
        {"https://{a}.{b}.n.example{/x}", SIZE_MAX, ""},
        {"https://{host}", SIZE_MAX, ""},
        {"https://{a}.{host}?x", SIZE_MAX, ""},
        {"https://n.example/.well-known/{+x}", SIZE_MAX, ""},
        {"https://n.example{?x}", SIZE_MAX, ""},
        {"https://n.example#x", SIZE_MAX, ""},
    };
    check_targets(rows, sizeof(rows) / sizeof(rows[0]));
}

static void target_refused(void **state)
{
    static const struct target_row rows[] = {
        {"", 0, "literal"},
        {"/a", 0, "literal"},
        {"//n.example/", 0, "literal"},
        {"{scheme}://n.example/", 0, "literal"},
        {"{+x}", 0, "literal"},
        {"https:/n.example/", 0, "literal"},
        {"ftp://n.example/", 0, "http"},
        {"javascript://x/", 0, "http"},
        {"https:///a", 8, "missing"},
        {"https://", 8, "missing"},
        {"https://:80/", 8, "missing"},
        {"https://u@n.example/", 9, "user"},
        {"https://u:p@n.example/", 11, "user"},
        {"https://{u}@n.example/", 11, "user"},
        {"https://n.example{x}", 17, "whole label"},
        {"https://a{x}.example/", 9, "whole label"},
        {"https://{x}a.example/", 8, "whole label"},
        {"https://{x}{y}.example/", 8, "whole label"},
        {"https://{host}.example/", 8, "end of the host"},
        {"https://{a,b}.example/", 8, "alone"},
        {"https://n{.x}/", 9, "alone"},
        {"https://n{;x}/", 9, "alone"},
        {"https://n{&x}/", 9, "alone"},
        {"https://n.example{+x}", 17, "{+path}"},
        {"https://n.example{+path,x}", 17, "{+path}"},
        {"https://{+path}", 8, "missing"},
        {"https://n.example:{port}/", 18, "port"},
        {"https://n.example:/", 18, "port"},
        {"https://n.example:0/", 18, "port"},
        {"https://n.example:65536/", 18, "port"},
        {"https://n.example:80a/", 18, "port"},
        {"https://n..example/", 10, "empty label"},
        {"https://n.example./", 18, "empty label"},
        {"https://-n.example/", 8, "'-'"},
        {"https://n_%41.example/", 10, "ASCII"},
        {"https://b\xC3\xBC.example/", 9, "ASCII"},
        {"https://n!.example/", 9, "host name"},
        {"https://[::1/", 8, "brackets"},
        {"https://[::1]x:80/", 8, "brackets"},
        {"https://[{x}]/", 8, "brackets"},
        {"https://n.example/a/../b", 20, "dot segment"},
        {"https://n.example/{x}/.", 22, "dot segment"},
        {"https://n.example/%2E%2e/{x}", 18, "dot segment"},
        {"https://n.example/..{/x}", 18, "dot segment"},
    };
    check_targets(rows, sizeof(rows) / sizeof(rows[0]));
}

static void authority_vars(void **state)
{
    struct arena arena;
    arena_init(&arena, 0);
    assert_int_equal(location_authority_vars(compile("https://{a}.{b}.x/{c}", &arena)), 3);
    assert_int_equal(location_authority_vars(compile("https://x{+path}", &arena)), 0);
    assert_int_equal(location_authority_vars(compile("https://{a}/{b}{?a}", &arena)), 1);
    arena_fini(&arena);
}

static void append(void **state)
{
    static const struct {
        const char *base;
        const char *path;
        const char *query;
        enum location_result result;
        const char *expected;
    } cases[] = {
        {"https://eu1.example", "/a", "q", LOCATION_OK, "https://eu1.example/a?q"},
        {"https://eu1.example/m", "/a b", NULL, LOCATION_OK, "https://eu1.example/m/a%20b"},
        {"https://eu1.example/m/", "/a", NULL, LOCATION_OK, "https://eu1.example/m/a"},
        {"https://eu1.example/", "//evil", NULL, LOCATION_OK, "https://eu1.example//evil"},
        {"https://eu1.example", "/a?#", "?#", LOCATION_OK, "https://eu1.example/a%3F%23??%23"},
        {"https://eu1.example", "", NULL, LOCATION_OK, "https://eu1.example"},
        {"https://eu1.example", "*", NULL, LOCATION_ESCAPES, ""},
        {"https://eu1.example", ".evil/", NULL, LOCATION_ESCAPES, ""},
        {"https://eu1.example/m", "/../a", NULL, LOCATION_ESCAPES, ""},
        {"https://eu1.example/m", "/a/%2e%2e/../b", NULL, LOCATION_ESCAPES, ""},
        {"https://eu1.example/m", "/a/../b", NULL, LOCATION_OK, "https://eu1.example/m/a/../b"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t memory[256];
        struct buffer out = buffer_over(memory, sizeof(memory));
        enum location_result result = location_append(
            span_cstr(cases[i].base), span_cstr(cases[i].path), span_cstr(cases[i].query), &out);
        if (result != cases[i].result ||
            !span_eq(buffer_span(&out), span_cstr(cases[i].expected))) {
            fail_msg("%s %s: %d %.*s", cases[i].base, cases[i].path, (int)result,
                     SPAN_ARG(buffer_span(&out)));
        }
    }
}

/* A buffer of any size: LONG until it fits, and never a byte beyond. */
static void too_long(void **state)
{
    struct arena arena;
    arena_init(&arena, 0);
    const struct template *t = compile("https://{r}.example/a/{+x}#f", &arena);
    struct template_value values[2] = {
        {.bytes = SPAN("eu"), .defined = true},
        {.bytes = SPAN("/b c/./d"), .defined = true, .sent = true},
    };
    static const char expected[] = "https://eu.example/a/b%20c/./d?q=%20#f";
    for (size_t cap = 0; cap < sizeof(expected) + 2; cap++) {
        uint8_t *memory = malloc(cap + 1);
        struct buffer out = buffer_over(memory, cap);
        enum location_result result = location_build(t, values, SPAN("q= "), &out);
        assert_int_equal(result, cap < sizeof(expected) - 1 ? LOCATION_LONG : LOCATION_OK);
        assert_true(out.len <= cap);
        out = buffer_over(memory, cap);
        result =
            location_append(SPAN("https://eu.example/a/"), SPAN("/b c/./d"), SPAN("q= "), &out);
        assert_int_equal(result, cap < sizeof(expected) - 3 ? LOCATION_LONG : LOCATION_OK);
        free(memory);
    }
    arena_fini(&arena);
}

static void second_look(void **state)
{
    static const struct {
        const char *location;
        const char *authority;
        bool ok;
    } cases[] = {
        {"https://n.example", "https://n.example", true},
        {"https://n.example/a?b#c%20'[]!$&()*+,;=:@-._~", "https://n.example", true},
        {"https://n.example?b", "https://n.example", true},
        {"https://n.example#b", "https://n.example", true},
        {"https://n.example.evil/", "https://n.example", false},
        {"https://n.example:80/", "https://n.example", false},
        {"https://n.example@evil/", "https://n.example", false},
        {"https://n.exampl", "https://n.example", false},
        {"http://n.example/", "https://n.example", false},
        {"/a", "", false},
        {"https://n.example/ ", "https://n.example", false},
        {"https://n.example/\r\nA: b", "https://n.example", false},
        {"https://n.example/\t", "https://n.example", false},
        {"https://n.example/\x7F", "https://n.example", false},
        {"https://n.example/\x80", "https://n.example", false},
        {"https://n.example/\"", "https://n.example", false},
        {"https://n.example/\\", "https://n.example", false},
        {"https://n.example/<", "https://n.example", false},
        {"https://n.example/>", "https://n.example", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool ok = location_check(span_cstr(cases[i].location), span_cstr(cases[i].authority));
        if (ok != cases[i].ok) {
            fail_msg("%s", cases[i].location);
        }
    }
    assert_false(location_check(span_of("https://n/\0", 11), SPAN("https://n")));
}

static void authority_of_base(void **state)
{
    static const char *const cases[][2] = {
        {"https://n.example:80/a", "https://n.example:80"},
        {"https://n.example", "https://n.example"},
        {"https://n.example?a/b", "https://n.example"},
        {"https://[::1]#a", "https://[::1]"},
        {"/a", ""},
        {"mailto:a", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct span got = location_authority(span_cstr(cases[i][0]));
        assert_true(span_eq(got, span_cstr(cases[i][1])));
    }
}

static void parameters_are_added(void **state)
{
    static const char *const cases[][2] = {
        {"https://n.example", "https://n.example?tried=a,b"},
        {"https://n.example/x", "https://n.example/x?tried=a,b"},
        {"https://n.example/x?", "https://n.example/x?tried=a,b"},
        {"https://n.example/x?q=1", "https://n.example/x?q=1&tried=a,b"},
        {"https://n.example/x?q=1&", "https://n.example/x?q=1&tried=a,b"},
        {"https://n.example/x#f?g", "https://n.example/x?tried=a,b#f?g"},
        {"https://n.example/x?q#f", "https://n.example/x?q&tried=a,b#f"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t wanted = strlen(cases[i][1]);
        for (size_t cap = wanted + 1; cap >= wanted - 1; cap--) {
            char *room = malloc(cap);
            struct buffer out = buffer_over(room, cap);
            buffer_put(&out, span_cstr(cases[i][0]));
            location_add_parameter(&out, 0, SPAN("tried"), SPAN("a,b"));
            const char *expected = out.full ? cases[i][0] : cases[i][1];
            assert_true(cap >= wanted + 1 ? !out.full : cap >= wanted || out.full);
            assert_true(span_eq(buffer_span(&out), span_cstr(expected)));
            free(room);
        }
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_as_sent),
        cmocka_unit_test(queries),
        cmocka_unit_test(slashes),
        cmocka_unit_test(dot_segments),
        cmocka_unit_test(authorities),
        cmocka_unit_test(target_fine),
        cmocka_unit_test(target_refused),
        cmocka_unit_test(authority_vars),
        cmocka_unit_test(append),
        cmocka_unit_test(too_long),
        cmocka_unit_test(second_look),
        cmocka_unit_test(authority_of_base),
        cmocka_unit_test(parameters_are_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
