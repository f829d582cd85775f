/* SPDX-License-Identifier: MIT */
/* Which rules are read, why the others are not, and the instants that they give. */
#include "clocks.h"

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

/* ---- instants ---- */

/* The instants that stand in the list, separated by spaces; "." at its end: no more. */
static void same_instants(const char *rule, const struct recurrence *r, const char *list)
{
    struct recurrence_walk walk;
    int64_t ns;
    int64_t bound;
    char text[40];
    recurrence_walk_init(&walk, r, recurrence_first_ns(r));
    for (const char *at = list; *at != 0; at += strcspn(at, " ") + (at[strcspn(at, " ")] == ' ')) {
        bool more = recurrence_next(&walk, &ns, &bound);
        if (more != (*at != '.')) {
            fail_msg("%s: %s at %s", rule, more ? "goes on" : "ends", at);
        }
        if (more && (ns != instant(at) || bound > ns)) {
            fail_msg("%s: %s, not %s", rule, instant_text(ns, text), at);
        }
    }
}

/* All of them UTC, so that a clock that is set is told by both of its instants. */
static const struct {
    const char *zone, *from, *rule, *instants;
} given[] = {
    {"UTC", "2026-12-01T02:00:00", "FREQ=WEEKLY;BYDAY=SU",
     "2026-12-06T02:00:00 2026-12-13T02:00:00 2026-12-20T02:00:00"},
    {"UTC", "2026-12-01T02:00:00", "RRULE:freq=weekly", "2026-12-01T02:00:00 2026-12-08T02:00:00"},
    {"UTC", "2026-12-01T02:00:00", "FREQ=DAILY;COUNT=2",
     "2026-12-01T02:00:00 2026-12-02T02:00:00 ."},
    {"UTC", "2026-12-01T02:00:00", "FREQ=DAILY;INTERVAL=10;UNTIL=20261211",
     "2026-12-01T02:00:00 2026-12-11T02:00:00 ."},
    {"UTC", "2026-12-01T02:00:00", "FREQ=DAILY;UNTIL=20261202T020000Z",
     "2026-12-01T02:00:00 2026-12-02T02:00:00 ."},
    {"UTC", "2026-12-01T02:00:00", "FREQ=DAILY;UNTIL=20261202T015959Z", "2026-12-01T02:00:00 ."},
    /* The day before in UTC is still the day in New York. */
    {"America/New_York", "2026-12-01T23:00:00", "FREQ=DAILY;UNTIL=20261202",
     "2026-12-02T04:00:00 2026-12-03T04:00:00 ."},
    {"UTC", "2026-12-01T02:00:00", "FREQ=MONTHLY;BYDAY=-1FR",
     "2026-12-25T02:00:00 2027-01-29T02:00:00 2027-02-26T02:00:00"},
    {"UTC", "2027-01-31T02:00:00", "FREQ=MONTHLY",
     "2027-01-31T02:00:00 2027-03-31T02:00:00 2027-05-31T02:00:00"},
    {"UTC", "2024-02-29T02:00:00", "FREQ=YEARLY", "2024-02-29T02:00:00 2028-02-29T02:00:00"},
    {"UTC", "2026-12-01T02:00:00", "FREQ=DAILY;BYHOUR=2,14;BYMINUTE=0,30;COUNT=5",
     "2026-12-01T02:00:00 2026-12-01T02:30:00 2026-12-01T14:00:00 2026-12-01T14:30:00 "
     "2026-12-02T02:00:00 ."},
    {"UTC", "2026-12-01T02:00:00", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
     "2026-12-31T02:00:00 2027-01-29T02:00:00"},
    {"UTC", "2026-12-01T02:00:00", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=MO",
     "2026-12-01T02:00:00 2026-12-06T02:00:00 2026-12-15T02:00:00 2026-12-20T02:00:00"},
    {"UTC", "2026-12-01T02:00:00", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU",
     "2026-12-01T02:00:00 2026-12-13T02:00:00 2026-12-15T02:00:00 2026-12-27T02:00:00"},
    {"UTC", "2026-12-01T02:00:00", "FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO",
     "2027-01-04T02:00:00 2028-01-03T02:00:00 2029-01-01T02:00:00 2029-12-31T02:00:00"},
    {"UTC", "2026-12-01T02:00:00", "FREQ=YEARLY;BYYEARDAY=-1",
     "2026-12-31T02:00:00 2027-12-31T02:00:00"},
    {"UTC", "2026-12-01T02:00:00", "FREQ=HOURLY;INTERVAL=36",
     "2026-12-01T02:00:00 2026-12-02T14:00:00"},
    {"UTC", "2026-12-01T02:00:00", "FREQ=MINUTELY;INTERVAL=90;COUNT=2",
     "2026-12-01T02:00:00 2026-12-01T03:30:00 ."},
    {"UTC", "2026-12-01T02:00:00", "FREQ=SECONDLY;INTERVAL=4",
     "2026-12-01T02:00:00 2026-12-01T02:00:04"},
    /* Every day at the same time of the clock, whatever that is in UTC. */
    {"Europe/Berlin", "2026-10-24T02:00:00", "FREQ=DAILY",
     "2026-10-24T00:00:00 2026-10-25T00:00:00 2026-10-26T01:00:00"},
    /* The gap: 02:30 on 8 March is not there, and is 07:30 UTC, 03:30 on the new clock. */
    {"America/New_York", "2026-03-07T02:30:00", "FREQ=DAILY",
     "2026-03-07T07:30:00 2026-03-08T07:30:00 2026-03-09T06:30:00"},
    {"Europe/Berlin", "2026-03-28T02:30:00", "FREQ=DAILY",
     "2026-03-28T01:30:00 2026-03-29T01:30:00 2026-03-30T00:30:00"},
    /* The overlap: 01:30 on 1 November is 05:30 UTC and again 06:30; the first is meant. */
    {"America/New_York", "2026-10-31T01:30:00", "FREQ=DAILY",
     "2026-10-31T05:30:00 2026-11-01T05:30:00 2026-11-02T06:30:00"},
    {"Europe/Berlin", "2026-10-24T02:30:00", "FREQ=DAILY",
     "2026-10-24T00:30:00 2026-10-25T00:30:00 2026-10-26T01:30:00"},
    /* A gap of half an hour, and a day that is not there at all. */
    {"Australia/Lord_Howe", "2026-10-03T02:15:00", "FREQ=DAILY",
     "2026-10-02T15:45:00 2026-10-03T15:45:00 2026-10-04T15:15:00"},
    {"Pacific/Apia", "2011-12-29T12:00:00", "FREQ=DAILY",
     "2011-12-29T22:00:00 2011-12-30T22:00:00 2011-12-30T22:00:00 2011-12-31T22:00:00"},
    /* In a gap the order of the clock is not that of time. */
    {"America/New_York", "2026-03-08T01:30:00", "FREQ=MINUTELY;INTERVAL=45",
     "2026-03-08T06:30:00 2026-03-08T07:15:00 2026-03-08T07:00:00 2026-03-08T07:45:00"},
    {"America/New_York", "2026-11-01T00:30:00", "FREQ=HOURLY",
     "2026-11-01T04:30:00 2026-11-01T05:30:00 2026-11-01T07:30:00"},
};

