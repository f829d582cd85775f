/* SPDX-License-Identifier: MIT */
/* Local times, period by period, and their instants. */
#include "schedule/recurrence.h"

#include "base/calendar.h"
#include "base/clock.h"
#include "schedule/rrule.h"

/* The end of time, in the year 2261: instants with years added still fit. */
static const int64_t local_max_s = INT64_C(9200000000);

enum {
    spacing_looks_max = 400,
    spacing_days = 9 * 366, /* two leap days */
};

struct recurrence {
    struct recurrence_start start;
    int32_t offset_min, offset_max;
    int64_t step_s; /* of a frequency below a day; 0: the rule */
    struct rrule rule;
    int64_t first_period;
    const int32_t *times; /* of a day, in seconds, ascending */
    size_t time_count;
    int64_t last_local_s; /* inclusive */
    int64_t last_utc_s;
    int64_t first_ns;
};

static int64_t floor_div(int64_t number, int64_t by)
{
    return (number >= 0 ? number : number - (by - 1)) / by;
}

/* 0: Monday; 1970-01-01 was a Thursday. */
static unsigned weekday_of(int64_t day)
{
    return (unsigned)(day + 3 - floor_div(day + 3, 7) * 7);
}

/* ---- whether a day is wanted ---- */

/* A day in its month and its year; places count from 1. */
struct day_places {
    int64_t year;
    int in_month, month_days;
    int in_year, year_days;
    unsigned weekday;
};

static struct day_places places_of(int64_t day)
{
    struct civil_date date = civil_from_days(day);
    int64_t month_begin = days_from_civil(date.year, date.month, 1);
    int64_t year_begin = days_from_civil(date.year, 1, 1);
    return (struct day_places){
        .year = date.year,
        .in_month = (int)date.day,
        .month_days = (int)(days_from_civil(date.year, date.month + 1, 1) - month_begin),
        .in_year = (int)(day - year_begin) + 1,
        .year_days = (int)(days_from_civil(date.year + 1, 1, 1) - year_begin),
        .weekday = weekday_of(day)};
}

static bool places_hold(const struct rrule_places *places, int place, int count)
{
    return ((places->forward >> place | places->backward >> (count + 1 - place)) & 1) != 0;
}

static bool list_holds(const struct rrule_list *list, int place, int count)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i] == place || list->items[i] == place - count - 1) {
            return true;
        }
    }
    return false;
}

/* Week 1 is the first with four days of the year. */
static int64_t first_week(int64_t year, unsigned week_start)
{
    int64_t fourth = days_from_civil(year, 1, 4);
    return fourth - (weekday_of(fourth) + 7 - week_start) % 7;
}

static bool week_holds(const struct rrule *rule, int64_t day, int64_t year)
{
    int64_t begin = first_week(year, rule->week_start);
    int64_t end = first_week(year + 1, rule->week_start);
    if (day < begin) {
        end = begin;
        begin = first_week(year - 1, rule->week_start);
    } else if (day >= end) {
        begin = end;
        end = first_week(year + 2, rule->week_start);
    }
    return places_hold(&rule->weeks, (int)((day - begin) / 7) + 1, (int)((end - begin) / 7));
}

/* Of 1SU and -1SU: the first and the last one of the month, or of the year. */
static bool weekday_holds(const struct rrule *rule, const struct day_places *at)
{
    bool of_month = rule->frequency == RRULE_MONTHLY || rule->months != 0;
    int place = of_month ? at->in_month : at->in_year;
    int count = of_month ? at->month_days : at->year_days;
    const struct rrule_list *numbers = &rule->numbered_days[at->weekday];
    int before = (place - 1) / 7;
    int after = (count - place) / 7;
    return (rule->weekdays >> at->weekday & 1) != 0 ||
           list_holds(numbers, before + 1, before + after + 1);
}

