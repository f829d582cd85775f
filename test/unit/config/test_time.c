/* SPDX-License-Identifier: MIT */
/* Times: RFC 3339, local times with their zones, gaps, overlaps, far years, bad files. */
#include "config/time.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct arena arena;
static struct zones zones;

static int begin(void **state)
{
    arena_init(&arena, 0);
    zones = (struct zones){.arena = &arena};
    return 0;
}

static int end(void **state)
{
    arena_fini(&arena);
    return 0;
}

static void test_times(void **state)
{
    static const struct {
        const char *text, *utc;
        enum local_kind kind;
    } rows[] = {
        {.text = "1970-01-01T00:00:00Z", .utc = "1970-01-01T00:00:00Z"},
        {.text = "2026-12-01T02:00:00Z", .utc = "2026-12-01T02:00:00Z"},
        {.text = "2026-12-01t02:00:00z", .utc = "2026-12-01T02:00:00Z"},
        {.text = "2026-12-01T02:00Z", .utc = "2026-12-01T02:00:00Z"},
        {.text = "2026-12-01 02:00Z", .utc = "2026-12-01T02:00:00Z"},
        {.text = "2026-12-01T02:00:00+01:00", .utc = "2026-12-01T01:00:00Z"},
        {.text = "2026-12-01T02:00:00-03:30", .utc = "2026-12-01T05:30:00Z"},
        {.text = "2024-02-29T23:59:60Z", .utc = "2024-03-01T00:00:00Z"},
        {.text = "2026-12-01T02:00:00 Europe/Berlin", .utc = "2026-12-01T01:00:00Z"},
        {.text = "2026-12-01 02:00 Europe/Berlin", .utc = "2026-12-01T01:00:00Z"},
        {.text = "2026-07-01T02:00:00 Europe/Berlin", .utc = "2026-07-01T00:00:00Z"},
        {.text = "2026-07-01T02:00:00 Asia/Kathmandu", .utc = "2026-06-30T20:15:00Z"},
        {.text = "2026-07-01T02:00:00 UTC", .utc = "2026-07-01T02:00:00Z"},
        /* The gap of RFC 5545, 3.3.5, and the overlap. */
        {.text = "2026-03-08T02:30 America/New_York",
         .utc = "2026-03-08T07:30:00Z",
         .kind = LOCAL_GAP},
        {.text = "2026-03-08T01:59:59 America/New_York", .utc = "2026-03-08T06:59:59Z"},
        {.text = "2026-03-08T03:00 America/New_York", .utc = "2026-03-08T07:00:00Z"},
        {.text = "2026-11-01T01:30 America/New_York",
         .utc = "2026-11-01T05:30:00Z",
         .kind = LOCAL_TWICE},
        {.text = "2026-11-01T00:59 America/New_York", .utc = "2026-11-01T04:59:00Z"},
        {.text = "2026-11-01T02:00 America/New_York", .utc = "2026-11-01T07:00:00Z"},
        {.text = "2026-03-29T02:30 Europe/Berlin",
         .utc = "2026-03-29T01:30:00Z",
         .kind = LOCAL_GAP},
        {.text = "2026-10-25T02:30 Europe/Berlin",
         .utc = "2026-10-25T00:30:00Z",
         .kind = LOCAL_TWICE},
        /* Half an hour only. */
        {.text = "2026-04-05T01:45 Australia/Lord_Howe",
         .utc = "2026-04-04T14:45:00Z",
         .kind = LOCAL_TWICE},
        {.text = "2026-10-04T02:15 Australia/Lord_Howe",
         .utc = "2026-10-03T15:45:00Z",
         .kind = LOCAL_GAP},
        /* A day that was left out. */
        {.text = "2011-12-30T12:00 Pacific/Apia", .utc = "2011-12-30T22:00:00Z", .kind = LOCAL_GAP},
        /* Beyond the table: the rule in the footer. */
        {.text = "2099-07-01T12:00 Europe/Berlin", .utc = "2099-07-01T10:00:00Z"},
        {.text = "2099-01-01T12:00 Europe/Berlin", .utc = "2099-01-01T11:00:00Z"},
        {.text = "2099-01-01T12:00 Australia/Sydney", .utc = "2099-01-01T01:00:00Z"},
        {.text = "2099-07-01T12:00 Australia/Sydney", .utc = "2099-07-01T02:00:00Z"},
        {.text = "2150-03-08T02:30 America/New_York",
         .utc = "2150-03-08T07:30:00Z",
         .kind = LOCAL_GAP},
        {.text = "2150-11-01T01:30 America/New_York",
         .utc = "2150-11-01T05:30:00Z",
         .kind = LOCAL_TWICE},
        {.text = "2099-01-01T12:00 Asia/Tokyo", .utc = "2099-01-01T03:00:00Z"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct time_result result;
        char text[time_text_max];
        enum err err = time_parse(span_cstr(rows[i].text), &zones, &result);
        if (err != ERR_NONE || result.kind != rows[i].kind ||
            strcmp(time_format(result.ns, text), rows[i].utc) != 0) {
            fail_msg("%s: %s, kind %d, %s", rows[i].text, err == ERR_NONE ? text : result.reason,
                     (int)result.kind, rows[i].utc);
        }
    }
}

static void test_fractions(void **state)
{
    struct time_result result;
    assert_int_equal(time_parse(SPAN("1970-01-01T00:00:01.25Z"), &zones, &result), ERR_NONE);
    assert_int_equal(result.ns, 1250000000);
    assert_int_equal(time_parse(SPAN("1970-01-01T00:00:00.1234567891Z"), &zones, &result),
                     ERR_NONE);
    assert_int_equal(result.ns, 123456789);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        enum err err;
    } rows[] = {
        {.text = "", .err = ERR_SYNTAX},
        {.text = "tomorrow", .err = ERR_SYNTAX},
        {.text = "2026-12-01", .err = ERR_SYNTAX},
        {.text = "2026-12-01T02", .err = ERR_SYNTAX},
        {.text = "2026-12-01T02:00", .err = ERR_SYNTAX},
        {.text = "2026-12-01T02:00:0Z", .err = ERR_SYNTAX},
        {.text = "2026-12-01T02:00:00.Z", .err = ERR_SYNTAX},
        {.text = "2026-12-01T02:00:00Europe/Berlin", .err = ERR_SYNTAX},
        {.text = "2026-12-01T02:00:00+1:00", .err = ERR_SYNTAX},
        {.text = "2026-12-01T02:00:00+24:00", .err = ERR_SYNTAX},
        {.text = "2026-13-01T02:00:00Z", .err = ERR_RANGE},
        {.text = "2026-00-01T02:00:00Z", .err = ERR_RANGE},
        {.text = "2026-02-29T02:00:00Z", .err = ERR_RANGE},
        {.text = "2100-02-29T02:00:00Z", .err = ERR_RANGE},
        {.text = "2026-12-01T24:00:00Z", .err = ERR_RANGE},
        {.text = "2026-12-01T02:60:00Z", .err = ERR_RANGE},
        {.text = "1969-12-31T00:00:00Z", .err = ERR_RANGE},
        {.text = "2200-01-01T00:00:00Z", .err = ERR_RANGE},
        {.text = "2026-12-01T02:00:00 Europe/Berlyn", .err = ERR_NOTFOUND},
        {.text = "2026-12-01T02:00:00 Europe", .err = ERR_NOTFOUND},
        {.text = "2026-12-01T02:00:00 ../../../etc/passwd", .err = ERR_NOTFOUND},
        {.text = "2026-12-01T02:00:00 /usr/share/zoneinfo/UTC", .err = ERR_NOTFOUND},
        {.text = "2026-12-01T02:00:00 Europe/../UTC", .err = ERR_NOTFOUND},
        {.text = "2026-12-01T02:00:00 tzdata.zi", .err = ERR_NOTFOUND},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct time_result result;
        enum err err = time_parse(span_cstr(rows[i].text), &zones, &result);
        if (err != rows[i].err || result.reason == NULL) {
            fail_msg("%s: %s", rows[i].text, err_text(err));
        }
    }
}

/* Cut anywhere, a file is refused or read, and never read beyond its end. */
static void test_damaged_files(void **state)
{
    uint8_t bytes[8192];
    FILE *file = fopen("/usr/share/zoneinfo/Europe/Berlin", "rb");
    assert_non_null(file);
    size_t len = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    const struct zone *zone;
    assert_int_equal(zone_decode(span_of(bytes, len), &arena, &zone), ERR_NONE);
    for (size_t cut = 0; cut < len; cut++) {
        struct span part = arena_copy(&arena, span_of(bytes, cut));
        assert_int_equal(zone_decode(part, &arena, &zone), ERR_SYNTAX);
    }
    for (size_t at = 0; at < len; at++) {
        struct span whole = arena_copy(&arena, span_of(bytes, len));
        ((uint8_t *)whole.ptr)[at] ^= 0xff;
        int64_t utc = 0;
        if (zone_decode(whole, &arena, &zone) == ERR_NONE) {
            zone_resolve(zone, INT64_C(1700000000), &utc);
            zone_resolve(zone, INT64_C(7000000000), &utc);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_times, begin, end),
        cmocka_unit_test_setup_teardown(test_fractions, begin, end),
        cmocka_unit_test_setup_teardown(test_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_damaged_files, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
