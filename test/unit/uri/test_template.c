/* SPDX-License-Identifier: MIT */
/* URI Templates: the public vectors of levels 1 to 3, refusals with their places, values
 * as text and as sent, and blocks that are not what they say. */
#include "uri/template.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct template *compile(const char *source, struct arena *arena)
{
    const struct template *t = NULL;
    struct template_error error;
    enum err err = template_compile(span_cstr(source), arena, &t, &error);
    if (err != ERR_NONE) {
        fail_msg("%s: %s at %zu", source, error.reason, error.offset);
    }
    assert_true(template_verify(t, template_size(t)));
    return t;
}

static void expands_to(const struct template *t, const struct template_value *values,
                       const char *expected)
{
    uint8_t memory[1024];
    struct buffer out = buffer_over(memory, sizeof(memory));
    template_expand(t, values, &out);
    assert_false(out.full);
    if (!span_eq(buffer_span(&out), span_cstr(expected))) {
        fail_msg("%.*s: %.*s, expected %s", SPAN_ARG(template_source(t)),
                 SPAN_ARG(buffer_span(&out)), expected);
    }
}

static void run_case(json_t *variables, const char *source, const char *expected)
{
    struct arena arena;
    arena_init(&arena, 0);
    const struct template *t = compile(source, &arena);
    struct template_value values[template_vars_max] = {0};
    for (size_t i = 0; i < template_var_count(t); i++) {
        struct span name = template_var_name(t, i);
        json_t *value = json_object_getn(variables, (const char *)name.ptr, name.len);
        if (json_is_string(value)) {
            values[i].defined = true;
            values[i].bytes = span_of(json_string_value(value), json_string_length(value));
        }
    }
    expands_to(t, values, expected);
    arena_fini(&arena);
}

static void public_vectors(void **state)
{
    json_error_t error;
    json_t *groups = json_load_file(DATA "/uri-template.json", 0, &error);
    assert_non_null(groups);
    size_t count = 0;
    const char *name;
    json_t *group;
    json_object_foreach(groups, name, group)
    {
        if (json_integer_value(json_object_get(group, "level")) == 4) {
            continue;
        }
        size_t index;
        json_t *pair;
        json_array_foreach(json_object_get(group, "testcases"), index, pair)
        {
            run_case(json_object_get(group, "variables"),
                     json_string_value(json_array_get(pair, 0)),
                     json_string_value(json_array_get(pair, 1)));
            count++;
        }
    }
    json_decref(groups);
    assert_int_equal(count, 23);
}

