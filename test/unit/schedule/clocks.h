/* SPDX-License-Identifier: MIT */
/* Zones and instants by name, for tests of the schedule. */
#pragma once

#include "base/calendar.h"
#include "base/clock.h"
#include "schedule/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* NULL: the system has no such zone. */
static inline const struct zone *zone_named(struct arena *arena, const char *name)
{
    static uint8_t bytes[1 << 17];
    char path[128];
    const struct zone *zone = NULL;
    snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    size_t len = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    return zone_decode(span_of(bytes, len), arena, &zone) == ERR_NONE ? zone : NULL;
}

/* "2026-12-01T02:00:00", in seconds on a clock that is never changed. */
static inline int64_t clock_s(const char *text)
{
    unsigned year, month, day, hour, minute, second;
    assert_int_equal(
        sscanf(text, "%4u-%2u-%2uT%2u:%2u:%2u", &year, &month, &day, &hour, &minute, &second), 6);
    return days_from_civil(year, month, day) * seconds_per_day + (int64_t)hour * 3600 +
           (int64_t)minute * 60 + (int64_t)second;
}

static inline int64_t instant(const char *text)
{
    return clock_s(text) * NS_PER_SECOND;
}

static inline const char *instant_text(int64_t ns, char out[40])
{
    if (ns == SCHEDULE_NEVER || ns == SCHEDULE_EVER) {
        return ns == SCHEDULE_NEVER ? "never" : "ever";
    }
    int64_t s = ns / NS_PER_SECOND - (ns % NS_PER_SECOND < 0);
    int64_t days = s / seconds_per_day - (s % seconds_per_day < 0);
    int64_t second = s - days * seconds_per_day;
    struct civil_date date = civil_from_days(days);
    snprintf(out, 40, "%04d-%02u-%02uT%02d:%02d:%02d", (int)date.year, date.month, date.day,
             (int)(second / 3600), (int)(second / 60 % 60), (int)(second % 60));
    return out;
}
