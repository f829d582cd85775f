/* SPDX-License-Identifier: MIT */
/* What a schedule says at a time: states, shares, and when the next of them comes. */
#include "clocks.h"

#define S NS_PER_SECOND

static struct arena arena;

static int begin(void **state)
{
    arena_init(&arena, 0);
    return 0;
}

static int end(void **state)
{
    arena_fini(&arena);
    return 0;
}

struct row {
    int64_t now_ns;
    enum schedule_state state;
    uint32_t percent;
    int64_t next_ns, joins_ns, leaves_ns;
};

static void check_rows(const struct schedule *s, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct schedule_view view;
        schedule_at(s, rows[i].now_ns, &view);
        if (view.state != rows[i].state || view.share_ppm != rows[i].percent * 10000 ||
            view.next_ns != rows[i].next_ns || view.joins_ns != rows[i].joins_ns ||
            view.leaves_ns != rows[i].leaves_ns) {
            fail_msg("row %zu: %s %u next %lld joins %lld leaves %lld", i,
                     schedule_state_text(view.state), view.share_ppm, (long long)view.next_ns,
                     (long long)view.joins_ns, (long long)view.leaves_ns);
        }
    }
}

#define CHECK(schedule, rows) check_rows(schedule, rows, sizeof(rows) / sizeof(*(rows)))
#define NEVER SCHEDULE_NEVER

static void one_window(void **state)
{
    const struct schedule s = {.from_ns = 1000, .until_ns = 2000};
    static const struct row rows[] = {
        {-5, SCHEDULE_PLANNED, 0, 1000, 1000, NEVER},
        {999, SCHEDULE_PLANNED, 0, 1000, 1000, NEVER},
        {1000, SCHEDULE_ACTIVE, 100, 2000, NEVER, 2000},
        {1999, SCHEDULE_ACTIVE, 100, 2000, NEVER, 2000},
        {2000, SCHEDULE_OVER, 0, NEVER, NEVER, NEVER},
    };
    CHECK(&s, rows);
}

static void windows_without_an_end_or_a_beginning(void **state)
{
    const struct schedule open = {.from_ns = 1000, .until_ns = NEVER};
    static const struct row open_rows[] = {
        {999, SCHEDULE_PLANNED, 0, 1000, 1000, NEVER},
        {1000, SCHEDULE_ACTIVE, 100, NEVER, NEVER, NEVER},
    };
    const struct schedule ever = {.from_ns = SCHEDULE_EVER, .until_ns = 2000};
    static const struct row ever_rows[] = {
        {SCHEDULE_EVER, SCHEDULE_ACTIVE, 100, 2000, NEVER, 2000},
        {1999, SCHEDULE_ACTIVE, 100, 2000, NEVER, 2000},
        {2000, SCHEDULE_OVER, 0, NEVER, NEVER, NEVER},
    };
    CHECK(&open, open_rows);
    CHECK(&ever, ever_rows);
}

static void held_is_past_its_end(void **state)
{
    const struct schedule s = {.from_ns = 1000, .until_ns = 2000, .hold = true};
    static const struct row rows[] = {
        {1999, SCHEDULE_ACTIVE, 100, 2000, NEVER, 2000},
        {2000, SCHEDULE_HELD, 100, NEVER, NEVER, NEVER},
        {INT64_MAX - 1, SCHEDULE_HELD, 100, NEVER, NEVER, NEVER},
    };
    CHECK(&s, rows);
}

static void a_ramp_grows_and_shrinks_in_steps(void **state)
{
    const struct schedule s = {
        .from_ns = 10000, .until_ns = 20000, .ramp_ns = 1000, .return_over_ns = 2000};
    static const struct row rows[] = {
        {9999, SCHEDULE_PLANNED, 0, 10000, 10000, NEVER},
        {10000, SCHEDULE_ACTIVE, 0, 10010, 10010, 20000},
        {10009, SCHEDULE_ACTIVE, 0, 10010, 10010, 20000},
        {10010, SCHEDULE_ACTIVE, 1, 10020, 10020, 20000},
        {10999, SCHEDULE_ACTIVE, 99, 11000, 11000, 20000},
        {11000, SCHEDULE_ACTIVE, 100, 20000, NEVER, 20000},
        {20000, SCHEDULE_ACTIVE, 100, 20020, NEVER, 20020},
        {20020, SCHEDULE_ACTIVE, 99, 20040, NEVER, 20040},
        {21999, SCHEDULE_ACTIVE, 1, 22000, NEVER, 22000},
        {22000, SCHEDULE_OVER, 0, NEVER, NEVER, NEVER},
    };
    CHECK(&s, rows);
}