/* a is "a/b c%2Fd%zz\xC3\xBC", e is empty, u is undefined. */
static void values(void **state)
{
    static const struct {
        const char *source;
        bool sent;
        const char *expected;
    } cases[] = {
        {"{a}", false, "a%2Fb%20c%252Fd%25zz%C3%BC"},
        {"{a}", true, "a%2Fb%20c%2Fd%25zz%C3%BC"},
        {"{+a}", false, "a/b%20c%2Fd%25zz%C3%BC"},
        {"{+a}", true, "a/b%20c%2Fd%25zz%C3%BC"},
        {"{#a}", true, "#a/b%20c%2Fd%25zz%C3%BC"},
        {"{u}", false, ""},
        {"{+u}{#u}{.u}{/u}{;u}{?u}{&u}", false, ""},
        {"{u,e,u,e}", false, ","},
        {"{/u,e}", false, "/"},
        {"{;u,e}", false, ";e"},
        {"{?u,e}", false, "?e="},
        {"{&e,u,e}", false, "&e=&e="},
        {"{?first.name}", false, ""},
        {"x%2Fy'!*", false, "x%2Fy'!*"},
        {"/b\xC3\xBC"
         "cher/\xF0\x9F\x98\x80",
         false, "/b%C3%BCcher/%F0%9F%98%80"},
        {"", false, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena;
        arena_init(&arena, 0);
        const struct template *t = compile(cases[i].source, &arena);
        struct template_value given[template_vars_max] = {0};
        for (size_t v = 0; v < template_var_count(t); v++) {
            uint8_t name = template_var_name(t, v).ptr[0];
            given[v].defined = name == 'a' || name == 'e';
            given[v].sent = cases[i].sent;
            given[v].bytes = name == 'a' ? SPAN("a/b c%2Fd%zz\xC3\xBC") : SPAN("");
        }
        expands_to(t, given, cases[i].expected);
        arena_fini(&arena);
    }
}

static void sent_unreserved_are_decoded(void **state)
{
    struct arena arena;
    arena_init(&arena, 0);
    const struct template *t = compile("{a}", &arena);
    struct template_value value = {.bytes = SPAN("%41%2e%7E%2f%c3"), .defined = true, .sent = true};
    expands_to(t, &value, "A.~%2F%C3");
    arena_fini(&arena);
}

static void refusals(void **state)
{
    static const struct {
        const char *source;
        size_t offset;
        const char *reason; /* a part of it */
    } cases[] = {
        {"{a:3}", 2, "level 4"},   {"{a*}", 2, "level 4"},     {"x{/a,b*}", 6, "level 4"},
        {"{a", 0, "without '}'"},  {"{", 0, "without '}'"},    {"ab{+", 2, "without '}'"},
        {"a}", 1, "without '{'"},  {"{}", 1, "name"},          {"{+}", 2, "name"},
        {"{a,}", 3, "name"},       {"{,a}", 1, "operator"},    {"{=a}", 1, "operator"},
        {"{!a}", 1, "operator"},   {"{|a}", 1, "operator"},    {"{@a}", 1, "operator"},
        {"{$a}", 1, "name"},       {"{??a}", 2, "name"},       {"{a b}", 2, "name"},
        {"{ a}", 1, "name"},       {"{a-b}", 2, "'-'"},        {"{a..b}", 2, "'.'"},
        {"{a.}", 2, "'.'"},        {"{a%2}", 2, "'%'"},        {"{a{b}}", 2, "'{'"},
        {"{\xC3\xBC}", 1, "name"}, {"a b", 1, "space"},        {"a\tb", 1, "control"},
        {"a\x7F", 1, "control"},   {"a\"b", 1, "%22"},         {"a<b", 1, "%3C"},
        {"a\\b", 1, "%5C"},        {"a^b", 1, "%5E"},          {"a`b", 1, "%60"},
        {"a|b", 1, "%7C"},         {"a%zz", 1, "%25"},         {"a%2", 1, "%25"},
        {"a\xFFz", 1, "UTF-8"},    {"a\xC0\x80", 1, "UTF-8"},  {"a\xED\xA0\x80", 1, "UTF-8"},
        {"a\xC3", 1, "UTF-8"},     {"a\xC2\x85", 1, "U+0085"}, {"a\xEF\xBF\xBE", 1, "U+FFFE"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena;
        arena_init(&arena, 0);
        const struct template *t = NULL;
        struct template_error error = {0};
        enum err err = template_compile(span_cstr(cases[i].source), &arena, &t, &error);
        if (err != ERR_SYNTAX || error.offset != cases[i].offset ||
            strstr(error.reason, cases[i].reason) == NULL) {
            fail_msg("%s: %zu \"%s\", expected %zu \"%s\"", cases[i].source, error.offset,
                     error.reason, cases[i].offset, cases[i].reason);
        }
        assert_null(t);
        arena_fini(&arena);
    }
}

static void bounds(void **state)
{
    struct arena arena;
    arena_init(&arena, 0);
    const struct template *t = NULL;
    struct template_error error;
    static char text[template_bytes_max + 1];
    memset(text, 'x', sizeof(text));
    struct span source = span_of(text, sizeof(text));
    assert_int_equal(template_compile(source, &arena, &t, &error), ERR_SYNTAX);
    assert_non_null(strstr(error.reason, "longer"));
    source.len--;
    assert_int_equal(template_compile(source, &arena, &t, &error), ERR_NONE);

    size_t len = 0;
    for (int i = 0; i <= template_vars_max; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "{v%d}", i);
    }
    assert_int_equal(template_compile(span_of(text, len), &arena, &t, &error), ERR_SYNTAX);
    assert_non_null(strstr(error.reason, "variables"));

    for (len = 0; len < 3 * 300; len += 3) {
        memcpy(text + len, "{v}", 3);
    }
    assert_int_equal(template_compile(span_of(text, len), &arena, &t, &error), ERR_SYNTAX);
    assert_non_null(strstr(error.reason, "256"));
    arena_fini(&arena);
}

static void full_buffer(void **state)
{
    struct arena arena;
    arena_init(&arena, 0);
    const struct template *t = compile("/abc{x}", &arena);
    struct template_value value = {.bytes = SPAN("de f"), .defined = true};
    for (size_t cap = 0; cap < 10; cap++) {
        uint8_t memory[16];
        struct buffer out = buffer_over(memory, cap);
        template_expand(t, &value, &out);
        assert_true(out.full && out.len <= cap);
    }
    uint8_t exact[10];
    struct buffer out = buffer_over(exact, sizeof(exact));
    template_expand(t, &value, &out);
    assert_false(out.full);
    arena_fini(&arena);
}

static void names_and_source(void **state)
{
    struct arena arena;
    arena_init(&arena, 0);
    const struct template *t = compile("{b}/{a,b}{?c%20d}", &arena);
    assert_int_equal(template_var_count(t), 3);
    assert_true(span_eq(template_var_name(t, 0), SPAN("b")));
    assert_true(span_eq(template_var_name(t, 1), SPAN("a")));
    assert_true(span_eq(template_var_name(t, 2), SPAN("c%20d")));
    assert_true(span_eq(template_source(t), SPAN("{b}/{a,b}{?c%20d}")));
    assert_int_equal(template_size(t) % 8, 0);
    arena_fini(&arena);
}

/* Every byte of a block changed to many values: whatever verify accepts can be used. */
static void hostile_blocks(void **state)
{
    struct arena arena;
    arena_init(&arena, 0);
    const struct template *t = compile("https://h.{r}/a{+b,c}?x{&d}#f", &arena);
    size_t size = template_size(t);
    uint8_t *block = arena_alloc(&arena, size);
    struct template_value values[256];
    for (size_t i = 0; i < 256; i++) {
        values[i] = (struct template_value){.bytes = SPAN("v w"), .defined = true};
    }
    size_t refused = 0;
    for (size_t at = 0; at < size; at++) {
        for (unsigned change = 1; change < 256; change += 2) {
            memcpy(block, t, size);
            block[at] = (uint8_t)(block[at] ^ change);
            if (!template_verify(block, size)) {
                refused++;
                continue;
            }
            const struct template *copy = (const void *)block;
            uint8_t memory[4096];
            struct buffer out = buffer_over(memory, sizeof(memory));
            template_expand(copy, values, &out);
            assert_true(template_var_count(copy) <= template_vars_max);
            for (size_t i = 0; i < out.len; i++) {
                assert_true(memory[i] > 0x20 && memory[i] < 0x7F);
            }
        }
    }
    assert_true(refused > size * 32);
    for (size_t len = 0; len < size; len++) {
        assert_false(template_verify(t, len));
    }
    assert_false(template_verify((const uint8_t *)t + 4, size - 4));
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_vectors),
        cmocka_unit_test(values),
        cmocka_unit_test(sent_unreserved_are_decoded),
        cmocka_unit_test(refusals),
        cmocka_unit_test(bounds),
        cmocka_unit_test(full_buffer),
        cmocka_unit_test(names_and_source),
        cmocka_unit_test(hostile_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
