/* SPDX-License-Identifier: MIT */
/* From what was told and what is now to what there is to tell. */
#include "events/event.h"

static const int64_t day_ns = INT64_C(86400) * 1000000000;

const char *event_kind_text(enum event_kind kind)
{
    static const char *const texts[EVENT_KINDS] = {[EVENT_STARTED] = "started",
                                                   [EVENT_ENDING] = "ending",
                                                   [EVENT_ENDED] = "ended",
                                                   [EVENT_OVERDUE] = "overdue",
                                                   [EVENT_REFUSED] = "refused"};
    return texts[kind];
}

static void tell(struct event_look *look, enum event_kind kind, int64_t time_ns, bool by_schedule)
{
    look->events[look->count++] = (struct event){.kind = kind,
                                                 .time_ns = time_ns,
                                                 .by_schedule = by_schedule,
                                                 .opened_ns = look->mark.opened_ns,
                                                 .closes_ns = look->mark.closes_ns};
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void wake(struct event_look *look, int64_t at_ns, int64_t now_ns)
{
    if (at_ns > now_ns) {
        look->next_ns = sooner(look->next_ns, at_ns);
    }
}

static bool is_open(const struct schedule_view *view)
{
    return view->state == SCHEDULE_ACTIVE || view->state == SCHEDULE_HELD;
}

/* The window that was told is over; what comes is another one. */
static void tell_ended(struct event_look *look, int64_t now_ns)
{
    bool by_schedule = look->mark.gone_ns <= now_ns;
    if (!look->mark.ended) {
        tell(look, EVENT_ENDED, by_schedule ? look->mark.gone_ns : now_ns, by_schedule);
    }
    look->mark.ended = true;
    look->mark.told = by_schedule; /* of what was taken away nothing is remembered */
}

/* The clock was set back to before the window that was told. */
static bool is_to_come_again(const struct event_mark *mark, const struct schedule_view *view)
{
    return view->opens_ns == mark->opened_ns;
}

/* Takes the window over that is open now. The same one may have got another beginning or end. */
static void follow(struct event_look *look, const struct schedule_view *view)
{
    struct event_mark *mark = &look->mark;
    if (mark->closes_ns != view->closes_ns) {
        mark->ending = false;
        mark->days = 0;
        mark->ended = false;
    }
    mark->opened_ns = view->opened_ns;
    mark->closes_ns = view->closes_ns;
    mark->gone_ns = view->gone_ns;
}

static void tell_started(struct event_look *look, const struct schedule_view *view,
                         const struct event_times *times)
{
    bool by_schedule = view->opened_ns != SCHEDULE_EVER && view->opened_ns <= times->now_ns &&
                       view->opened_ns >= times->due_ns;
    look->mark = (struct event_mark){.told = true};
    follow(look, view);
    tell(look, EVENT_STARTED, by_schedule ? view->opened_ns : times->now_ns, by_schedule);
}

static void tell_open(struct event_look *look, const struct schedule_view *view,
                      const struct event_times *times)
{
    const struct event_mark *mark = &look->mark;
    bool another = mark->told && view->opened_ns >= mark->gone_ns;
    bool again =
        mark->ended && (mark->opened_ns != view->opened_ns || mark->closes_ns != view->closes_ns);
    if (another) {
        tell_ended(look, times->now_ns);
    }
    if (!mark->told || another || again) {
        tell_started(look, view, times);
    } else {
        follow(look, view);
    }
}

static bool has_ending(const struct event_mark *mark, int64_t ending_ns)
{
    return ending_ns > 0 && mark->closes_ns != SCHEDULE_NEVER &&
           (mark->opened_ns == SCHEDULE_EVER || mark->closes_ns - mark->opened_ns > ending_ns);
}

static void tell_end(struct event_look *look, const struct schedule_view *view, int64_t now_ns,
                     int64_t ending_ns)
{
    struct event_mark *mark = &look->mark;
    int64_t ending_at_ns = has_ending(mark, ending_ns) ? mark->closes_ns - ending_ns : 0;
    if (view->state == SCHEDULE_HELD) {
        uint32_t days = (uint32_t)((now_ns - mark->closes_ns) / day_ns) + 1;
        if (days > mark->days) {
            tell(look, EVENT_OVERDUE, mark->closes_ns + (days - 1) * day_ns, true);
            mark->days = days;
        }
        wake(look, mark->closes_ns + mark->days * day_ns, now_ns);
    } else if (ending_at_ns != 0 && !mark->ending && ending_at_ns <= now_ns &&
               now_ns < mark->closes_ns) {
        tell(look, EVENT_ENDING, ending_at_ns, true);
        mark->ending = true;
    }
    if (ending_at_ns != 0) {
        wake(look, ending_at_ns, now_ns);
    }
    wake(look, mark->closes_ns, now_ns);
    wake(look, mark->gone_ns, now_ns);
}

void event_look(const struct schedule *schedule, const struct event_mark *last,
                const struct event_times *times, struct event_look *out)
{
    int64_t now_ns = times->now_ns;
    struct schedule_view view;
    *out =
        (struct event_look){.mark = *last, .opens_ns = SCHEDULE_NEVER, .next_ns = SCHEDULE_NEVER};
    if (schedule == NULL) {
        if (last->told) {
            tell_ended(out, now_ns);
        }
        out->mark = (struct event_mark){0};
        return;
    }
    schedule_at(schedule, now_ns, &view);
    out->opens_ns = view.opens_ns;
    if (is_open(&view)) {
        tell_open(out, &view, times);
        tell_end(out, &view, now_ns, times->ending_ns);
    } else if (last->told && !is_to_come_again(last, &view)) {
        tell_ended(out, now_ns);
    }
    wake(out, view.opens_ns, now_ns);
}

void event_look_first(const struct schedule *schedule, const struct event_times *times,
                      struct event_look *out)
{
    const struct event_mark nothing = {0};
    size_t kept = 0;
    event_look(schedule, &nothing, times, out);
    for (size_t i = 0; i < out->count; i++) {
        if (out->events[i].kind == EVENT_OVERDUE) {
            out->events[kept++] = out->events[i];
        }
    }
    out->count = kept;
}

/* ---- bytes ---- */

enum { flag_ending = 1, flag_ended = 2 };

static void put(uint8_t *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t take(const uint8_t *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    return value;
}

void event_mark_encode(const struct event_mark *mark, uint8_t out[event_mark_bytes])
{
    put(out, (uint64_t)mark->opened_ns, 8);
    put(out + 8, (uint64_t)mark->closes_ns, 8);
    put(out + 16, (uint64_t)mark->gone_ns, 8);
    put(out + 24, mark->days, 4);
    put(out + 28, (mark->ending ? flag_ending : 0) | (mark->ended ? flag_ended : 0), 4);
}

bool event_mark_decode(struct span bytes, struct event_mark *out)
{
    if (bytes.len != event_mark_bytes) {
        return false;
    }
    uint64_t flags = take(bytes.ptr + 28, 4);
    *out = (struct event_mark){.told = true,
                               .ending = (flags & flag_ending) != 0,
                               .ended = (flags & flag_ended) != 0,
                               .days = (uint32_t)take(bytes.ptr + 24, 4),
                               .opened_ns = (int64_t)take(bytes.ptr, 8),
                               .closes_ns = (int64_t)take(bytes.ptr + 8, 8),
                               .gone_ns = (int64_t)take(bytes.ptr + 16, 8)};
    return flags <= (flag_ending | flag_ended);
}
