/* SPDX-License-Identifier: MIT */
/* RFC 5545, 3.3.10, read as questions about one day. */
#include "calendar_model.h"

/* 1: Monday. */
static int weekday_of(int64_t day)
{
    return (int)((day % 7 + 7 + 3) % 7) + 1;
}

static int64_t week_begin(int64_t day, int week_start)
{
    return day - (weekday_of(day) - week_start + 7) % 7;
}

static bool holds(const int *list, int value)
{
    for (; *list != 0; list++) {
        if (*list == value) {
            return true;
        }
    }
    return false;
}

/* From 1, and from -1 backwards. */
static bool holds_place(const int *list, int64_t place, int64_t count)
{
    return holds(list, (int)place) || holds(list, (int)(place - count - 1));
}

/* The first day of week 1: that with at least four days of the year. */
static int64_t first_week(int64_t year, int week_start)
{
    return week_begin(days_from_civil(year, 1, 4), week_start);
}

static bool in_weeks(const struct model_rule *rule, int64_t day)
{
    int64_t year = civil_from_days(day).year + 1;
    while (first_week(year, rule->week_start) > day) {
        year--;
    }
    int64_t begin = first_week(year, rule->week_start);
    int64_t weeks = (first_week(year + 1, rule->week_start) - begin) / 7;
    return holds_place(rule->week_numbers, (day - begin) / 7 + 1, weeks);
}

static bool in_days(const struct model_rule *rule, int64_t day)
{
    struct civil_date date = civil_from_days(day);
    bool of_month = rule->frequency == EVERY_MONTH || rule->months[0] != 0;
    int64_t begin = days_from_civil(date.year, of_month ? date.month : 1, 1);
    int64_t end = of_month ? days_from_civil(date.year, date.month + 1, 1)
                           : days_from_civil(date.year + 1, 1, 1);
    for (int i = 0; rule->days[i].weekday != 0; i++) {
        int number = rule->days[i].number;
        bool place = number == 0 || (number > 0 && (day - begin) / 7 + 1 == number) ||
                     (number < 0 && (end - 1 - day) / 7 + 1 == -number);
        if (rule->days[i].weekday == weekday_of(day) && place) {
            return true;
        }
    }
    return false;
}

/* What the first time gives where the rule says nothing of days. */
static bool is_like_start(const struct model_rule *rule, int64_t start_day, int64_t day)
{
    struct civil_date date = civil_from_days(day);
    struct civil_date start = civil_from_days(start_day);
    if (rule->month_days[0] != 0 || rule->year_days[0] != 0 || rule->days[0].weekday != 0) {
        return true;
    }
    if (rule->week_numbers[0] != 0 || rule->frequency == EVERY_WEEK) {
        return weekday_of(day) == weekday_of(start_day);
    }
    return rule->frequency == EVERY_DAY ||
           (date.day == start.day &&
            (rule->frequency == EVERY_MONTH || rule->months[0] != 0 || date.month == start.month));
}

static int64_t period_of(const struct model_rule *rule, int64_t day)
{
    struct civil_date date = civil_from_days(day);
    switch (rule->frequency) {
    case EVERY_DAY:
        return day;
    case EVERY_WEEK:
        return (week_begin(day, rule->week_start) + 7000000) / 7;
    case EVERY_MONTH:
        return date.year * 12 + date.month;
    case EVERY_YEAR:
        break;
    }
    return date.year;
}

static bool wants_day(const struct model_rule *rule, int64_t start_day, int64_t day)
{
    struct civil_date date = civil_from_days(day);
    int64_t year_begin = days_from_civil(date.year, 1, 1);
    int64_t year_days = days_from_civil(date.year + 1, 1, 1) - year_begin;
    int64_t month_days =
        days_from_civil(date.year, date.month + 1, 1) - days_from_civil(date.year, date.month, 1);
    int64_t periods = period_of(rule, day) - period_of(rule, start_day);
    return periods % rule->interval == 0 &&
           (rule->months[0] == 0 || holds(rule->months, (int)date.month)) &&
           (rule->month_days[0] == 0 || holds_place(rule->month_days, (int)date.day, month_days)) &&
           (rule->year_days[0] == 0 ||
            holds_place(rule->year_days, day - year_begin + 1, year_days)) &&
           (rule->week_numbers[0] == 0 || in_weeks(rule, day)) &&
           (rule->days[0].weekday == 0 || in_days(rule, day)) &&
           is_like_start(rule, start_day, day);
}