static struct schedule repeating(const char *zone, const char *from, int64_t length_s,
                                 const char *rule)
{
    struct recurrence_start start = {.local_s = clock_s(from), .zone = zone_named(&arena, zone)};
    struct schedule s = {0};
    const char *reason;
    int64_t from_s;
    assert_non_null(start.zone);
    assert_int_equal(recurrence_read(span_cstr(rule), &start, &arena, &s.repeat, &reason),
                     ERR_NONE);
    zone_resolve(start.zone, start.local_s, &from_s);
    s.from_ns = from_s * S;
    s.until_ns = (from_s + length_s) * S;
    return s;
}

static void it_repeats(void **state)
{
    struct schedule s = repeating("UTC", "1970-01-01T01:00:00", 600, "FREQ=HOURLY;COUNT=3");
    s.ramp_ns = 100 * S;
    s.return_over_ns = 200 * S;
    const struct row rows[] = {
        {0, SCHEDULE_PLANNED, 0, 3600 * S, 3600 * S, NEVER},
        {3600 * S, SCHEDULE_ACTIVE, 0, 3601 * S, 3601 * S, 4200 * S},
        {3650 * S, SCHEDULE_ACTIVE, 50, 3651 * S, 3651 * S, 4200 * S},
        {4000 * S, SCHEDULE_ACTIVE, 100, 4200 * S, NEVER, 4200 * S},
        /* Those who are let go are taken again when it opens again. */
        {4300 * S, SCHEDULE_ACTIVE, 50, 4302 * S, 7200 * S, 4302 * S},
        {4400 * S, SCHEDULE_PLANNED, 0, 7200 * S, 7200 * S, NEVER},
        {7150 * S, SCHEDULE_PLANNED, 0, 7200 * S, 7200 * S, NEVER},
        {7250 * S, SCHEDULE_ACTIVE, 50, 7251 * S, 7251 * S, 7800 * S},
        {11399 * S, SCHEDULE_ACTIVE, 100, 11400 * S, NEVER, 11400 * S},
        {11500 * S, SCHEDULE_ACTIVE, 50, 11502 * S, NEVER, 11502 * S},
        {11600 * S, SCHEDULE_OVER, 0, NEVER, NEVER, NEVER},
    };
    CHECK(&s, rows);
}

/* However long ago it was. */
static void the_last_window_is_remembered(void **state)
{
    struct schedule s = repeating("UTC", "2026-01-01T01:00:00", 600, "FREQ=YEARLY;COUNT=3");
    struct schedule_view view;
    schedule_at(&s, instant("2026-12-31T00:00:00"), &view);
    assert_int_equal(view.state, SCHEDULE_PLANNED);
    assert_int_equal(view.opened_ns, instant("2026-01-01T01:00:00"));
    assert_int_equal(view.closes_ns, instant("2026-01-01T01:10:00"));
    assert_int_equal(view.opens_ns, instant("2027-01-01T01:00:00"));
    schedule_at(&s, instant("2200-01-01T00:00:00"), &view);
    assert_int_equal(view.state, SCHEDULE_OVER);
    assert_int_equal(view.closes_ns, instant("2028-01-01T01:10:00"));
    schedule_at(&s, instant("2000-01-01T00:00:00"), &view);
    assert_int_equal(view.state, SCHEDULE_PLANNED);
    assert_int_equal(view.opened_ns, SCHEDULE_NEVER);
}

