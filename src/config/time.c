/* SPDX-License-Identifier: MIT */
/* RFC 3339, or a local time with a zone, to nanoseconds. */
#include "config/time.h"

#include "base/calendar.h"
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

enum { year_min = 1970, year_max = 2199 };

const char *time_format(int64_t ns, char out[time_text_max])
{
    time_t seconds = (time_t)(ns / NS_PER_SECOND);
    struct tm parts;
    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(out, time_text_max, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        snprintf(out, time_text_max, "?");
    }
    return out;
}

struct stamp {
    int64_t year;
    unsigned month, day, hour, minute, second;
    int64_t fraction_ns;
};

static bool digits(struct span text, size_t at, size_t len, unsigned *out)
{
    uint64_t value;
    if (text.len < at + len || !span_decimal(span_slice(text, at, at + len), 9999, &value)) {
        return false;
    }
    *out = (unsigned)value;
    return true;
}

static bool byte_is(struct span text, size_t at, char wanted)
{
    return at < text.len && text.ptr[at] == (uint8_t)wanted;
}

/* ".25" at *at; digits beyond nanoseconds are read and forgotten. */
static bool fraction_read(struct span text, size_t *at, int64_t *out)
{
    int64_t unit = NS_PER_SECOND / 10;
    int64_t value = 0;
    size_t from = ++*at;
    while (*at < text.len && ascii_is_digit(text.ptr[*at])) {
        value += (text.ptr[*at] - '0') * unit;
        unit /= 10;
        ++*at;
    }
    *out = value;
    return *at > from;
}

/* "2026-12-01T02:00[:00[.5]]"; *at becomes the place behind it. */
static bool stamp_read(struct span text, struct stamp *out, size_t *at)
{
    struct stamp s = {0};
    unsigned year;
    if (!digits(text, 0, 4, &year) || !byte_is(text, 4, '-') || !digits(text, 5, 2, &s.month) ||
        !byte_is(text, 7, '-') || !digits(text, 8, 2, &s.day) ||
        !(byte_is(text, 10, 'T') || byte_is(text, 10, 't') || byte_is(text, 10, ' ')) ||
        !digits(text, 11, 2, &s.hour) || !byte_is(text, 13, ':') ||
        !digits(text, 14, 2, &s.minute)) {
        return false;
    }
    s.year = year;
    *at = 16;
    if (byte_is(text, 16, ':')) {
        if (!digits(text, 17, 2, &s.second)) {
            return false;
        }
        *at = 19;
        if (byte_is(text, 19, '.') && !fraction_read(text, at, &s.fraction_ns)) {
            return false;
        }
    }
    *out = s;
    return true;
}

static unsigned days_of_month(int64_t year, unsigned month)
{
    return (unsigned)(days_from_civil(year, month + 1, 1) - days_from_civil(year, month, 1));
}

static const char *stamp_fault(const struct stamp *s)
{
    if (s->year < year_min || s->year > year_max) {
        return "the year must be from 1970 to 2199";
    }
    if (s->month < 1 || s->month > 12) {
        return "there is no such month";
    }
    if (s->day < 1 || s->day > days_of_month(s->year, s->month)) {
        return "that month has no such day";
    }
    /* RFC 3339 knows a leap second; it becomes the second after it. */
    if (s->hour > 23 || s->minute > 59 || s->second > 60) {
        return "there is no such time of day";
    }
    return NULL;
}

/* "+01:00" at the end of the text. */
static bool offset_read(struct span rest, int64_t *out)
{
    unsigned hours, minutes;
    if (rest.len != 6 || (rest.ptr[0] != '+' && rest.ptr[0] != '-') ||
        !digits(rest, 1, 2, &hours) || !byte_is(rest, 3, ':') || !digits(rest, 4, 2, &minutes) ||
        hours > 23 || minutes > 59) {
        return false;
    }
    int64_t seconds = (int64_t)hours * 3600 + (int64_t)minutes * 60;
    *out = rest.ptr[0] == '-' ? -seconds : seconds;
    return true;
}

static enum err refuse(struct time_result *out, enum err err, const char *reason)
{
    out->reason = reason;
    return err;
}

static enum err zone_fault(struct time_result *out, enum err err)
{
    switch (err) {
    case ERR_IO:
        return refuse(out, err, "the time zones cannot be read; install the package tzdata");
    case ERR_MEMORY:
        return refuse(out, err, "out of memory");
    default:
        return refuse(out, ERR_NOTFOUND,
                      "that time zone is not known; write one like Europe/Berlin, or Z, or +01:00");
    }
}

/* What stands behind the time of day: Z, an offset, or a zone. */
static enum err place_in_time(struct span rest, struct zones *zones, const struct zone *zone,
                              int64_t *utc_s, struct time_result *out)
{
    int64_t offset = 0;
    struct span name = span_trim(rest);
    if (name.len == 0 && zone == NULL) {
        return refuse(out, ERR_SYNTAX,
                      "it has no time zone; append Z, an offset like +01:00, or a space and a "
                      "zone like Europe/Berlin");
    }
    bool utc = span_eq_ci(rest, SPAN("Z"));
    if (utc || offset_read(rest, &offset)) {
        *utc_s = out->local_s - offset;
        out->offset_s = (int32_t)offset;
        return ERR_NONE;
    }
    if (name.len > 0 && rest.ptr[0] != ' ') {
        return refuse(out, ERR_SYNTAX, "write it like 2026-12-01T02:00:00Z");
    }
    out->zone_name = name;
    enum err err = name.len > 0 ? zones_find(zones, name, &zone) : ERR_NONE;
    if (err != ERR_NONE) {
        return zone_fault(out, err);
    }
    out->zone = zone;
    out->kind = zone_resolve(zone, out->local_s, utc_s);
    return ERR_NONE;
}

enum err time_parse_in(struct span text, struct zones *zones, const struct zone *zone,
                       struct time_result *out)
{
    struct stamp s;
    size_t at;
    *out = (struct time_result){.kind = LOCAL_ONCE};
    if (!stamp_read(text, &s, &at)) {
        return refuse(out, ERR_SYNTAX,
                      "write it like 2026-12-01T02:00:00Z or 2026-12-01T02:00 Europe/Berlin");
    }
    const char *fault = stamp_fault(&s);
    if (fault != NULL) {
        return refuse(out, ERR_RANGE, fault);
    }
    out->local_s = days_from_civil(s.year, s.month, s.day) * seconds_per_day +
                   (int64_t)s.hour * 3600 + (int64_t)s.minute * 60 + (int64_t)s.second;
    out->fraction_ns = s.fraction_ns;
    int64_t utc_s;
    enum err err = place_in_time(span_from(text, at), zones, zone, &utc_s, out);
    if (err == ERR_NONE) {
        out->ns = utc_s * NS_PER_SECOND + s.fraction_ns;
    }
    return err;
}

enum err time_parse(struct span text, struct zones *zones, struct time_result *out)
{
    return time_parse_in(text, zones, NULL, out);
}
