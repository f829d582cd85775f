/* SPDX-License-Identifier: MIT */
/* NAME=VALUE;NAME=VALUE, checked against RFC 5545, 3.3.10. */
#include "schedule/rrule.h"

#include "base/calendar.h"
#include "schedule/recurrence.h"

enum part_kind {
    PART_FREQ,
    PART_INTERVAL,
    PART_COUNT,
    PART_UNTIL,
    PART_NUMBERS,
    PART_DAYS,
    PART_WKST
};

enum {
    ABOVE_HOURS = 1 << RRULE_DAILY | 1 << RRULE_WEEKLY | 1 << RRULE_MONTHLY | 1 << RRULE_YEARLY,
    ANY_FREQUENCY = (1 << (RRULE_YEARLY + 1)) - 1,
    interval_max = 10000,
};

enum {
    AT_FREQ,
    AT_BYSECOND,
    AT_BYMINUTE,
    AT_BYHOUR,
    AT_BYDAY,
    AT_BYMONTHDAY,
    AT_BYYEARDAY,
    AT_BYWEEKNO,
    AT_BYMONTH,
    AT_BYSETPOS,
    PARTS = AT_BYSETPOS + 5,
};

/* frequencies: those that the part may stand with. */
static const struct part {
    const char *name;
    enum part_kind kind;
    unsigned frequencies;
    int min, max;
    bool negative; /* -1 is the last one, and so on; 0 is none */
} parts[PARTS] = {
    [AT_FREQ] = {"FREQ", PART_FREQ, ANY_FREQUENCY, 0, 0, false},
    [AT_BYSECOND] = {"BYSECOND", PART_NUMBERS, ABOVE_HOURS, 0, 59, false},
    [AT_BYMINUTE] = {"BYMINUTE", PART_NUMBERS, ABOVE_HOURS, 0, 59, false},
    [AT_BYHOUR] = {"BYHOUR", PART_NUMBERS, ABOVE_HOURS, 0, 23, false},
    [AT_BYDAY] = {"BYDAY", PART_DAYS, ABOVE_HOURS, 1, 53, true},
    [AT_BYMONTHDAY] = {"BYMONTHDAY", PART_NUMBERS,
                       1 << RRULE_DAILY | 1 << RRULE_MONTHLY | 1 << RRULE_YEARLY, 1, 31, true},
    [AT_BYYEARDAY] = {"BYYEARDAY", PART_NUMBERS, 1 << RRULE_YEARLY, 1, 366, true},
    [AT_BYWEEKNO] = {"BYWEEKNO", PART_NUMBERS, 1 << RRULE_YEARLY, 1, 53, true},
    [AT_BYMONTH] = {"BYMONTH", PART_NUMBERS, ABOVE_HOURS, 1, 12, false},
    [AT_BYSETPOS] = {"BYSETPOS", PART_NUMBERS, ABOVE_HOURS, 1, 366, true},
    {"INTERVAL", PART_INTERVAL, ANY_FREQUENCY, 1, interval_max, false},
    {"COUNT", PART_COUNT, ANY_FREQUENCY, 1, recurrence_count_max, false},
    {"UNTIL", PART_UNTIL, ANY_FREQUENCY, 0, 0, false},
    {"WKST", PART_WKST, ANY_FREQUENCY, 0, 0, false},
};

static const char *const frequency_names[] = {
    [RRULE_SECONDLY] = "SECONDLY", [RRULE_MINUTELY] = "MINUTELY", [RRULE_HOURLY] = "HOURLY",
    [RRULE_DAILY] = "DAILY",       [RRULE_WEEKLY] = "WEEKLY",     [RRULE_MONTHLY] = "MONTHLY",
    [RRULE_YEARLY] = "YEARLY"};

struct reading {
    struct arena *arena;
    struct rrule *rule;
    struct span values[PARTS]; /* ptr NULL: it is not there */
    const char **reason_out;
};

