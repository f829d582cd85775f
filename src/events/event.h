/* SPDX-License-Identifier: MIT */
/* What there is to tell of a detour: found by comparing what was told last with what its
 * schedule says now. Pure: no clock, no I/O.
 *
 *   started   it is open
 *   ending    it closes within the time that was asked for; not of a window that is not longer
 *             than this time, since `started` says its end already
 *   ended     nobody is sent that way any more, be it that its time was over or that somebody
 *             took it away
 *   overdue   it is held past its end; told when that comes, and each day again
 *
 * A window is told once, whatever the clock does: set back into it, or before it, nothing is told
 * again. A window that opened and ended between two looks is not told at all: nobody was sent
 * anywhere. */
#pragma once

#include "schedule/schedule.h"

enum event_kind {
    EVENT_STARTED,
    EVENT_ENDING,
    EVENT_ENDED,
    EVENT_OVERDUE,
    EVENT_REFUSED, /* a change of a detour was asked for and refused; never found here */
    EVENT_KINDS
};
/* "started", … */
const char *event_kind_text(enum event_kind kind);

/* What was told of a detour last. Zeroed: nothing yet. */
struct event_mark {
    bool told;     /* the rest is of the window that was told */
    bool ending;   /* its end that comes was told */
    bool ended;    /* its end by schedule was told */
    uint32_t days; /* how often it was told to be overdue */
    int64_t opened_ns;
    int64_t closes_ns;
    int64_t gone_ns; /* when it would end by schedule; SCHEDULE_NEVER: not known */
};

struct event {
    enum event_kind kind;
    int64_t time_ns;   /* when it took place, which may be long before now */
    bool by_schedule;  /* its time had come; else somebody changed something */
    int64_t opened_ns; /* of the window that it is about */
    int64_t closes_ns;
};

enum { events_at_once_max = 4 };

struct event_look {
    struct event events[events_at_once_max]; /* in the order in which they took place */
    size_t count;
    struct event_mark mark; /* what is told when these are; `told` false: nothing to remember */
    int64_t opens_ns;       /* its next window; SCHEDULE_NEVER */
    int64_t next_ns;        /* when to look again at the latest; SCHEDULE_NEVER */
};

struct event_times {
    int64_t now_ns;
    int64_t due_ns;    /* opens_ns of the look before: what opened sooner, somebody has changed.
                          SCHEDULE_NEVER: it was not there; SCHEDULE_EVER: nobody knows */
    int64_t ending_ns; /* how long before its end an end is told; 0: never */
};

/* schedule: NULL: there is no such detour now. */
void event_look(const struct schedule *schedule, const struct event_mark *last,
                const struct event_times *times, struct event_look *out);
/* The first look of all: what is open already is taken for told, but for what is overdue. */
void event_look_first(const struct schedule *schedule, const struct event_times *times,
                      struct event_look *out);

/* As bytes, to be stored. */
enum { event_mark_bytes = 32 };
void event_mark_encode(const struct event_mark *mark, uint8_t out[event_mark_bytes]);
/* False: it is none. */
bool event_mark_decode(struct span bytes, struct event_mark *out);
