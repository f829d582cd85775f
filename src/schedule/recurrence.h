/* SPDX-License-Identifier: MIT */
/* Recurrence rules (RFC 5545, 3.3.10) and the instants that they give.
 *
 * A rule is expanded in local time, and each local time becomes an instant by the rules of
 * schedule/zone.h: one that the clock skips is counted with the offset before the gap, one that
 * comes twice is the first. Own code, since libical gets many rules wrong (decision 17). */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "schedule/zone.h"

#include <stdint.h>

enum {
    recurrence_bytes_max = 512,
    recurrence_count_max = 10000, /* of COUNT */
    recurrence_times_max = 1440,  /* a day */
    recurrence_positions_max = 64,
};

struct recurrence;

/* The first local time, which the rule starts from (DTSTART): it occurs only if the rule
 * says so, too. */
struct recurrence_start {
    int64_t local_s; /* since 1970-01-01T00:00:00 on that clock */
    int64_t fraction_ns;
    const struct zone *zone; /* NULL: a clock that is never changed: */
    int32_t offset_s;        /* seconds east of UTC */
};

/* Reads "FREQ=WEEKLY;BYDAY=SU". What is not supported: RSCALE and SKIP (RFC 7529), and BY...
 * parts of a frequency below a day, which FREQ=DAILY with BYHOUR and BYMINUTE says as well.
 * ERR_SYNTAX, ERR_RANGE: *reason_out, which lives in the arena, says what is wrong and how to
 * mend it. ERR_NOTFOUND: it is well formed and never occurs. ERR_MEMORY. */
enum err recurrence_read(struct span text, const struct recurrence_start *start,
                         struct arena *arena, const struct recurrence **out,
                         const char **reason_out);

/* The first occurrence. */
int64_t recurrence_first_ns(const struct recurrence *recurrence);
/* How long a day, week, month or year of the rule is at most, times its interval: most rules
 * occur in each. */
int64_t recurrence_period_ns(const struct recurrence *recurrence);
/* The shortest time between two that follow each other, on the local clock, among those of
 * the first years; INT64_MAX: there is only one. */
int64_t recurrence_spacing_ns(const struct recurrence *recurrence);

/* The occurrences in the order of the local clock, which is that of time but for the hour of
 * a gap. */
struct recurrence_walk {
    const struct recurrence *recurrence;
    int64_t local_s; /* the next one, for plain steps */
    int64_t after_s; /* those before are left out */

    /* A day, week, month or year, and what is wanted of it. */
    int64_t period;
    int64_t first_day;
    uint16_t days[366]; /* after first_day */
    size_t day_count;
    size_t places[recurrence_positions_max]; /* with BYSETPOS: which of its times */
    size_t place_count;
    size_t next; /* of its times, or of places */
};
/* Begins where an instant could be from_ns, or earlier. */
void recurrence_walk_init(struct recurrence_walk *walk, const struct recurrence *recurrence,
                          int64_t from_ns);
/* *ns_out: the instant; *bound_out: none that follows is earlier than this. False: no more. */
bool recurrence_next(struct recurrence_walk *walk, int64_t *ns_out, int64_t *bound_out);
