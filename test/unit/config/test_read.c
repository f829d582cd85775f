/* SPDX-License-Identifier: MIT */
/* The typed readers: what each takes and refuses. */
#include "config/read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct fixture {
    struct arena arena;
    struct problems problems;
    struct load load;
};

static void init(struct fixture *f)
{
    arena_init(&f->arena, 0);
    problems_init(&f->problems, &f->arena, "t");
    f->load = (struct load){
        .problems = &f->problems, .arena = &f->arena, .scratch = &f->arena, .suggestions_left = 10};
}

/* The value of "k: <text>". */
static const struct node *value(struct fixture *f, const char *text)
{
    char *whole = arena_printf(&f->arena, "k: %s", text);
    const struct node *root = yaml_read(span_cstr(whole), &f->arena, &f->problems);
    assert_non_null(root);
    return root->first;
}

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } rows[] = {
        {"500ms", 500},     {"30s", 30000},
        {"5m", 300000},     {"1h", 3600000},
        {"1d", 86400000},   {"1h30m", 5400000},
        {"0", 0},           {"0s", 0},
        {"\"30s\"", 30000}, {"30 s", 30000},
        {"30", -1},         {"s", -1},
        {"-5s", -1},        {"5 elephants", -1},
        {"1.5h", -1},       {"[30s]", -1},
        {"", -1},           {"99999999999999d", -1},
        {"30d", -1},        {"1000000000000000000000s", -1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture f;
        uint32_t ms = 7;
        init(&f);
        bool good = read_duration_ms(&f.load, value(&f, rows[i].text), 0, 86400000, &ms);
        if (good != (rows[i].ms >= 0) || f.problems.error_count != (good ? 0 : 1) ||
            (int64_t)ms != (good ? rows[i].ms : 7)) {
            fail_msg("%s: %u", rows[i].text, ms);
        }
        arena_fini(&f.arena);
    }
}

static void test_percentages(void **state)
{
    static const struct {
        const char *text;
        int64_t ppm;
    } rows[] = {
        {"60%", 600000}, {"0.5%", 5000},   {"100%", 1000000}, {"0%", 0},   {"12.3456%", 123456},
        {"0.0001%", 1},  {"100.1%", -1},   {"101%", -1},      {"60", -1},  {"-1%", -1},
        {"%", -1},       {"0.00001%", -1}, {".5%", -1},       {"5.%", -1}, {"x%", -1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture f;
        uint32_t ppm = 0;
        init(&f);
        char *quoted = arena_printf(&f.arena, "\"%s\"", rows[i].text);
        bool good = read_percent_ppm(&f.load, value(&f, quoted), &ppm);
        if (good != (rows[i].ppm >= 0) || (good && (int64_t)ppm != rows[i].ppm)) {
            fail_msg("%s: %u", rows[i].text, ppm);
        }
        arena_fini(&f.arena);
    }
}

static void test_sizes(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } rows[] = {
        {"4096", 4096},        {"64KiB", 65536}, {"1MiB", 1048576}, {"1GiB", 1073741824},
        {"1 GiB", 1073741824}, {"1kB", 1000},    {"10B", 10},       {"0", 0},
        {"1kib", -1},          {"-1", -1},       {"1GiB1B", -1},    {"1024GiB", -1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture f;
        uint64_t bytes = 0;
        init(&f);
        bool good = read_size(&f.load, value(&f, rows[i].text), UINT64_C(1) << 38, &bytes);
        if (good != (rows[i].bytes >= 0) || (good && (int64_t)bytes != rows[i].bytes)) {
            fail_msg("%s", rows[i].text);
        }
        arena_fini(&f.arena);
    }
}

static void test_booleans_are_plain_words(void **state)
{
    struct fixture f;
    bool out = false;
    init(&f);
    assert_true(read_bool(&f.load, value(&f, "true"), &out) && out);
    assert_true(read_bool(&f.load, value(&f, "False"), &out) && !out);
    assert_false(read_bool(&f.load, value(&f, "\"true\""), &out));
    assert_false(read_bool(&f.load, value(&f, "yes"), &out));
    assert_false(read_bool(&f.load, value(&f, "on"), &out));
    assert_false(read_bool(&f.load, value(&f, "1"), &out));
    assert_int_equal(f.problems.error_count, 4);
    arena_fini(&f.arena);
}

static void test_integers(void **state)
{
    struct fixture f;
    uint64_t out = 0;
    init(&f);
    assert_true(read_integer(&f.load, value(&f, "5"), 5, 9, &out) && out == 5);
    assert_true(read_integer(&f.load, value(&f, "9"), 5, 9, &out) && out == 9);
    assert_false(read_integer(&f.load, value(&f, "4"), 5, 9, &out));
    assert_false(read_integer(&f.load, value(&f, "10"), 5, 9, &out));
    assert_false(read_integer(&f.load, value(&f, "0x5"), 5, 9, &out));
    assert_false(read_integer(&f.load, value(&f, "5.0"), 5, 9, &out));
    assert_int_equal(out, 9);
    arena_fini(&f.arena);
}

static void test_texts_hold_no_nul(void **state)
{
    struct fixture f;
    struct span out;
    init(&f);
    assert_true(read_string(&f.load, value(&f, "\"a b\""), &out));
    assert_false(read_string(&f.load, value(&f, "\"a\\0b\""), &out));
    assert_false(read_string(&f.load, value(&f, "\"\""), &out));
    assert_true(read_text(&f.load, value(&f, "\"\""), &out));
    assert_false(read_text(&f.load, value(&f, "~"), &out));
    arena_fini(&f.arena);
}

static void test_a_scalar_is_a_list_of_one(void **state)
{
    struct fixture f;
    const struct cidr *cidrs = NULL;
    size_t count = 0;
    init(&f);
    assert_true(read_cidrs(&f.load, value(&f, "10.0.0.0/8"), &cidrs, &count));
    assert_int_equal(count, 1);
    assert_true(read_cidrs(&f.load, value(&f, "[10.0.0.0/8, \"::1\"]"), &cidrs, &count));
    assert_int_equal(count, 2);
    assert_true(read_cidrs(&f.load, value(&f, "[]"), &cidrs, &count));
    assert_int_equal(count, 0);
    assert_false(read_cidrs(&f.load, value(&f, "[10.0.0.1/8, x]"), &cidrs, &count));
    assert_int_equal(f.problems.error_count, 2);
    arena_fini(&f.arena);
}

static void test_unknown_keys_are_named(void **state)
{
    static const char *const keys[] = {"weight", NULL, "url"};
    const struct node *at[3];
    struct fixture f;
    init(&f);
    assert_true(
        read_map(&f.load, value(&f, "{wieght: 1, url: x, nonsense: 2}"), "a server", keys, 3, at));
    assert_null(at[0]);
    assert_non_null(at[2]);
    assert_int_equal(f.problems.error_count, 2);
    assert_non_null(strstr(f.problems.items[0].text, "did you mean `weight`?"));
    assert_non_null(strstr(f.problems.items[1].text, "known here: weight, url"));
    assert_false(read_map(&f.load, value(&f, "[]"), "a server", keys, 3, at));
    arena_fini(&f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_percentages),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_booleans_are_plain_words),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_texts_hold_no_nul),
        cmocka_unit_test(test_a_scalar_is_a_list_of_one),
        cmocka_unit_test(test_unknown_keys_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
