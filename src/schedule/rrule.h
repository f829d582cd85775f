/* SPDX-License-Identifier: MIT */
/* The text of a recurrence rule (RFC 5545, 3.3.10). Internal to schedule/. */
#pragma once

#include "base/arena.h"
#include "base/error.h"

#include <stdint.h>

enum rrule_frequency {
    RRULE_SECONDLY,
    RRULE_MINUTELY,
    RRULE_HOURLY,
    RRULE_DAILY,
    RRULE_WEEKLY,
    RRULE_MONTHLY,
    RRULE_YEARLY,
};

enum rrule_until { RRULE_UNTIL_NONE, RRULE_UNTIL_LOCAL, RRULE_UNTIL_UTC };

enum { rrule_list_max = 64 };

/* Numbers that count from 1, and from the end backwards. */
struct rrule_places {
    uint64_t forward;  /* bit n: n */
    uint64_t backward; /* bit n: -n */
};

struct rrule_list {
    size_t count;
    int items[rrule_list_max];
};

/* What is empty was not given. */
struct rrule {
    enum rrule_frequency frequency;
    int64_t interval;
    int64_t count; /* 0: without end */
    enum rrule_until until;
    int64_t until_s;                  /* inclusive */
    unsigned week_start;              /* 0: Monday */
    uint64_t seconds, minutes, hours; /* bit n: n */
    uint64_t months;                  /* bit 1: January */
    struct rrule_places month_days;
    struct rrule_places weeks;
    struct rrule_list year_days;
    struct rrule_list positions;        /* BYSETPOS */
    uint64_t weekdays;                  /* each of them; bit 0: Monday */
    struct rrule_list numbered_days[7]; /* 1SU, -1SU: by weekday */
    bool numbered;
};

/* ERR_SYNTAX or ERR_RANGE: *reason_out, which lives in the arena, says why. ERR_MEMORY. */
enum err rrule_read(struct span text, struct arena *arena, struct rrule *out,
                    const char **reason_out);
