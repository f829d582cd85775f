/* SPDX-License-Identifier: MIT */
/* Local times from libical, or from plain steps, and their instants. */
#include "schedule/recurrence.h"

#include "base/calendar.h"
#include "base/clock.h"
#include "schedule/rrule.h"

#include <libical/ical.h>

/* The end of time, so that instants with some years added fit: in the year 2261. */
static const int64_t local_max_s = INT64_C(9200000000);

enum {
    spacing_looks_max = 400,
    spacing_years = 9, /* two leap days */
};

struct recurrence {
    struct recurrence_start start;
    int32_t offset_min, offset_max;
    int64_t step_s;                 /* of a frequency below a day; 0: */
    struct icalrecurrencetype rule; /* without its end */
    int64_t last_local_s;           /* inclusive; INT64_MAX */
    int64_t last_utc_s;
    int64_t first_ns;
};

static int64_t floor_div(int64_t number, int64_t by)
{
    return (number >= 0 ? number : number - (by - 1)) / by;
}

static struct icaltimetype to_ical(int64_t local_s)
{
    int64_t days = floor_div(local_s, seconds_per_day);
    int64_t second = local_s - days * seconds_per_day;
    struct civil_date date = civil_from_days(days);
    return (struct icaltimetype){.year = (int)date.year,
                                 .month = (int)date.month,
                                 .day = (int)date.day,
                                 .hour = (int)(second / 3600),
                                 .minute = (int)(second / 60 % 60),
                                 .second = (int)(second % 60)};
}

static int64_t from_ical(const struct icaltimetype *t)
{
    return days_from_civil(t->year, (unsigned)t->month, (unsigned)t->day) * seconds_per_day +
           (int64_t)t->hour * 3600 + (int64_t)t->minute * 60 + t->second;
}

/* ---- walking ---- */

static int64_t plain_step_at(const struct recurrence *r, int64_t local_s)
{
    int64_t since = local_s - r->start.local_s;
    int64_t steps = since > 0 ? (since + r->step_s - 1) / r->step_s : 0;
    return r->start.local_s + steps * r->step_s;
}

static enum err walk_from(struct recurrence_walk *walk, const struct recurrence *r, int64_t after_s)
{
    *walk = (struct recurrence_walk){.recurrence = r, .after_s = after_s};
    if (r->step_s > 0) {
        walk->local_s = plain_step_at(r, after_s);
        return ERR_NONE;
    }
    walk->iterator = icalrecur_iterator_new(r->rule, to_ical(r->start.local_s));
    if (walk->iterator == NULL) {
        return ERR_MEMORY;
    }
    if (after_s > r->start.local_s && after_s <= local_max_s) {
        icalrecur_iterator_set_start(walk->iterator, to_ical(after_s));
    }
    return ERR_NONE;
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
            struct icaltimetype next = icalrecur_iterator_next(walk->iterator);
            if (icaltime_is_null_time(next)) {
                return false;
            }
            local_s = from_ical(&next);
        } while (local_s < walk->after_s);
        walk->after_s = local_s + 1;
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
        /* Only in a gap an occurrence is later than those that follow may be. */
        bool gap = instant_of(r, local_s, &utc_s) == LOCAL_GAP;
        int64_t bound_s = gap ? local_s - r->offset_max : utc_s;
        *bound_out = bound_s * NS_PER_SECOND + r->start.fraction_ns;
        if (bound_s > r->last_utc_s) {
            return false;
        }
    } while (utc_s > r->last_utc_s);
    *ns_out = utc_s * NS_PER_SECOND + r->start.fraction_ns;
    return true;
}

enum err recurrence_walk_init(struct recurrence_walk *walk, const struct recurrence *r,
                              int64_t from_ns)
{
    int64_t from_s = floor_div(from_ns, NS_PER_SECOND) - 1; /* the fraction may reach over */
    return walk_from(walk, r, from_s + r->offset_min);
}

