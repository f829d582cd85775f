/* SPDX-License-Identifier: MIT */
/* When a detour is open. The timing is a value, and what holds at a time is a function of
 * both: the clock may stand anywhere, and go anywhere.
 *
 *   share   100 % ┐      ╭───────────╮
 *                 │    ╭─╯           ╰─╮
 *           0 %  ─┴────╯               ╰─────
 *                   opened           closes
 *                      ├ramp┤         ├return_over┤
 *
 * Times are nanoseconds since 1970-01-01T00:00:00Z. */
#pragma once

#include "schedule/recurrence.h"

#define SCHEDULE_EVER INT64_MIN  /* a beginning that nobody remembers */
#define SCHEDULE_NEVER INT64_MAX /* no end, or none known */

enum { schedule_full_ppm = 1000000, schedule_steps = 100 };

/* Something else than the clock that opens a detour: `from: when_origin_fails`. */
struct schedule_trigger {
    bool pulled;
    int64_t since_ns;
};

struct schedule {
    /* Open as long as it is pulled, whatever the clock says; from_ns is then SCHEDULE_EVER,
     * until_ns SCHEDULE_NEVER, and there is nothing else. NULL: the clock alone. */
    const struct schedule_trigger *trigger;
    int64_t from_ns;  /* SCHEDULE_EVER: since ever, and then there is no repeat and
                         no ramp */
    int64_t until_ns; /* later than from_ns; SCHEDULE_NEVER: an open end, and then there
                         is no repeat */
    const struct recurrence *repeat; /* NULL: once. Each window is as long as the first one, in
                                        nanoseconds, whatever clocks do */
    int64_t ramp_ns;                 /* at most the window's length; 0: everybody at once */
    int64_t return_over_ns;          /* 0: everybody at once */
    bool hold;                       /* goes on past its end; there is no repeat then */
};

enum schedule_state {
    SCHEDULE_PLANNED, /* not open, and will be */
    SCHEDULE_ACTIVE,  /* open; or, from closes_ns on, letting clients go over return_over */
    SCHEDULE_HELD,    /* past its end and still there: overdue since closes_ns */
    SCHEDULE_OVER,
};
/* "planned", "active", "held", "over". */
const char *schedule_state_text(enum schedule_state state);

struct schedule_view {
    enum schedule_state state;
    /* Of the window that is open or was last; both SCHEDULE_NEVER before the first. */
    int64_t opened_ns;
    int64_t closes_ns;
    int64_t opens_ns;   /* the next one that is to come; SCHEDULE_NEVER: none */
    uint32_t share_ppm; /* of all clients that it has now; a client that it has is one of
                           those that it has at any greater share */
    int64_t joins_ns;   /* the earliest time at which it may get clients that it has not now */
    int64_t leaves_ns;  /* … and at which it may let go some that it has */
    int64_t gone_ns;    /* when the last client is let go; SCHEDULE_NEVER: not known */
    int64_t next_ns;    /* when any of this changes; SCHEDULE_NEVER: it will not */
};

/* Windows that overlap, or where one opens before the one before has let all go, are one: it
 * happens only where a clock is set forward between them. */
void schedule_at(const struct schedule *schedule, int64_t now_ns, struct schedule_view *out);

/* Whether a and b lead to the same snapshot. */
bool schedule_views_equal(const struct schedule_view *a, const struct schedule_view *b);
