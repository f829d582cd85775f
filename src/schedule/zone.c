/* SPDX-License-Identifier: MIT */
/* TZif (RFC 8536): the table of transitions, and the POSIX rule that goes on after it. */
#include "schedule/zone.h"

#include "base/calendar.h"

enum { header_bytes = 44, transitions_max = 8192 };

struct transition {
    int64_t at;     /* UTC seconds */
    int32_t offset; /* seconds east of UTC from then on */
};

/* When daylight time begins or ends in a year. */
enum date_kind { DATE_JULIAN, DATE_ZERO, DATE_WEEK };
struct rule_date {
    enum date_kind kind;
    int month, week, day;
    int32_t time_s;
};

struct footer {
    bool given;
    bool dst;
    int32_t std_offset, dst_offset; /* seconds east of UTC */
    struct rule_date start, end;
};

struct zone {
    int32_t first_offset;
    int32_t offset_min, offset_max; /* of all times */
    size_t count;
    struct transition *transitions;
    struct footer footer;
};

/* ---- the footer: "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

struct cursor {
    const uint8_t *at, *end;
};

static bool take(struct cursor *c, char wanted)
{
    if (c->at < c->end && *c->at == (uint8_t)wanted) {
        c->at++;
        return true;
    }
    return false;
}

static bool take_abbreviation(struct cursor *c)
{
    const uint8_t *from = c->at;
    if (take(c, '<')) {
        while (c->at < c->end && *c->at != '>') {
            c->at++;
        }
        return take(c, '>');
    }
    while (c->at < c->end && ascii_is_alpha(*c->at)) {
        c->at++;
    }
    return c->at - from >= 3;
}

static bool take_number(struct cursor *c, int max, int *out)
{
    int value = 0;
    const uint8_t *from = c->at;
    while (c->at < c->end && ascii_is_digit(*c->at) && value <= max) {
        value = value * 10 + (*c->at++ - '0');
    }
    if (c->at == from || value > max) {
        return false;
    }
    *out = value;
    return true;
}

/* [+-]hh[:mm[:ss]]; hours to 167 as RFC 8536, 3.3.1 extends them. */
static bool take_time(struct cursor *c, int32_t *out)
{
    int sign = take(c, '-') ? -1 : 1;
    if (sign == 1) {
        take(c, '+');
    }
    int hours, minutes = 0, seconds = 0;
    if (!take_number(c, 167, &hours) || (take(c, ':') && !take_number(c, 59, &minutes)) ||
        (take(c, ':') && !take_number(c, 59, &seconds))) {
        return false;
    }
    *out = sign * (hours * 3600 + minutes * 60 + seconds);
    return true;
}

static bool take_date(struct cursor *c, struct rule_date *out)
{
    *out = (struct rule_date){.kind = DATE_ZERO, .time_s = 7200};
    if (take(c, 'M')) {
        out->kind = DATE_WEEK;
        if (!take_number(c, 12, &out->month) || !take(c, '.') || !take_number(c, 5, &out->week) ||
            !take(c, '.') || !take_number(c, 6, &out->day) || out->month < 1 || out->week < 1) {
            return false;
        }
    } else {
        out->kind = take(c, 'J') ? DATE_JULIAN : DATE_ZERO;
        if (!take_number(c, 365, &out->day) || (out->kind == DATE_JULIAN && out->day < 1)) {
            return false;
        }
    }
    return !take(c, '/') || take_time(c, &out->time_s);
}