void recurrence_walk_fini(struct recurrence_walk *walk)
{
    if (walk->iterator != NULL) {
        icalrecur_iterator_free(walk->iterator);
        walk->iterator = NULL;
    }
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

/* The local time of the last one of so many; those that never come do not count. */
static enum err last_of_count(struct recurrence *r, int64_t count)
{
    struct recurrence_walk walk;
    enum err err = walk_from(&walk, r, r->start.local_s);
    if (err != ERR_NONE) {
        return err;
    }
    int64_t local_s = r->start.local_s;
    for (int64_t i = 0; i < count && next_local(&walk, &local_s);) {
        i++;
    }
    recurrence_walk_fini(&walk);
    r->last_local_s = local_s;
    return ERR_NONE;
}

static void set_zone(struct recurrence *r, const struct recurrence_start *start)
{
    r->start = *start;
    r->offset_min = start->offset_s;
    r->offset_max = start->offset_s;
    if (start->zone != NULL) {
        zone_offsets(start->zone, &r->offset_min, &r->offset_max);
    }
}

/* libical makes no iterator, and says no more, for a rule of which it sees that it never
 * occurs. */
static bool can_occur(const struct recurrence *r)
{
    struct icalrecur_iterator_impl *iterator = NULL;
    if (r->step_s == 0) {
        iterator = icalrecur_iterator_new(r->rule, to_ical(r->start.local_s));
        if (iterator == NULL) {
            return false;
        }
        icalrecur_iterator_free(iterator);
    }
    return true;
}

static enum err find_first(struct recurrence *r)
{
    struct recurrence_walk walk;
    int64_t bound;
    enum err err = walk_from(&walk, r, r->start.local_s);
    if (err == ERR_NONE) {
        err = recurrence_next(&walk, &r->first_ns, &bound) ? ERR_NONE : ERR_NOTFOUND;
        recurrence_walk_fini(&walk);
    }
    return err;
}

enum err recurrence_read(struct span text, const struct recurrence_start *start,
                         struct arena *arena, const struct recurrence **out,
                         const char **reason_out)
{
    struct rrule rule;
    *reason_out = "out of memory";
    struct recurrence *r = arena_alloc(arena, sizeof(*r));
    enum err err = r != NULL ? rrule_read(text, arena, &rule, reason_out) : ERR_MEMORY;
    if (err != ERR_NONE) {
        return err;
    }
    set_zone(r, start);
    r->step_s = step_of(&rule);
    r->last_local_s = rule.until == RRULE_UNTIL_LOCAL ? rule.until_s : INT64_MAX;
    r->last_utc_s = rule.until == RRULE_UNTIL_UTC ? rule.until_s : INT64_MAX;
    r->rule = icalrecurrencetype_from_string(rule.text);
    if (r->rule.freq == ICAL_NO_RECURRENCE) {
        *reason_out = "it is not a rule of RFC 5545, 3.3.10; write it like FREQ=WEEKLY;BYDAY=SU";
        return ERR_SYNTAX;
    }
    *reason_out = "it never occurs";
    if (!can_occur(r)) {
        return ERR_NOTFOUND;
    }
    if (rule.count > 0) {
        err = last_of_count(r, rule.count);
    }
    err = err == ERR_NONE ? find_first(r) : err;
    if (err == ERR_NONE) {
        *out = r;
    }
    return err;
}

int64_t recurrence_first_ns(const struct recurrence *r)
{
    return r->first_ns;
}

enum err recurrence_spacing(const struct recurrence *r, int64_t *ns_out)
{
    struct recurrence_walk walk;
    int64_t before;
    int64_t local_s;
    int64_t shortest = INT64_MAX / NS_PER_SECOND;
    enum err err = walk_from(&walk, r, r->start.local_s);
    if (err != ERR_NONE) {
        return err;
    }
    bool more = next_local(&walk, &before);
    int64_t end_s = more ? before + spacing_years * INT64_C(366) * seconds_per_day : 0;
    bool one = true;
    for (int i = 0; i < spacing_looks_max && more && before < end_s; i++) {
        more = next_local(&walk, &local_s);
        if (more) {
            one = false;
            shortest = local_s - before < shortest ? local_s - before : shortest;
            before = local_s;
        }
    }
    recurrence_walk_fini(&walk);
    *ns_out = one ? INT64_MAX : shortest * NS_PER_SECOND;
    return ERR_NONE;
}