static void rules_give_instants(void **state)
{
    for (size_t i = 0; i < sizeof(given) / sizeof(*given); i++) {
        const struct recurrence *r;
        const char *reason;
        struct recurrence_start start = {.local_s = clock_s(given[i].from),
                                         .zone = zone_named(&arena, given[i].zone)};
        assert_non_null(start.zone);
        enum err err = recurrence_read(span_cstr(given[i].rule), &start, &arena, &r, &reason);
        if (err != ERR_NONE) {
            fail_msg("%s: %s", given[i].rule, reason);
        }
        same_instants(given[i].rule, r, given[i].instants);
    }
}

/* ---- refusals ---- */

static void rules_are_refused_with_a_reason(void **state)
{
    static const struct {
        const char *rule;
        enum err err;
        const char *reason;
    } rows[] = {
        {"", ERR_SYNTAX, "a rule has up to 512 bytes"},
        {"WEEKLY", ERR_SYNTAX, "`WEEKLY` is not a part"},
        {"FREQ=WEEKLY;", ERR_SYNTAX, "`` is not a part"},
        {"BYDAY=SU", ERR_SYNTAX, "it has no FREQ"},
        {"FREQ=SOMETIMES", ERR_SYNTAX, "FREQ is one of DAILY"},
        {"FREQ=DAILY;FREQ=DAILY", ERR_SYNTAX, "FREQ stands there twice"},
        {"FREQ=WEEKLY;BYDAY=SUN", ERR_SYNTAX, "BYDAY is a list of days"},
        {"FREQ=WEEKLY;BYDAY=", ERR_SYNTAX, "BYDAY is a list of days"},
        {"FREQ=WEEKLY;BYDAY=MO,", ERR_SYNTAX, "BYDAY is a list of days"},
        {"FREQ=WEEKLY;BYDAY=1SU", ERR_SYNTAX, "a number before a day"},
        {"FREQ=MONTHLY;BYDAY=54SU", ERR_SYNTAX, "BYDAY is a list of days"},
        {"FREQ=DAILY;BYHOUR=24", ERR_RANGE, "BYHOUR is a list of numbers from 0 to 23"},
        {"FREQ=DAILY;BYHOUR=-1", ERR_RANGE, "BYHOUR is a list of numbers from 0 to 23"},
        {"FREQ=MONTHLY;BYMONTHDAY=0", ERR_RANGE, "from 1 to 31, or as many below 0"},
        {"FREQ=DAILY;INTERVAL=0", ERR_RANGE, "INTERVAL is a number from 1 to 10000"},
        {"FREQ=DAILY;COUNT=0", ERR_RANGE, "COUNT is a number from 1 to 10000"},
        {"FREQ=DAILY;COUNT=3;UNTIL=20300101", ERR_SYNTAX, "COUNT and UNTIL exclude"},
        {"FREQ=DAILY;UNTIL=2030-01-01", ERR_SYNTAX, "UNTIL is written like"},
        {"FREQ=DAILY;UNTIL=20301301", ERR_SYNTAX, "UNTIL is written like"},
        {"FREQ=DAILY;BYSETPOS=1", ERR_SYNTAX, "BYSETPOS needs another"},
        {"FREQ=HOURLY;BYDAY=SU", ERR_RANGE, "write FREQ=DAILY with BYHOUR and BYMINUTE"},
        {"FREQ=WEEKLY;BYMONTHDAY=1", ERR_RANGE, "BYMONTHDAY does not go with FREQ=WEEKLY"},
        {"FREQ=MONTHLY;BYWEEKNO=1", ERR_RANGE, "BYWEEKNO does not go with FREQ=MONTHLY"},
        {"FREQ=DAILY;RSCALE=CHINESE", ERR_SYNTAX, "`RSCALE=CHINESE` is not a part"},
        {"FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23;"
         "BYMINUTE=0,1,2,3,4,5,6,7,8;BYSECOND=0,1,2,3,4,5,6",
         ERR_RANGE, "more than 1440 times a day"},
        {"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", ERR_NOTFOUND, "it never occurs"},
        {"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", ERR_NOTFOUND, "it never occurs"},
        {"FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6", ERR_NOTFOUND, "it never occurs"},
        {"FREQ=DAILY;UNTIL=20251231", ERR_NOTFOUND, "it never occurs"},
    };
    struct recurrence_start start = {.local_s = clock_s("2026-12-01T02:00:00")};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct recurrence *r;
        const char *reason;
        enum err err = recurrence_read(span_cstr(rows[i].rule), &start, &arena, &r, &reason);
        if (err != rows[i].err || strstr(reason, rows[i].reason) == NULL) {
            fail_msg("%s: %s, %s", rows[i].rule, err_text(err), reason);
        }
    }
}

static void spacing_is_the_shortest(void **state)
{
    static const struct {
        const char *rule;
        int64_t days;
    } rows[] = {
        {"FREQ=DAILY", 1},    {"FREQ=MONTHLY", 28},      {"FREQ=WEEKLY;BYDAY=MO,WE", 2},
        {"FREQ=YEARLY", 365}, {"FREQ=DAILY;COUNT=1", 0},
    };
    struct recurrence_start start = {.local_s = clock_s("2026-12-01T02:00:00")};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct recurrence *r;
        const char *reason;
        assert_int_equal(recurrence_read(span_cstr(rows[i].rule), &start, &arena, &r, &reason),
                         ERR_NONE);
        int64_t wanted = rows[i].days * seconds_per_day * NS_PER_SECOND;
        assert_int_equal(recurrence_spacing_ns(r), wanted > 0 ? wanted : INT64_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rules_give_instants, begin, end),
        cmocka_unit_test_setup_teardown(rules_are_refused_with_a_reason, begin, end),
        cmocka_unit_test_setup_teardown(spacing_is_the_shortest, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