static enum err refuse(struct reading *r, enum err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum err refuse(struct reading *r, enum err err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(r->arena, format, args);
    va_end(args);
    *r->reason_out = text != NULL ? text : "out of memory";
    return text != NULL ? err : ERR_MEMORY;
}

/* ---- one value ---- */

static bool number_read(struct span text, const struct part *part, int *out)
{
    bool minus = text.len > 0 && text.ptr[0] == '-';
    bool plus = text.len > 0 && text.ptr[0] == '+';
    uint64_t value;
    if (!span_decimal(span_from(text, minus || plus ? 1 : 0), (uint64_t)part->max, &value) ||
        (int)value < part->min || (minus && !part->negative)) {
        return false;
    }
    *out = minus ? -(int)value : (int)value;
    return true;
}

/* 0: Monday. */
static bool weekday_read(struct span text, unsigned *out)
{
    static const char names[] = "MOTUWETHFRSASU";
    for (unsigned i = 0; i < 7; i++) {
        if (span_eq(text, span_of(names + (size_t)2 * i, 2))) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool list_add(struct rrule_list *list, int item)
{
    if (list->count == rrule_list_max) {
        return false;
    }
    list->items[list->count++] = item;
    return true;
}

/* "MO", "1SU", "-1FR". */
static bool day_read(struct reading *r, struct span text, const struct part *part)
{
    unsigned weekday;
    int number;
    if (text.len < 2 || !weekday_read(span_from(text, text.len - 2), &weekday)) {
        return false;
    }
    if (text.len == 2) {
        r->rule->weekdays |= UINT64_C(1) << weekday;
        return true;
    }
    r->rule->numbered = true;
    return number_read(span_slice(text, 0, text.len - 2), part, &number) &&
           list_add(&r->rule->numbered_days[weekday], number);
}

static void place_add(struct rrule_places *places, int number)
{
    if (number > 0) {
        places->forward |= UINT64_C(1) << number;
    } else {
        places->backward |= UINT64_C(1) << -number;
    }
}

static bool number_add(struct rrule *rule, size_t at, int number)
{
    switch (at) {
    case AT_BYSECOND:
        rule->seconds |= UINT64_C(1) << number;
        return true;
    case AT_BYMINUTE:
        rule->minutes |= UINT64_C(1) << number;
        return true;
    case AT_BYHOUR:
        rule->hours |= UINT64_C(1) << number;
        return true;
    case AT_BYMONTH:
        rule->months |= UINT64_C(1) << number;
        return true;
    case AT_BYMONTHDAY:
        place_add(&rule->month_days, number);
        return true;
    case AT_BYWEEKNO:
        place_add(&rule->weeks, number);
        return true;
    case AT_BYYEARDAY:
        return list_add(&rule->year_days, number);
    default:
        return list_add(&rule->positions, number);
    }
}

static enum err item_read(struct reading *r, size_t at, struct span item)
{
    const struct part *part = &parts[at];
    int number;
    if (part->kind == PART_DAYS) {
        return day_read(r, item, part)
                   ? ERR_NONE
                   : refuse(r, ERR_SYNTAX, "BYDAY is a list of days like MO,WE or 1SU or -1FR");
    }
    if (!number_read(item, part, &number)) {
        return refuse(r, ERR_RANGE, "%s is a list of numbers from %d to %d%s", part->name,
                      part->min, part->max, part->negative ? ", or as many below 0" : "");
    }
    return number_add(r->rule, at, number)
               ? ERR_NONE
               : refuse(r, ERR_RANGE, "%s has more than %d numbers", part->name, rrule_list_max);
}

static enum err list_read(struct reading *r, size_t at)
{
    struct span list = r->values[at];
    enum err err = ERR_NONE;
    for (size_t from = 0; from <= list.len && err == ERR_NONE;) {
        size_t end = span_find(list, from, ',');
        err = item_read(r, at, span_slice(list, from, end));
        from = end + 1;
    }
    return err;
}

static bool digits(struct span text, size_t from, size_t len, unsigned max, unsigned *out)
{
    uint64_t value;
    if (text.len < from + len || !span_decimal(span_slice(text, from, from + len), max, &value)) {
        return false;
    }
    *out = (unsigned)value;
    return true;
}

/* 20261231, 20261231T235959 or 20261231T235959Z. A day counts to its end. */
static enum err until_read(struct reading *r, struct span text)
{
    unsigned year, month, day;
    unsigned hour = 23, minute = 59, second = 59;
    bool utc = text.len == 16 && text.ptr[15] == 'Z';
    bool timed = text.len == 15 || utc;
    bool good = digits(text, 0, 4, 9999, &year) && digits(text, 4, 2, 12, &month) &&
                digits(text, 6, 2, 31, &day) && month > 0 && day > 0 && (timed || text.len == 8);
    if (good && timed) {
        good = text.ptr[8] == 'T' && digits(text, 9, 2, 23, &hour) &&
               digits(text, 11, 2, 59, &minute) && digits(text, 13, 2, 59, &second);
    }
    if (!good) {
        return refuse(r, ERR_SYNTAX, "UNTIL is written like 20301231T235959Z or 20301231");
    }
    r->rule->until = utc ? RRULE_UNTIL_UTC : RRULE_UNTIL_LOCAL;
    r->rule->until_s = days_from_civil(year, month, day) * seconds_per_day + (int64_t)hour * 3600 +
                       (int64_t)minute * 60 + (int64_t)second;
    return ERR_NONE;
}

static enum err quantity_read(struct reading *r, const struct part *part, struct span text,
                              int64_t *out)
{
    int value;
    if (!number_read(text, part, &value)) {
        return refuse(r, ERR_RANGE, "%s is a number from %d to %d", part->name, part->min,
                      part->max);
    }
    *out = value;
    return ERR_NONE;
}

static enum err frequency_read(struct reading *r, struct span text)
{
    for (size_t i = 0; i < sizeof(frequency_names) / sizeof(*frequency_names); i++) {
        if (span_eq(text, span_cstr(frequency_names[i]))) {
            r->rule->frequency = (enum rrule_frequency)i;
            return ERR_NONE;
        }
    }
    return refuse(r, ERR_SYNTAX,
                  "FREQ is one of DAILY, WEEKLY, MONTHLY, YEARLY, HOURLY, MINUTELY and SECONDLY");
}

static enum err value_read(struct reading *r, size_t at)
{
    switch (parts[at].kind) {
    case PART_FREQ:
        return ERR_NONE; /* it was read before all others */
    case PART_INTERVAL:
        return quantity_read(r, &parts[at], r->values[at], &r->rule->interval);
    case PART_COUNT:
        return quantity_read(r, &parts[at], r->values[at], &r->rule->count);
    case PART_UNTIL:
        return until_read(r, r->values[at]);
    case PART_WKST:
        return weekday_read(r->values[at], &r->rule->week_start)
                   ? ERR_NONE
                   : refuse(r, ERR_SYNTAX, "WKST is a day like MO or SU");
    default:
        return list_read(r, at);
    }
}

/* ---- all of them ---- */

static enum err split(struct reading *r, struct span text)
{
    for (size_t from = 0; from <= text.len;) {
        size_t end = span_find(text, from, ';');
        struct span item = span_slice(text, from, end);
        size_t equals = span_find(item, 0, '=');
        struct span name = span_slice(item, 0, equals);
        size_t at = 0;
        while (at < PARTS &&
               (parts[at].name == NULL || !span_eq(name, span_cstr(parts[at].name)))) {
            at++;
        }
        if (at == PARTS || equals == item.len) {
            return refuse(r, ERR_SYNTAX,
                          "`%.*s` is not a part of a rule that is known here; write it like "
                          "FREQ=WEEKLY;BYDAY=SU",
                          SPAN_ARG(item));
        }
        if (r->values[at].ptr != NULL) {
            return refuse(r, ERR_SYNTAX, "%s stands there twice", parts[at].name);
        }
        r->values[at] = span_from(item, equals + 1);
        from = end + 1;
    }
    return ERR_NONE;
}

static int times(uint64_t list)
{
    return list != 0 ? __builtin_popcountll(list) : 1;
}

static enum err check_together(struct reading *r)
{
    const struct rrule *rule = r->rule;
    bool any = false;
    for (size_t at = AT_BYSECOND; at < AT_BYSETPOS; at++) {
        any = any || r->values[at].ptr != NULL;
    }
    if (rule->count > 0 && rule->until != RRULE_UNTIL_NONE) {
        return refuse(r, ERR_SYNTAX, "COUNT and UNTIL exclude each other");
    }
    if (rule->positions.count > 0 && !any) {
        return refuse(r, ERR_SYNTAX, "BYSETPOS needs another BY... part to choose from");
    }
    if (rule->numbered && (rule->frequency < RRULE_MONTHLY || r->values[AT_BYWEEKNO].ptr != NULL)) {
        return refuse(r, ERR_SYNTAX,
                      "a number before a day, as in 1SU, needs FREQ=MONTHLY or FREQ=YEARLY, and no "
                      "BYWEEKNO");
    }
    if (times(rule->hours) * times(rule->minutes) * times(rule->seconds) > recurrence_times_max) {
        return refuse(r, ERR_RANGE, "it comes more than %d times a day", recurrence_times_max);
    }
    return ERR_NONE;
}

static enum err read_values(struct reading *r)
{
    if (r->values[AT_FREQ].ptr == NULL) {
        return refuse(r, ERR_SYNTAX, "it has no FREQ; write it like FREQ=WEEKLY;BYDAY=SU");
    }
    enum err err = frequency_read(r, r->values[AT_FREQ]);
    for (size_t at = 0; at < PARTS && err == ERR_NONE; at++) {
        if (r->values[at].ptr == NULL) {
            continue;
        }
        if ((parts[at].frequencies & 1u << r->rule->frequency) == 0) {
            return r->rule->frequency < RRULE_DAILY
                       ? refuse(r, ERR_RANGE,
                                "%s does not go with FREQ=%s here; write FREQ=DAILY with BYHOUR "
                                "and BYMINUTE",
                                parts[at].name, frequency_names[r->rule->frequency])
                       : refuse(r, ERR_RANGE, "%s does not go with FREQ=%s (RFC 5545, 3.3.10)",
                                parts[at].name, frequency_names[r->rule->frequency]);
        }
        err = value_read(r, at);
    }
    return err == ERR_NONE ? check_together(r) : err;
}

enum err rrule_read(struct span text, struct arena *arena, struct rrule *out,
                    const char **reason_out)
{
    struct reading r = {.arena = arena, .rule = out, .reason_out = reason_out};
    *out = (struct rrule){.interval = 1};
    if (span_starts(text, SPAN("RRULE:"))) {
        text = span_from(text, 6);
    }
    if (text.len == 0 || text.len > recurrence_bytes_max) {
        return refuse(&r, ERR_SYNTAX, "a rule has up to %d bytes, like FREQ=WEEKLY;BYDAY=SU",
                      recurrence_bytes_max);
    }
    uint8_t *capitals = arena_alloc(arena, text.len);
    if (capitals == NULL) {
        *reason_out = "out of memory";
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        capitals[i] = c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
    }
    enum err err = split(&r, span_of(capitals, text.len));
    return err == ERR_NONE ? read_values(&r) : err;
}