/* The day of the week and the month say no to most days, and cost least. */
static bool wants_day(const struct rrule *rule, int64_t day)
{
    unsigned weekday = weekday_of(day);
    bool any_weekday = rule->weekdays == 0 && !rule->numbered;
    bool listed = (rule->weekdays >> weekday & 1) != 0 || rule->numbered_days[weekday].count > 0;
    if (!any_weekday && !listed) {
        return false;
    }
    if (rule->months != 0 && (rule->months >> civil_from_days(day).month & 1) == 0) {
        return false;
    }
    struct day_places at = places_of(day);
    return ((rule->month_days.forward | rule->month_days.backward) == 0 ||
            places_hold(&rule->month_days, at.in_month, at.month_days)) &&
           (rule->year_days.count == 0 || list_holds(&rule->year_days, at.in_year, at.year_days)) &&
           (any_weekday || weekday_holds(rule, &at)) &&
           ((rule->weeks.forward | rule->weeks.backward) == 0 || week_holds(rule, day, at.year));
}

/* ---- periods ---- */

static int64_t period_of(const struct rrule *rule, int64_t day)
{
    struct civil_date date;
    switch (rule->frequency) {
    case RRULE_WEEKLY:
        return floor_div(day + 3 - rule->week_start, 7);
    case RRULE_MONTHLY:
        date = civil_from_days(day);
        return date.year * 12 + date.month - 1;
    case RRULE_YEARLY:
        return civil_from_days(day).year;
    default:
        return day;
    }
}

static int64_t period_begin(const struct rrule *rule, int64_t period)
{
    switch (rule->frequency) {
    case RRULE_WEEKLY:
        return period * 7 - 3 + rule->week_start;
    case RRULE_MONTHLY:
        return days_from_civil(floor_div(period, 12),
                               (unsigned)(period - floor_div(period, 12) * 12) + 1, 1);
    case RRULE_YEARLY:
        return days_from_civil(period, 1, 1);
    default:
        return period;
    }
}

/* BYSETPOS: places among all times of the period, ascending, each once. */
static void choose_places(struct recurrence_walk *walk)
{
    const struct recurrence *r = walk->recurrence;
    const struct rrule_list *positions = &r->rule.positions;
    size_t count = walk->day_count * r->time_count;
    walk->place_count = 0;
    for (size_t k = 0; k < positions->count; k++) {
        int number = positions->items[k];
        size_t from_end = number < 0 ? (size_t)-number : 0;
        size_t place = number > 0 ? (size_t)number - 1 : count - from_end;
        if (from_end > count || place >= count) {
            continue;
        }
        size_t i = walk->place_count;
        while (i > 0 && walk->places[i - 1] >= place) {
            i--;
        }
        if (i < walk->place_count && walk->places[i] == place) {
            continue;
        }
        memmove(&walk->places[i + 1], &walk->places[i],
                (walk->place_count - i) * sizeof(walk->places[0]));
        walk->places[i] = place;
        walk->place_count++;
    }
}

static void enter_period(struct recurrence_walk *walk, int64_t period)
{
    const struct rrule *rule = &walk->recurrence->rule;
    walk->period = period;
    walk->first_day = period_begin(rule, period);
    walk->day_count = 0;
    walk->next = 0;
    int64_t end = period_begin(rule, period + 1);
    for (int64_t day = walk->first_day; day < end; day++) {
        if (wants_day(rule, day)) {
            walk->days[walk->day_count++] = (uint16_t)(day - walk->first_day);
        }
    }
    if (rule->positions.count > 0) {
        choose_places(walk);
    }
}

static bool next_of_period(struct recurrence_walk *walk, int64_t *out)
{
    const struct recurrence *r = walk->recurrence;
    bool chosen = r->rule.positions.count > 0;
    size_t count = chosen ? walk->place_count : walk->day_count * r->time_count;
    if (walk->next >= count) {
        return false;
    }
    size_t place = chosen ? walk->places[walk->next] : walk->next;
    int64_t day = walk->first_day + walk->days[place / r->time_count];
    *out = day * seconds_per_day + r->times[place % r->time_count];
    walk->next++;
    return true;
}

/* ---- walking ---- */

/* The first of so many steps from begin that is not before at. */
static int64_t step_up(int64_t begin, int64_t step, int64_t at)
{
    return at > begin ? begin + (at - begin + step - 1) / step * step : begin;
}

static void walk_from(struct recurrence_walk *walk, const struct recurrence *r, int64_t after_s)
{
    walk->recurrence = r;
    walk->local_s = 0;
    walk->next = 0;
    walk->day_count = 0;
    walk->place_count = 0;
    walk->after_s = after_s > r->start.local_s ? after_s : r->start.local_s;
    if (r->step_s > 0) {
        walk->local_s = step_up(r->start.local_s, r->step_s, walk->after_s);
    } else {
        int64_t period = period_of(&r->rule, floor_div(walk->after_s, seconds_per_day));
        enter_period(walk, step_up(r->first_period, r->rule.interval, period));
    }
}

