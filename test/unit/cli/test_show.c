/* SPDX-License-Identifier: MIT */
/* Output for people: text, times, lengths of time, tables. */
#include "cli/show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <time.h>

#define SECONDS(n) (INT64_C(1000000000) * (n))

static int set_up(void **state)
{
    struct arena *arena = calloc(1, sizeof(*arena));
    arena_init(arena, 0);
    *state = arena;
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    return arena == NULL;
}

static int tear_down(void **state)
{
    arena_fini(*state);
    free(*state);
    return 0;
}

static void test_clean(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"plain /a?b=1", "plain /a?b=1"},
        {"a\nb\033[31m", "a\\x0ab\\x1b[31m"},
        {"\x7f", "\\x7f"},
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
        {"\xc2\x9b"
         "31m",
         "\\xc2\\x9b"
         "31m"}, /* CSI */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_string_equal(show_clean(*state, rows[i][0]), rows[i][1]);
    }
}

static void test_members(void **state)
{
    json_t *object = json_loads("{\"text\":\"a\",\"number\":7,\"yes\":true,\"null\":null,"
                                "\"list\":[\"a\",1],\"map\":{\"status\":410}}",
                                0, NULL);
    static const char *const rows[][2] = {
        {"text", "a"},
        {"number", "7"},
        {"yes", "true"},
        {"null", ""},
        {"none", ""},
        {"list", "a, 1"},
        {"map", "{\"status\":410}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_string_equal(show_member(*state, object, rows[i][0]), rows[i][1]);
    }
    assert_true(show_is(object, "yes"));
    assert_false(show_is(object, "text"));
    assert_string_equal(show_member(*state, NULL, "text"), "");
    json_decref(object);
}

static void test_durations(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } rows[] = {
        {0, "0 seconds"},
        {SECONDS(1), "1 second"},
        {SECONDS(1) / 2, "1 second"},
        {SECONDS(59), "59 seconds"},
        {SECONDS(60), "1 minute"},
        {SECONDS(61), "1 minute 1 second"},
        {SECONDS(119) + SECONDS(1) / 2, "2 minutes"},
        {SECONDS(720), "12 minutes"},
        {SECONDS(12 * 60 + 7), "12 minutes"},
        {SECONDS(719), "12 minutes"},
        {SECONDS(3599), "1 hour"},
        {SECONDS(3600), "1 hour"},
        {SECONDS(4800), "1 hour 20 minutes"},
        {SECONDS(7199), "2 hours"},
        {SECONDS(86399), "1 day"},
        {SECONDS(86400 + 2 * 3600), "1 day 2 hours"},
        {SECONDS(86400 * 30 + 3600), "30 days"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_string_equal(show_duration(*state, rows[i].ns), rows[i].text);
    }
}

static void test_times(void **state)
{
    int64_t now;
    assert_true(show_read_time("2026-11-23T12:00:00Z", &now));
    static const char *const rows[][2] = {
        {"2026-11-23T12:12:00Z", "2026-11-23 13:12:00 CET (in 12 minutes)"},
        {"2026-11-23T11:00:00Z", "2026-11-23 12:00:00 CET (1 hour ago)"},
        {"2027-07-01T11:00:00+02:00", "2027-07-01 11:00:00 CEST (in 220 days)"},
        {"off", "off"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_string_equal(show_when(*state, rows[i][0], now), rows[i][1]);
    }
}

static void assert_prints(const struct table *table, const char *text)
{
    char *bytes = NULL;
    size_t len;
    FILE *out = open_memstream(&bytes, &len);
    table_print(table, out);
    fclose(out);
    assert_string_equal(bytes, text);
    free(bytes);
}

static void test_table(void **state)
{
    struct table table = {
        .arena = *state, .columns = 4, .headings = {"STATE", "NAME", "EMPTY", "WHY"}};
    assert_prints(&table, "");
    struct table_row *row = table_add(&table);
    row->cells[0] = "active";
    row->cells[1] = "gr\xc3\xbcn";
    row->cells[3] = "a\tb";
    row = table_add(&table);
    row->cells[0] = "OVERDUE";
    row->cells[1] = "x";
    row->loud = true; /* not here, which is no terminal */
    row = table_add(&table);
    row->cells[3] = "last";
    assert_prints(&table, "STATE    NAME  WHY\n"
                          "active   gr\xc3\xbcn  a\\x09b\n"
                          "OVERDUE  x\n"
                          "               last\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean),     cmocka_unit_test(test_members),
        cmocka_unit_test(test_durations), cmocka_unit_test(test_times),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
