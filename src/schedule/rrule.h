/* SPDX-License-Identifier: MIT */
/* The text of a recurrence rule, looked at before libical sees it: what libical would take
 * without a word, or give up on without a reason, is refused here with one. Internal to
 * schedule/. */
#pragma once

#include "base/arena.h"
#include "base/error.h"

#include <stdint.h>

enum { rrule_text_max = 1024 };

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

struct rrule {
    enum rrule_frequency frequency;
    int64_t interval;
    int64_t count; /* 0: without end */
    enum rrule_until until;
    int64_t until_s;           /* inclusive */
    char text[rrule_text_max]; /* in capitals, without COUNT and UNTIL */
};

/* ERR_SYNTAX or ERR_RANGE: *reason_out, which lives in the arena, says why. ERR_MEMORY. */
enum err rrule_read(struct span text, struct arena *arena, struct rrule *out,
                    const char **reason_out);
