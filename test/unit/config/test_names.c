/* SPDX-License-Identifier: MIT */
/* The table of names, and the search for what was meant. */
#include "config/names.h"
#include "config/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void test_names_hold_many(void **state)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct names names = {.arena = &arena};
    uint32_t old = 0;
    for (uint32_t i = 0; i < 5000; i++) {
        char *text = arena_printf(&arena, "name-%u", i);
        assert_int_equal(names_add(&names, span_cstr(text), i, &old), ERR_NONE);
    }
    assert_int_equal(names_add(&names, SPAN("name-77"), 1, &old), ERR_RANGE);
    assert_int_equal(old, 77);
    for (uint32_t i = 0; i < 5000; i++) {
        char *text = arena_printf(&arena, "name-%u", i);
        assert_true(names_find(&names, span_cstr(text), &old));
        assert_int_equal(old, i);
    }
    assert_false(names_find(&names, SPAN("name-5000"), &old));
    arena_fini(&arena);
}

static void test_the_empty_name_is_a_name(void **state)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct names names = {.arena = &arena};
    uint32_t value = 0;
    assert_false(names_find(&names, (struct span){0}, &value));
    assert_int_equal(names_add(&names, (struct span){0}, 9, &value), ERR_NONE);
    assert_true(names_find(&names, SPAN(""), &value));
    assert_int_equal(value, 9);
    arena_fini(&arena);
}

static void test_no_memory_is_an_error(void **state)
{
    struct arena arena;
    arena_init(&arena, 16);
    struct names names = {.arena = &arena};
    uint32_t value;
    assert_int_equal(names_add(&names, SPAN("a"), 1, &value), ERR_MEMORY);
    arena_fini(&arena);
}

static void test_distances(void **state)
{
    static const struct {
        const char *a, *b;
        size_t distance;
    } rows[] = {
        {.a = "", .b = "", .distance = 0},           {.a = "", .b = "abc", .distance = 3},
        {.a = "sites", .b = "sites", .distance = 0}, {.a = "siets", .b = "sites", .distance = 1},
        {.a = "SITES", .b = "sites", .distance = 0}, {.a = "kitten", .b = "sitting", .distance = 3},
        {.a = "to", .b = "too", .distance = 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(edit_distance(span_cstr(rows[i].a), span_cstr(rows[i].b)),
                         rows[i].distance);
    }
}

static const char *suggested(const char *wanted)
{
    static const char *const known[] = {"routes", "hosts",  "name",
                                        "to",     "labels", "header_timeout"};
    struct suggest suggest = suggest_begin(span_cstr(wanted));
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        suggest_offer(&suggest, span_cstr(known[i]));
    }
    return suggest.best.ptr != NULL ? (const char *)suggest.best.ptr : "";
}

static void test_suggestions(void **state)
{
    assert_string_equal(suggested("route"), "routes");
    assert_string_equal(suggested("rout"), "routes");
    assert_string_equal(suggested("hots"), "hosts");
    assert_string_equal(suggested("too"), "to");
    assert_string_equal(suggested("header_timout"), "header_timeout");
    assert_string_equal(suggested("tables"), "");
    assert_string_equal(suggested("x"), "");
    assert_string_equal(
        suggested("a_word_that_is_longer_than_all_the_words_which_are_known_anywhere_"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_hold_many),
        cmocka_unit_test(test_the_empty_name_is_a_name),
        cmocka_unit_test(test_no_memory_is_an_error),
        cmocka_unit_test(test_distances),
        cmocka_unit_test(test_suggestions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
