/* SPDX-License-Identifier: MIT */
/* Days to dates and back. */
#include "base/calendar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

static void known_days(void **state)
{
    static const struct {
        int64_t days;
        struct civil_date date;
    } rows[] = {
        {0, {1970, 1, 1}},     {-1, {1969, 12, 31}},    {11016, {2000, 2, 29}},
        {11017, {2000, 3, 1}}, {20786, {2026, 11, 29}}, {47540, {2100, 2, 28}},
        {47541, {2100, 3, 1}}, {-719468, {0, 3, 1}},    {-719469, {0, 2, 29}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct civil_date date = civil_from_days(rows[i].days);
        assert_int_equal(date.year, rows[i].date.year);
        assert_int_equal(date.month, rows[i].date.month);
        assert_int_equal(date.day, rows[i].date.day);
    }
}

static bool is_next(struct civil_date day, struct civil_date next)
{
    if (next.day != 1) {
        return next.year == day.year && next.month == day.month && next.day == day.day + 1;
    }
    bool january = next.month == 1 && next.year == day.year + 1 && day.month == 12;
    return day.day >= 28 && (january || (next.year == day.year && next.month == day.month + 1));
}

/* Each day of two eras follows the one before, and has its number again. */
static void there_and_back(void **state)
{
    struct civil_date before = civil_from_days(-146097);
    for (int64_t day = -146096; day <= 146097; day++) {
        struct civil_date date = civil_from_days(day);
        assert_true(is_next(before, date));
        assert_int_equal(days_from_civil(date.year, date.month, date.day), day);
        before = date;
    }
}

static void a_thirteenth_month(void **state)
{
    for (int64_t year = -3; year < 2200; year++) {
        assert_int_equal(days_from_civil(year, 13, 1), days_from_civil(year + 1, 1, 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_days),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(a_thirteenth_month),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