static bool footer_decode(struct span text, struct footer *out)
{
    struct cursor c = {text.ptr, text.ptr + text.len};
    struct footer footer = {.given = true};
    int32_t west;
    if (!take_abbreviation(&c) || !take_time(&c, &west)) {
        return false;
    }
    footer.std_offset = -west;
    if (c.at < c.end) {
        footer.dst = true;
        footer.dst_offset = footer.std_offset + 3600;
        if (!take_abbreviation(&c)) {
            return false;
        }
        if (c.at < c.end && *c.at != ',') {
            if (!take_time(&c, &west)) {
                return false;
            }
            footer.dst_offset = -west;
        }
        if (!take(&c, ',') || !take_date(&c, &footer.start) || !take(&c, ',') ||
            !take_date(&c, &footer.end)) {
            return false;
        }
    }
    *out = footer;
    return c.at == c.end;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t week_date(const struct rule_date *date, int64_t year)
{
    int64_t first = days_from_civil(year, (unsigned)date->month, 1);
    int weekday = (int)((first + 4) % 7); /* 1970-01-01 was a Thursday */
    int64_t day = first + (date->day - weekday + 7) % 7 + (date->week - 1) * 7;
    int64_t next = days_from_civil(year, (unsigned)date->month + 1, 1);
    return day >= next ? day - 7 : day; /* week 5 means the last one */
}

/* The local second at which the rule's date comes in that year. */
static int64_t rule_local_s(const struct rule_date *date, int64_t year)
{
    int64_t day;
    if (date->kind == DATE_WEEK) {
        day = week_date(date, year);
    } else {
        day = days_from_civil(year, 1, 1) + date->day;
        if (date->kind == DATE_JULIAN) {
            day += (is_leap(year) && date->day >= 60 ? 0 : -1); /* 29 February is not counted */
        }
    }
    return day * seconds_per_day + date->time_s;
}

/* ---- the file ---- */

static uint32_t be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t be_time(const uint8_t *at, size_t width)
{
    if (width == 4) {
        return (int32_t)be32(at);
    }
    return (int64_t)((uint64_t)be32(at) << 32 | be32(at + 4));
}

struct block {
    size_t isut, isstd, leap, time, type, chars;
    size_t bytes; /* of the data behind the header */
};

static bool block_read(struct span file, size_t at, size_t width, struct block *out)
{
    if (at > file.len || file.len - at < header_bytes || memcmp(file.ptr + at, "TZif", 4) != 0) {
        return false;
    }
    const uint8_t *count = file.ptr + at + 20;
    struct block b = {.isut = be32(count),
                      .isstd = be32(count + 4),
                      .leap = be32(count + 8),
                      .time = be32(count + 12),
                      .type = be32(count + 16),
                      .chars = be32(count + 20)};
    if (b.isut > 256 || b.isstd > 256 || b.leap > 1024 || b.time > transitions_max || b.type == 0 ||
        b.type > 256 || b.chars > 4096) {
        return false;
    }
    b.bytes = b.time * (width + 1) + b.type * 6 + b.chars + b.leap * (width + 4) + b.isstd + b.isut;
    if (b.bytes > file.len - at - header_bytes) {
        return false;
    }
    *out = b;
    return true;
}

static bool offset_of(const uint8_t *types, const struct block *b, size_t type, int32_t *out)
{
    if (type >= b->type) {
        return false;
    }
    int32_t offset = (int32_t)be32(types + type * 6);
    if (offset < -2 * seconds_per_day || offset > 2 * seconds_per_day) {
        return false;
    }
    *out = offset;
    return true;
}

static bool table_read(const uint8_t *data, const struct block *b, size_t width, struct zone *zone)
{
    const uint8_t *indices = data + b->time * width;
    const uint8_t *types = indices + b->time;
    if (!offset_of(types, b, 0, &zone->first_offset)) {
        return false;
    }
    int64_t before = INT64_MIN;
    for (size_t i = 0; i < b->time; i++) {
        struct transition *t = &zone->transitions[i];
        t->at = be_time(data + i * width, width);
        /* Sums with offsets must not overflow: the beginning of all time is clipped. */
        if (t->at <= before || !offset_of(types, b, indices[i], &t->offset)) {
            return false;
        }
        before = t->at;
        if (t->at < INT64_MIN / 4) {
            t->at = INT64_MIN / 4;
        } else if (t->at > INT64_MAX / 4) {
            t->at = INT64_MAX / 4;
        }
    }
    zone->count = b->time;
    return true;
}

static bool footer_read(struct span rest, struct footer *out)
{
    if (rest.len < 2 || rest.ptr[0] != '\n') {
        return false;
    }
    size_t end = span_find(rest, 1, '\n');
    if (end == rest.len) {
        return false;
    }
    return end == 1 || footer_decode(span_slice(rest, 1, end), out);
}

static void widen(struct zone *zone, int32_t offset)
{
    zone->offset_min = offset < zone->offset_min ? offset : zone->offset_min;
    zone->offset_max = offset > zone->offset_max ? offset : zone->offset_max;
}

static void note_extremes(struct zone *zone)
{
    zone->offset_min = zone->first_offset;
    zone->offset_max = zone->first_offset;
    for (size_t i = 0; i < zone->count; i++) {
        widen(zone, zone->transitions[i].offset);
    }
    if (zone->footer.given && zone->footer.dst) {
        widen(zone, zone->footer.std_offset);
        widen(zone, zone->footer.dst_offset);
    }
}

void zone_offsets(const struct zone *zone, int32_t *min_out, int32_t *max_out)
{
    *min_out = zone->offset_min;
    *max_out = zone->offset_max;
}

enum err zone_decode(struct span file, struct arena *arena, const struct zone **out)
{
    struct block b;
    size_t at = 0;
    size_t width = 4;
    if (!block_read(file, 0, 4, &b)) {
        return ERR_SYNTAX;
    }
    if (file.ptr[4] >= '2') {
        at = header_bytes + b.bytes;
        width = 8;
        if (!block_read(file, at, 8, &b)) {
            return ERR_SYNTAX;
        }
    }
    struct zone *zone = arena_alloc(arena, sizeof(*zone));
    if (zone == NULL) {
        return ERR_MEMORY;
    }
    zone->transitions = arena_array(arena, b.time, sizeof(*zone->transitions));
    if (zone->transitions == NULL) {
        return ERR_MEMORY;
    }
    if (b.leap != 0 || !table_read(file.ptr + at + header_bytes, &b, width, zone) ||
        (width == 8 && !footer_read(span_from(file, at + header_bytes + b.bytes), &zone->footer))) {
        return ERR_SYNTAX;
    }
    note_extremes(zone);
    *out = zone;
    return ERR_NONE;
}

/* ---- local time to UTC, and back ---- */

/* The transitions in the order of time: those of the table, then the rule's for the years
 * around the one that is asked for. */
struct timeline {
    const struct zone *zone;
    struct transition later[6];
    size_t later_count;
};

static void timeline_add(struct timeline *line, struct transition t)
{
    const struct zone *zone = line->zone;
    if (zone->count > 0 && t.at <= zone->transitions[zone->count - 1].at) {
        return;
    }
    size_t i = line->later_count++;
    while (i > 0 && line->later[i - 1].at > t.at) {
        line->later[i] = line->later[i - 1];
        i--;
    }
    line->later[i] = t;
}

static struct timeline timeline_around(const struct zone *zone, int64_t local_s)
{
    struct timeline line = {.zone = zone};
    const struct footer *f = &zone->footer;
    if (!f->given || !f->dst) {
        return line;
    }
    int64_t year = civil_from_days(local_s / seconds_per_day).year;
    for (int64_t y = year - 1; y <= year + 1; y++) {
        timeline_add(&line, (struct transition){.at = rule_local_s(&f->start, y) - f->std_offset,
                                                .offset = f->dst_offset});
        timeline_add(&line, (struct transition){.at = rule_local_s(&f->end, y) - f->dst_offset,
                                                .offset = f->std_offset});
    }
    return line;
}

static bool timeline_get(const struct timeline *line, size_t i, struct transition *out)
{
    size_t table = line->zone->count;
    if (i >= table + line->later_count) {
        return false;
    }
    *out = i < table ? line->zone->transitions[i] : line->later[i - table];
    return true;
}

/* Period i reaches from transition i-1 to transition i. The first period whose end lies
 * behind the instant holds it, or the gap before that period does; and then the offset
 * before the gap is the period's before. */
enum local_kind zone_resolve(const struct zone *zone, int64_t local_s, int64_t *utc_s_out)
{
    struct timeline line = timeline_around(zone, local_s);
    int32_t offset = zone->first_offset;
    int32_t offset_before = offset;
    int64_t begin = INT64_MIN;
    struct transition next;
    size_t i = 0;
    while (timeline_get(&line, i, &next) && local_s - offset >= next.at) {
        offset_before = offset;
        offset = next.offset;
        begin = next.at;
        i++;
    }
    if (local_s - offset < begin) {
        *utc_s_out = local_s - offset_before;
        return LOCAL_GAP;
    }
    *utc_s_out = local_s - offset;
    bool again = timeline_get(&line, i, &next) && local_s - next.offset >= next.at;
    return again ? LOCAL_TWICE : LOCAL_ONCE;
}

int64_t zone_local(const struct zone *zone, int64_t utc_s)
{
    struct timeline line = timeline_around(zone, utc_s);
    int32_t offset = zone->first_offset;
    struct transition next;
    for (size_t i = 0; timeline_get(&line, i, &next) && next.at <= utc_s; i++) {
        offset = next.offset;
    }
    return utc_s + offset;
}
