/* SPDX-License-Identifier: MIT */
/* Windows around a time, and what they make of it. */
#include "schedule/schedule.h"

#include <assert.h>

/* Openings that run together are remembered back to this many. */
enum { openings_max = 64 };

/* In ascending order, each once. */
struct openings {
    int64_t at[openings_max];
    size_t count;
};

/* The windows next to a time, after those that run together were joined. */
struct windows {
    bool any; /* one that has begun: */
    int64_t opened_ns;
    int64_t closes_ns;
    int64_t opens_ns; /* the next one; SCHEDULE_NEVER */
};

const char *schedule_state_text(enum schedule_state state)
{
    static const char *const texts[] = {[SCHEDULE_PLANNED] = "planned",
                                        [SCHEDULE_ACTIVE] = "active",
                                        [SCHEDULE_HELD] = "held",
                                        [SCHEDULE_OVER] = "over"};
    return texts[state];
}

/* Sums with SCHEDULE_NEVER and close to it. */
static int64_t later(int64_t ns, int64_t by_ns)
{
    return ns > SCHEDULE_NEVER - by_ns ? SCHEDULE_NEVER : ns + by_ns;
}

/* The time from then to now, as much of it as there is room for. */
static int64_t elapsed(int64_t then_ns, int64_t now_ns)
{
    int64_t out;
    return __builtin_sub_overflow(now_ns, then_ns, &out) ? INT64_MAX : out;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The oldest gives way. */
static void openings_add(struct openings *openings, int64_t ns)
{
    size_t i = openings->count;
    while (i > 0 && openings->at[i - 1] > ns) {
        i--;
    }
    bool known = i > 0 && openings->at[i - 1] == ns;
    bool full = openings->count == openings_max;
    if (known || (full && i == 0)) {
        return;
    }
    if (full) {
        memmove(&openings->at[0], &openings->at[1], (i - 1) * sizeof(int64_t));
        openings->at[i - 1] = ns;
        return;
    }
    memmove(&openings->at[i + 1], &openings->at[i], (openings->count - i) * sizeof(int64_t));
    openings->at[i] = ns;
    openings->count++;
}

static struct windows join(const struct openings *openings, const struct schedule *s,
                           int64_t now_ns)
{
    int64_t length = s->until_ns - s->from_ns;
    struct windows out = {.opens_ns = SCHEDULE_NEVER};
    for (size_t i = 0; i < openings->count; i++) {
        int64_t at = openings->at[i];
        bool joined = out.any && at <= out.closes_ns + s->return_over_ns;
        if (!joined && at > now_ns) {
            out.opens_ns = at;
            return out;
        }
        out.opened_ns = joined ? out.opened_ns : at;
        out.closes_ns = at + length;
        out.any = true;
    }
    return out;
}

/* Windows from from_ns on. */
static struct windows windows_since(const struct schedule *s, int64_t from_ns, int64_t now_ns)
{
    struct openings openings = {0};
    struct recurrence_walk walk;
    int64_t ns;
    int64_t bound;
    recurrence_walk_init(&walk, s->repeat, from_ns);
    while (recurrence_next(&walk, &ns, &bound)) {
        openings_add(&openings, ns);
        if (bound > now_ns && bound >= join(&openings, s, now_ns).opens_ns) {
            break;
        }
    }
    return join(&openings, s, now_ns);
}

/* Looks back until the last window is found, and nothing that could be one with it lies
 * before. */
static struct windows repeated_windows(const struct schedule *s, int64_t now_ns)
{
    int64_t reach = later(s->until_ns - s->from_ns, s->return_over_ns);
    int64_t most = now_ns > s->from_ns ? elapsed(s->from_ns, now_ns) : 0;
    int64_t back = later(reach, recurrence_period_ns(s->repeat));
    for (;; back = later(back, back)) {
        bool all = back >= most;
        int64_t since = all ? s->from_ns : now_ns - back;
        struct windows windows = windows_since(s, since, now_ns);
        if (all || (windows.any && windows.opened_ns - since > reach)) {
            return windows;
        }
    }
}

static struct windows single_window(const struct schedule *s, int64_t now_ns)
{
    bool begun = s->from_ns <= now_ns;
    return (struct windows){.any = begun,
                            .opened_ns = s->from_ns,
                            .closes_ns = s->until_ns,
                            .opens_ns = begun ? SCHEDULE_NEVER : s->from_ns};
}

/* The last window is gone. */
static void view_closed(const struct windows *windows, struct schedule_view *out)
{
    out->state = windows->opens_ns == SCHEDULE_NEVER ? SCHEDULE_OVER : SCHEDULE_PLANNED;
    out->joins_ns = windows->opens_ns;
    out->next_ns = windows->opens_ns;
}

/* Steps of a ramp that began at begin_ns; *next_out: when the next one comes. */
static uint32_t steps_done(int64_t begin_ns, int64_t length_ns, int64_t now_ns, int64_t *next_out)
{
    int64_t step = length_ns / schedule_steps;
    int64_t since = elapsed(begin_ns, now_ns);
    if (step == 0 || since >= step * schedule_steps) {
        *next_out = SCHEDULE_NEVER;
        return schedule_steps;
    }
    int64_t done = since / step;
    *next_out = begin_ns + (done + 1) * step;
    return (uint32_t)done;
}

static void view_open(const struct schedule *s, int64_t now_ns, struct schedule_view *out)
{
    uint32_t done = schedule_steps;
    int64_t step = SCHEDULE_NEVER;
    if (s->ramp_ns > 0) {
        done = steps_done(out->opened_ns, s->ramp_ns, now_ns, &step);
    }
    out->state = SCHEDULE_ACTIVE;
    out->share_ppm = done * (schedule_full_ppm / schedule_steps);
    out->joins_ns = step;
    out->leaves_ns = out->closes_ns;
    out->gone_ns = s->hold ? SCHEDULE_NEVER : later(out->closes_ns, s->return_over_ns);
    out->next_ns = sooner(step, out->closes_ns);
}

static void view_returning(const struct schedule *s, const struct windows *windows, int64_t now_ns,
                           struct schedule_view *out)
{
    int64_t step;
    uint32_t done = steps_done(out->closes_ns, s->return_over_ns, now_ns, &step);
    if (done == schedule_steps) {
        view_closed(windows, out);
        return;
    }
    out->state = SCHEDULE_ACTIVE;
    out->share_ppm = (schedule_steps - done) * (schedule_full_ppm / schedule_steps);
    out->joins_ns = windows->opens_ns;
    out->leaves_ns = step;
    out->gone_ns = later(out->closes_ns, s->return_over_ns);
    out->next_ns = sooner(step, windows->opens_ns);
}

/* Nobody knows when it will be let go, or pulled. */
static void view_triggered(const struct schedule_trigger *trigger, struct schedule_view *out)
{
    *out = (struct schedule_view){.state = SCHEDULE_PLANNED,
                                  .opened_ns = SCHEDULE_NEVER,
                                  .closes_ns = SCHEDULE_NEVER,
                                  .opens_ns = SCHEDULE_NEVER,
                                  .joins_ns = SCHEDULE_NEVER,
                                  .leaves_ns = SCHEDULE_NEVER,
                                  .gone_ns = SCHEDULE_NEVER,
                                  .next_ns = SCHEDULE_NEVER};
    if (trigger->pulled) {
        out->state = SCHEDULE_ACTIVE;
        out->opened_ns = trigger->since_ns;
        out->share_ppm = schedule_full_ppm;
    }
}

void schedule_at(const struct schedule *s, int64_t now_ns, struct schedule_view *out)
{
    if (s->trigger != NULL) {
        view_triggered(s->trigger, out);
        return;
    }
    struct windows windows =
        s->repeat != NULL ? repeated_windows(s, now_ns) : single_window(s, now_ns);
    struct schedule_view view = {.opened_ns = windows.any ? windows.opened_ns : SCHEDULE_NEVER,
                                 .closes_ns = windows.any ? windows.closes_ns : SCHEDULE_NEVER,
                                 .opens_ns = windows.opens_ns,
                                 .joins_ns = SCHEDULE_NEVER,
                                 .leaves_ns = SCHEDULE_NEVER,
                                 .gone_ns = SCHEDULE_NEVER,
                                 .next_ns = SCHEDULE_NEVER};
    if (!windows.any) {
        view_closed(&windows, &view);
    } else if (now_ns < windows.closes_ns) {
        view_open(s, now_ns, &view);
    } else if (s->hold) {
        view.state = SCHEDULE_HELD;
        view.share_ppm = schedule_full_ppm;
    } else {
        view_returning(s, &windows, now_ns, &view);
    }
    assert(view.next_ns > now_ns);
    *out = view;
}

bool schedule_views_equal(const struct schedule_view *a, const struct schedule_view *b)
{
    return a->state == b->state && a->opened_ns == b->opened_ns && a->closes_ns == b->closes_ns &&
           a->opens_ns == b->opens_ns && a->share_ppm == b->share_ppm &&
           a->joins_ns == b->joins_ns && a->leaves_ns == b->leaves_ns && a->gone_ns == b->gone_ns &&
           a->next_ns == b->next_ns;
}