/* The next local time that the rule gives. */
static bool next_local(struct recurrence_walk *walk, int64_t *out)
{
    const struct recurrence *r = walk->recurrence;
    int64_t local_s = walk->local_s;
    if (r->step_s > 0) {
        walk->local_s += r->step_s;
    } else {
        do {
            while (!next_of_period(walk, &local_s)) {
                if (walk->first_day > local_max_s / seconds_per_day) {
                    return false;
                }
                enter_period(walk, walk->period + r->rule.interval);
            }
        } while (local_s < walk->after_s);
    }
    *out = local_s;
    return local_s <= local_max_s && local_s <= r->last_local_s;
}

static enum local_kind instant_of(const struct recurrence *r, int64_t local_s, int64_t *utc_s)
{
    if (r->start.zone != NULL) {
        return zone_resolve(r->start.zone, local_s, utc_s);
    }
    *utc_s = local_s - r->start.offset_s;
    return LOCAL_ONCE;
}

bool recurrence_next(struct recurrence_walk *walk, int64_t *ns_out, int64_t *bound_out)
{
    const struct recurrence *r = walk->recurrence;
    int64_t local_s;
    int64_t utc_s;
    do {
        if (!next_local(walk, &local_s)) {
            return false;
        }
        /* Only what lies in a gap may be later than what follows. */
        bool gap = instant_of(r, local_s, &utc_s) == LOCAL_GAP;
        int64_t bound_s = gap ? local_s - r->offset_max : utc_s;
        if (bound_s > r->last_utc_s) {
            return false;
        }
        *bound_out = bound_s * NS_PER_SECOND + r->start.fraction_ns;
    } while (utc_s > r->last_utc_s);
    *ns_out = utc_s * NS_PER_SECOND + r->start.fraction_ns;
    return true;
}

void recurrence_walk_init(struct recurrence_walk *walk, const struct recurrence *r, int64_t from_ns)
{
    int64_t from_s = floor_div(from_ns, NS_PER_SECOND) - 1; /* the fraction may reach over */
    walk_from(walk, r, from_s + r->offset_min);
}

/* ---- reading ---- */

static int64_t step_of(const struct rrule *rule)
{
    switch (rule->frequency) {
    case RRULE_SECONDLY:
        return rule->interval;
    case RRULE_MINUTELY:
        return rule->interval * 60;
    case RRULE_HOURLY:
        return rule->interval * 3600;
    default:
        return 0;
    }
}

/* What the rule leaves out is as in the first time. */
static void fill_days(struct rrule *rule, int64_t start_day)
{
    struct civil_date date = civil_from_days(start_day);
    bool month_days = (rule->month_days.forward | rule->month_days.backward) != 0;
    bool weeks = (rule->weeks.forward | rule->weeks.backward) != 0;
    bool days = month_days || rule->year_days.count > 0 || rule->weekdays != 0 || rule->numbered;
    if (days || rule->frequency == RRULE_DAILY) {
        return;
    }
    if (weeks || rule->frequency == RRULE_WEEKLY) {
        rule->weekdays = UINT64_C(1) << weekday_of(start_day);
        return;
    }
    rule->month_days.forward = UINT64_C(1) << date.day;
    if (rule->frequency == RRULE_YEARLY && rule->months == 0) {
        rule->months = UINT64_C(1) << date.month;
    }
}

static enum err fill_times(struct recurrence *r, struct arena *arena)
{
    int64_t day = floor_div(r->start.local_s, seconds_per_day);
    int64_t second = r->start.local_s - day * seconds_per_day;
    uint64_t hours = r->rule.hours != 0 ? r->rule.hours : UINT64_C(1) << second / 3600;
    uint64_t minutes = r->rule.minutes != 0 ? r->rule.minutes : UINT64_C(1) << second / 60 % 60;
    uint64_t seconds = r->rule.seconds != 0 ? r->rule.seconds : UINT64_C(1) << second % 60;
    int32_t *times = arena_array(arena, recurrence_times_max, sizeof(*times));
    if (times == NULL) {
        return ERR_MEMORY;
    }
    for (uint64_t h = hours; h != 0; h &= h - 1) {
        for (uint64_t m = minutes; m != 0; m &= m - 1) {
            for (uint64_t s = seconds; s != 0; s &= s - 1) {
                times[r->time_count++] =
                    __builtin_ctzll(h) * 3600 + __builtin_ctzll(m) * 60 + __builtin_ctzll(s);
            }
        }
    }
    r->times = times;
    return ERR_NONE;
}

