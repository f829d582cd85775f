/* SPDX-License-Identifier: MIT */
/* The schedule over 400 years of a dozen zones, against a model that walks day by day and asks
 * the C library what each clock shows; and that `next_ns` is exactly the next change.
 *
 *   test_schedule        some windows of each year
 *   test_schedule slow   each edge of each window */
#include "calendar_model.h"

#include <time.h>

static bool slow;

static const char *const zones[] = {
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin", /* its winter is the daylight time */
    "Europe/London",
    "America/New_York",
    "America/Anchorage", /* was on the other side of the date line */
    "America/Sao_Paulo", /* changed its clocks at midnight */
    "Asia/Kathmandu",
    "Asia/Manila",         /* has lived the 30 December 1844 never */
    "Africa/Casablanca",   /* a new time for Ramadan, and no rule for it */
    "Australia/Lord_Howe", /* by half an hour */
    "Pacific/Apia",        /* had no 30 December 2011 */
};

enum { first_year = 1850, years = 400, windows_max = 24000 };

/* ---- the model ---- */

static int64_t offset_at(int64_t utc_s)
{
    time_t at = (time_t)utc_s;
    struct tm parts;
    assert_non_null(localtime_r(&at, &parts));
    return parts.tm_gmtoff;
}

/* RFC 5545, 3.3.5, by trial: with the offset of two days before, and of two days after. In a gap
 * neither gives the local time back. */
static int64_t model_instant(int64_t local_s)
{
    int64_t before = offset_at(local_s - 2 * 86400);
    int64_t after = offset_at(local_s + 2 * 86400);
    int64_t early = local_s - before;
    int64_t late = local_s - after;
    if (early + offset_at(early) == local_s) {
        return early;
    }
    return late + offset_at(late) == local_s ? late : early;
}

struct model_windows {
    int64_t opens_s[windows_max];
    int64_t closes_s[windows_max];
    size_t count;
};

static int ascending(const void *left, const void *right)
{
    const int64_t *a = left;
    const int64_t *b = right;
    return (*a > *b) - (*a < *b);
}

static void make_windows(const struct model_rule *rule, int64_t start_s, int64_t length_s,
                         int64_t return_s, struct model_windows *out)
{
    static int64_t times[windows_max];
    int64_t day = days_from_civil(first_year, 1, 1);
    size_t count = model_times(rule, start_s, day, days_from_civil(first_year + years, 1, 1), times,
                               windows_max);
    for (size_t i = 0; i < count; i++) {
        times[i] = model_instant(times[i]);
    }
    qsort(times, count, sizeof(times[0]), ascending);
    out->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (out->count > 0 && times[i] <= out->closes_s[out->count - 1] + return_s) {
            out->closes_s[out->count - 1] = times[i] + length_s;
            continue;
        }
        out->opens_s[out->count] = times[i];
        out->closes_s[out->count++] = times[i] + length_s;
    }
}

/* ---- comparing ---- */

static void check_at(const char *zone, const struct schedule *s, const struct model_windows *model,
                     size_t i, int64_t now_ns, enum schedule_state state)
{
    struct schedule_view view;
    char texts[3][40];
    schedule_at(s, now_ns, &view);
    bool begun = state == SCHEDULE_ACTIVE || i > 0;
    size_t last = state == SCHEDULE_ACTIVE ? i : i - 1;
    size_t next = state == SCHEDULE_ACTIVE ? i + 1 : i;
    int64_t opened = begun ? model->opens_s[last] * NS_PER_SECOND : SCHEDULE_NEVER;
    int64_t closes = begun ? model->closes_s[last] * NS_PER_SECOND : SCHEDULE_NEVER;
    int64_t opens = model->opens_s[next] * NS_PER_SECOND;
    if (view.state != state || view.opened_ns != opened || view.closes_ns != closes ||
        view.opens_ns != opens) {
        fail_msg("%s at %s: %s, opened %s, closes %s, opens %lld", zone,
                 instant_text(now_ns, texts[0]), schedule_state_text(view.state),
                 instant_text(view.opened_ns, texts[1]), instant_text(view.closes_ns, texts[2]),
                 (long long)view.opens_ns);
    }
}