/* Each window lasts two hours of time, whatever the clock shows at its end. */
static void clocks_that_are_set(void **state)
{
    static const struct {
        const char *zone, *from, *asked, *opened, *closes, *opens;
    } rows[] = {
        /* 8 March has no 02:30 in New York: 07:30 UTC, which is 03:30 there. */
        {"America/New_York", "2026-03-01T02:30:00", "2026-03-08T08:00:00", "2026-03-08T07:30:00",
         "2026-03-08T09:30:00", "2026-03-15T06:30:00"},
        /* 1 November has 01:30 twice, at 05:30 and at 06:30 UTC. */
        {"America/New_York", "2026-10-25T01:30:00", "2026-11-01T06:45:00", "2026-11-01T05:30:00",
         "2026-11-01T07:30:00", "2026-11-08T06:30:00"},
        /* 29 March has no 02:30 in Berlin: 01:30 UTC, 03:30 there. */
        {"Europe/Berlin", "2026-03-22T02:30:00", "2026-03-29T02:00:00", "2026-03-29T01:30:00",
         "2026-03-29T03:30:00", "2026-04-05T00:30:00"},
        /* 25 October has 02:30 twice, at 00:30 and at 01:30 UTC. */
        {"Europe/Berlin", "2026-10-18T02:30:00", "2026-10-25T01:45:00", "2026-10-25T00:30:00",
         "2026-10-25T02:30:00", "2026-11-01T01:30:00"},
        /* A window that begins before the gap and ends after it. */
        {"Europe/Berlin", "2026-03-22T01:00:00", "2026-03-29T01:59:59", "2026-03-29T00:00:00",
         "2026-03-29T02:00:00", "2026-04-04T23:00:00"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct schedule s = repeating(rows[i].zone, rows[i].from, 7200, "FREQ=WEEKLY");
        struct schedule_view view;
        schedule_at(&s, instant(rows[i].asked), &view);
        assert_int_equal(view.state, SCHEDULE_ACTIVE);
        assert_int_equal(view.opened_ns, instant(rows[i].opened));
        assert_int_equal(view.closes_ns, instant(rows[i].closes));
        assert_int_equal(view.opens_ns, instant(rows[i].opens));
    }
}

/* 23 and a half hours a day: on the day that has 23 there is nothing between two of them. */
static void windows_that_a_gap_brings_together_are_one(void **state)
{
    struct schedule s = repeating("Europe/Berlin", "2026-03-01T12:00:00", 84600, "FREQ=DAILY");
    struct schedule_view view;
    s.ramp_ns = 3600 * S;
    schedule_at(&s, instant("2026-03-29T10:15:00"), &view);
    assert_int_equal(view.state, SCHEDULE_ACTIVE);
    assert_int_equal(view.share_ppm, schedule_full_ppm);
    assert_int_equal(view.opened_ns, instant("2026-03-28T11:00:00"));
    assert_int_equal(view.closes_ns, instant("2026-03-30T09:30:00"));
    assert_int_equal(view.opens_ns, instant("2026-03-30T10:00:00"));
    struct schedule_view before;
    schedule_at(&s, instant("2026-03-28T23:00:00"), &before);
    assert_true(schedule_views_equal(&before, &view));
}

/* The clock has no say in it. */
static void a_trigger_opens_and_closes(void **state)
{
    struct schedule_trigger trigger = {0};
    const struct schedule s = {
        .trigger = &trigger, .from_ns = SCHEDULE_EVER, .until_ns = SCHEDULE_NEVER};
    static const struct row waiting[] = {
        {SCHEDULE_EVER, SCHEDULE_PLANNED, 0, NEVER, NEVER, NEVER},
        {5000, SCHEDULE_PLANNED, 0, NEVER, NEVER, NEVER},
    };
    static const struct row pulled[] = {
        {1500, SCHEDULE_ACTIVE, 100, NEVER, NEVER, NEVER},
        {NEVER - 1, SCHEDULE_ACTIVE, 100, NEVER, NEVER, NEVER},
    };
    struct schedule_view view;
    CHECK(&s, waiting);
    trigger = (struct schedule_trigger){.pulled = true, .since_ns = 1000};
    CHECK(&s, pulled);
    schedule_at(&s, 1500, &view);
    assert_int_equal(view.opened_ns, 1000);
    assert_true(view.gone_ns == NEVER);
    trigger.pulled = false;
    CHECK(&s, waiting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_window),
        cmocka_unit_test(a_trigger_opens_and_closes),
        cmocka_unit_test(windows_without_an_end_or_a_beginning),
        cmocka_unit_test(held_is_past_its_end),
        cmocka_unit_test(a_ramp_grows_and_shrinks_in_steps),
        cmocka_unit_test_setup_teardown(it_repeats, begin, end),
        cmocka_unit_test_setup_teardown(the_last_window_is_remembered, begin, end),
        cmocka_unit_test_setup_teardown(clocks_that_are_set, begin, end),
        cmocka_unit_test_setup_teardown(windows_that_a_gap_brings_together_are_one, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