/* The local time of the last one of so many. */
static void end_by_count(struct recurrence *r, int64_t count)
{
    struct recurrence_walk walk;
    int64_t local_s = r->start.local_s;
    walk_from(&walk, r, local_s);
    for (int64_t i = 0; i < count && next_local(&walk, &local_s);) {
        i++;
    }
    r->last_local_s = local_s;
}

static void set_start(struct recurrence *r, const struct recurrence_start *start)
{
    r->start = *start;
    r->offset_min = start->offset_s;
    r->offset_max = start->offset_s;
    if (start->zone != NULL) {
        zone_offsets(start->zone, &r->offset_min, &r->offset_max);
    }
}

static enum err prepare(struct recurrence *r, struct arena *arena)
{
    struct rrule *rule = &r->rule;
    int64_t start_day = floor_div(r->start.local_s, seconds_per_day);
    r->step_s = step_of(rule);
    fill_days(rule, start_day);
    r->first_period = period_of(rule, start_day);
    r->last_local_s = rule->until == RRULE_UNTIL_LOCAL ? rule->until_s : INT64_MAX;
    r->last_utc_s = rule->until == RRULE_UNTIL_UTC ? rule->until_s : INT64_MAX;
    enum err err = fill_times(r, arena);
    if (err == ERR_NONE && rule->count > 0) {
        end_by_count(r, rule->count);
    }
    return err;
}

enum err recurrence_read(struct span text, const struct recurrence_start *start,
                         struct arena *arena, const struct recurrence **out,
                         const char **reason_out)
{
    *reason_out = "out of memory";
    struct recurrence *r = arena_alloc(arena, sizeof(*r));
    enum err err = r != NULL ? rrule_read(text, arena, &r->rule, reason_out) : ERR_MEMORY;
    if (err != ERR_NONE) {
        return err;
    }
    set_start(r, start);
    err = prepare(r, arena);
    if (err != ERR_NONE) {
        return err;
    }
    struct recurrence_walk walk;
    int64_t bound;
    walk_from(&walk, r, r->start.local_s);
    if (!recurrence_next(&walk, &r->first_ns, &bound)) {
        *reason_out = "it never occurs";
        return ERR_NOTFOUND;
    }
    *out = r;
    return ERR_NONE;
}

int64_t recurrence_first_ns(const struct recurrence *r)
{
    return r->first_ns;
}

int64_t recurrence_period_ns(const struct recurrence *r)
{
    static const int64_t days[] = {
        [RRULE_DAILY] = 1, [RRULE_WEEKLY] = 7, [RRULE_MONTHLY] = 31, [RRULE_YEARLY] = 366};
    const int64_t seconds_max = INT64_MAX / NS_PER_SECOND / 4;
    int64_t seconds =
        r->step_s > 0 ? r->step_s : days[r->rule.frequency] * seconds_per_day * r->rule.interval;
    return (seconds < seconds_max ? seconds : seconds_max) * NS_PER_SECOND;
}

int64_t recurrence_spacing_ns(const struct recurrence *r)
{
    struct recurrence_walk walk;
    int64_t before;
    int64_t local_s;
    int64_t shortest = INT64_MAX;
    walk_from(&walk, r, r->start.local_s);
    if (!next_local(&walk, &before)) {
        return INT64_MAX;
    }
    int64_t end_s = before + (int64_t)spacing_days * seconds_per_day;
    for (int i = 0; i < spacing_looks_max && before < end_s && next_local(&walk, &local_s); i++) {
        shortest = local_s - before < shortest ? local_s - before : shortest;
        before = local_s;
    }
    return shortest == INT64_MAX ? INT64_MAX : shortest * NS_PER_SECOND;
}