/* All that a window brings, in its order: each change is announced by the view before. */
static void check_changes(const struct schedule *s, int64_t from_ns, int64_t until_ns)
{
    struct schedule_view before;
    struct schedule_view view;
    schedule_at(s, from_ns, &before);
    while (before.next_ns < until_ns) {
        schedule_at(s, before.next_ns - 1, &view);
        assert_true(schedule_views_equal(&before, &view));
        schedule_at(s, before.next_ns, &view);
        assert_false(schedule_views_equal(&before, &view));
        /* Clients come where the view said so, and go where it said so. */
        assert_true(view.share_ppm <= before.share_ppm || before.joins_ns == before.next_ns);
        assert_true(view.share_ppm >= before.share_ppm || before.leaves_ns <= before.next_ns);
        before = view;
    }
}

struct lot {
    struct model_rule rule;
    int64_t hour, length_s, ramp_s, return_s;
};

static const struct lot lots[] = {
    {.rule = {.frequency = EVERY_WEEK,
              .interval = 1,
              .days = {{0, 7}},
              .hours = {-1},
              .minutes = {-1},
              .week_start = 1},
     .hour = 2,
     .length_s = 7200,
     .ramp_s = 600,
     .return_s = 1200},
    {.rule = {.frequency = EVERY_MONTH,
              .interval = 1,
              .days = {{-1, 7}, {2, 7}},
              .hours = {0, 2, -1},
              .minutes = {30, -1},
              .week_start = 1},
     .hour = 0,
     .length_s = 5400},
    {.rule = {.frequency = EVERY_YEAR,
              .interval = 1,
              .months = {3, 4, 10, 11},
              .days = {{1, 7}, {-1, 7}},
              .hours = {-1},
              .minutes = {-1},
              .week_start = 1},
     .hour = 1,
     .length_s = 86400,
     .return_s = 3600},
    {.rule =
         {.frequency = EVERY_DAY, .interval = 13, .hours = {-1}, .minutes = {-1}, .week_start = 1},
     .hour = 23,
     .length_s = 13 * 86400 - 1800},
};

static void check_lot(const char *name, const struct zone *zone, const struct lot *lot,
                      struct arena *arena)
{
    static struct model_windows model;
    char text[512];
    const char *reason;
    struct schedule s = {.ramp_ns = lot->ramp_s * NS_PER_SECOND,
                         .return_over_ns = lot->return_s * NS_PER_SECOND};
    struct recurrence_start start = {
        .local_s = days_from_civil(first_year, 1, 1) * 86400 + lot->hour * 3600, .zone = zone};
    int64_t from_s;
    zone_resolve(zone, start.local_s, &from_s);
    s.from_ns = from_s * NS_PER_SECOND;
    s.until_ns = s.from_ns + lot->length_s * NS_PER_SECOND;
    model_rule_text(&lot->rule, text, sizeof(text));
    assert_int_equal(recurrence_read(span_cstr(text), &start, arena, &s.repeat, &reason), ERR_NONE);
    make_windows(&lot->rule, start.local_s, lot->length_s, lot->return_s, &model);
    assert_true(model.count > 100);
    size_t step = slow ? 1 : 7;
    for (size_t i = 1; i + 1 < model.count; i += step) {
        int64_t opens = model.opens_s[i] * NS_PER_SECOND;
        int64_t closes = model.closes_s[i] * NS_PER_SECOND;
        enum schedule_state gap = SCHEDULE_PLANNED;
        check_at(name, &s, &model, i, opens - 1, gap);
        check_at(name, &s, &model, i, opens, SCHEDULE_ACTIVE);
        check_at(name, &s, &model, i, closes - 1, SCHEDULE_ACTIVE);
        check_at(name, &s, &model, i + 1, closes + s.return_over_ns, gap);
        if (i % 50 == 1) {
            check_changes(&s, opens - 1, model.opens_s[i + 1] * NS_PER_SECOND + 1);
        }
    }
}

static void four_hundred_years(void **state)
{
    for (size_t i = 0; i < sizeof(zones) / sizeof(*zones); i++) {
        struct arena arena;
        arena_init(&arena, 0);
        const struct zone *zone = zone_named(&arena, zones[i]);
        assert_non_null(zone);
        setenv("TZ", zones[i], 1);
        tzset();
        for (size_t k = 0; k < sizeof(lots) / sizeof(*lots); k++) {
            if (slow || (i + k) % 2 == 0) {
                check_lot(zones[i], zone, &lots[k], &arena);
            }
        }
        arena_fini(&arena);
    }
}

int main(int argc, char **argv)
{
    slow = argc > 1 && strcmp(argv[1], "slow") == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_hundred_years),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
