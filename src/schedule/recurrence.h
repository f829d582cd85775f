/* SPDX-License-Identifier: MIT */
/* Recurrence rules (RFC 5545, 3.3.10) and the instants that they give.
 *
 * A rule is expanded in local time, and each local time becomes an instant by the rules of
 * schedule/zone.h: one that the clock skips is counted with the offset before the gap, one that
 * comes twice is the first. libical does the expansion and is told nothing of zones. Hours,
 * minutes and seconds as frequencies are plain steps of the local clock. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "schedule/zone.h"

#include <stdint.h>

enum {
    recurrence_bytes_max = 512,
    recurrence_count_max = 10000, /* of COUNT */
    recurrence_numbers_max = 64,  /* in one BY... list */
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
/* The shortest time between two that follow each other, on the local clock, among those of
 * the first years; INT64_MAX: there is only one. ERR_MEMORY. */
enum err recurrence_spacing(const struct recurrence *recurrence, int64_t *ns_out);

/* The occurrences in the order of the local clock, which is that of time but for the hour of
 * a gap. */
struct recurrence_walk {
    const struct recurrence *recurrence;
    struct icalrecur_iterator_impl *iterator;
    int64_t local_s; /* of the one that is next, for plain steps */
    int64_t after_s; /* those before are left out */
};
/* Begins at the last local time whose instant might be earlier than from_ns, or earlier still.
 * ERR_MEMORY. */
enum err recurrence_walk_init(struct recurrence_walk *walk, const struct recurrence *recurrence,
                              int64_t from_ns);
void recurrence_walk_fini(struct recurrence_walk *walk);
/* *ns_out: the instant; *bound_out: none that follows is earlier than this. False: no more. */
bool recurrence_next(struct recurrence_walk *walk, int64_t *ns_out, int64_t *bound_out);