/* Whether it is one of the places that BYSETPOS chooses in its period, counted in times. */
static bool wants_place(const struct model_rule *rule, int64_t start_day, int64_t day, int time,
                        int times)
{
    int64_t before = 0;
    int64_t count = 0;
    if (rule->positions[0] == 0) {
        return true;
    }
    int64_t from = day;
    int64_t to = day;
    while (period_of(rule, from - 1) == period_of(rule, day)) {
        from--;
    }
    while (period_of(rule, to + 1) == period_of(rule, day)) {
        to++;
    }
    for (int64_t d = from; d <= to; d++) {
        if (wants_day(rule, start_day, d)) {
            before += d < day ? times : 0;
            count += times;
        }
    }
    return holds_place(rule->positions, before + time + 1, count);
}

size_t model_times(const struct model_rule *rule, int64_t start_s, int64_t day, int64_t end_day,
                   int64_t *out, size_t out_max)
{
    size_t count = 0;
    int64_t start_day = (start_s - (start_s % 86400 + 86400) % 86400) / 86400;
    int64_t start_time = start_s - start_day * 86400;
    int hours = rule->hours[0] < 0 ? 1 : rule->hours[1] < 0 ? 1 : 2;
    int minutes = rule->minutes[0] < 0 ? 1 : rule->minutes[1] < 0 ? 1 : 2;
    for (; day < end_day; day++) {
        if (day < start_day || !wants_day(rule, start_day, day)) {
            continue;
        }
        for (int i = 0; i < hours * minutes; i++) {
            int64_t hour = rule->hours[0] < 0 ? start_time / 3600 : rule->hours[i / minutes];
            int64_t minute =
                rule->minutes[0] < 0 ? start_time / 60 % 60 : rule->minutes[i % minutes];
            int64_t local_s = day * 86400 + hour * 3600 + minute * 60 + start_time % 60;
            if (local_s >= start_s && wants_place(rule, start_day, day, i, hours * minutes)) {
                assert_true(count < out_max);
                out[count++] = local_s;
            }
        }
    }
    return count;
}

/* ---- the same as text ---- */

static void put_list(const char *name, const int *list, int end, char **at, const char *limit)
{
    for (int i = 0; list[i] != end; i++) {
        *at += snprintf(*at, (size_t)(limit - *at), "%s%d", i == 0 ? name : ",", list[i]);
    }
}

void model_rule_text(const struct model_rule *rule, char *out, size_t size)
{
    static const char *const frequencies[] = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"};
    static const char names[] = "MOTUWETHFRSASU";
    const char *limit = out + size;
    out += snprintf(out, size, "FREQ=%s;INTERVAL=%d;WKST=%.2s", frequencies[rule->frequency],
                    rule->interval, names + 2 * (rule->week_start - 1));
    put_list(";BYMONTH=", rule->months, 0, &out, limit);
    put_list(";BYMONTHDAY=", rule->month_days, 0, &out, limit);
    put_list(";BYYEARDAY=", rule->year_days, 0, &out, limit);
    put_list(";BYWEEKNO=", rule->week_numbers, 0, &out, limit);
    put_list(";BYSETPOS=", rule->positions, 0, &out, limit);
    put_list(";BYHOUR=", rule->hours, -1, &out, limit);
    put_list(";BYMINUTE=", rule->minutes, -1, &out, limit);
    for (int i = 0; rule->days[i].weekday != 0; i++) {
        out += snprintf(out, (size_t)(limit - out), "%s", i == 0 ? ";BYDAY=" : ",");
        if (rule->days[i].number != 0) {
            out += snprintf(out, (size_t)(limit - out), "%d", rule->days[i].number);
        }
        out +=
            snprintf(out, (size_t)(limit - out), "%.2s", names + 2 * (rule->days[i].weekday - 1));
    }
}
