/* SPDX-License-Identifier: MIT */
/* When a detour is open: from, until or for, repeat, zone, ramp, return_over and at_end. */
#include "config/rule.h"

#include "base/clock.h"
#include "config/time.h"

/* What the window's parts are read with. */
struct window {
    struct load *load;
    const struct node *const *at;
    const struct node *node;
    const struct zone *zone; /* of `zone:`, for times that name none; NULL */
    struct span zone_name;
    struct time_result from;
    struct schedule *schedule;
};

/* ---- zones ---- */

/* "Berlin" is part of Europe/Berlin; everything else is compared letter by letter. */
static const char *zone_hint(struct load *load, struct span wanted)
{
    size_t count;
    const struct span *names = zones_list(load->scratch, &count);
    for (size_t i = 0; names != NULL && i < count; i++) {
        size_t slash = names[i].len;
        while (slash > 0 && names[i].ptr[slash - 1] != '/') {
            slash--;
        }
        if (slash > 0 && span_eq_ci(span_from(names[i], slash), wanted)) {
            const char *text =
                arena_printf(load->scratch, "; did you mean `%.*s`?", SPAN_ARG(names[i]));
            return text != NULL ? text : "";
        }
    }
    return names != NULL ? load_hint(load, wanted, names, count) : "";
}

static bool read_zone(struct window *w)
{
    struct load *load = w->load;
    const struct node *node = w->at[KEY_ZONE];
    if (node == NULL) {
        return true;
    }
    if (node->kind != NODE_SCALAR) {
        return read_refuse(load, node, "a time zone like Europe/Berlin");
    }
    enum err err = zones_find(&load->zones, node->text, &w->zone);
    if (err == ERR_IO) {
        problems_error(load->problems, node->place,
                       "the time zones cannot be read; install the package tzdata");
    } else if (err != ERR_NONE) {
        const char *hint = zone_hint(load, node->text);
        problems_error(load->problems, node->place, "there is no time zone `%.*s`%s",
                       SHOW(node->text), hint[0] != 0 ? hint : "; write one like Europe/Berlin");
    }
    w->zone_name = node->text;
    return err == ERR_NONE;
}

/* ---- from, until and for ---- */

static bool read_time(struct window *w, const struct node *node, struct time_result *result)
{
    struct load *load = w->load;
    if (node->kind != NODE_SCALAR) {
        return read_refuse(load, node, "a time like 2026-12-01T02:00:00Z");
    }
    enum err err = time_parse_in(node->text, &load->zones, w->zone, result);
    if (err != ERR_NONE) {
        const char *hint = err == ERR_NOTFOUND ? zone_hint(load, result->zone_name) : "";
        problems_error(load->problems, node->place, "the time \"%.*s\" is not understood: %s%s",
                       SHOW(node->text),
                       hint[0] != 0 ? "that time zone is not known" : result->reason, hint);
        return false;
    }
    char text[time_text_max];
    if (result->kind != LOCAL_ONCE) {
        problems_warning(load->problems, node->place,
                         "\"%.*s\" %s there, since the clock changes; it is taken as %s",
                         SHOW(node->text),
                         result->kind == LOCAL_GAP ? "does not exist" : "comes twice",
                         time_format(result->ns, text));
    }
    return true;
}

static bool read_from(struct window *w)
{
    const struct node *node = w->at[KEY_FROM];
    if (node == NULL) {
        return true;
    }
    if (!read_time(w, node, &w->from)) {
        return false;
    }
    if (w->zone_name.len > 0 && w->from.zone_name.len > 0 &&
        !span_eq(w->zone_name, w->from.zone_name)) {
        problems_error(w->load->problems, w->at[KEY_ZONE]->place,
                       "`zone` is not that of `from`, %.*s; keep one of them",
                       SHOW(w->from.zone_name));
        return false;
    }
    w->schedule->from_ns = w->from.ns;
    return true;
}

/* A length; whole seconds, at least one. */
static bool read_length(struct window *w, enum rule_key key, int64_t *ns_out)
{
    const struct node *node = w->at[key];
    int64_t seconds;
    if (!read_duration_s(w->load, node, &seconds)) {
        return false;
    }
    if (seconds == 0) {
        return read_refuse(w->load, node, "at least 1s");
    }
    *ns_out = seconds * NS_PER_SECOND;
    return true;
}

static bool read_for(struct window *w)
{
    const struct node *node = w->at[KEY_FOR];
    int64_t length = 0;
    if (w->at[KEY_UNTIL] != NULL) {
        problems_error(w->load->problems, node->key->place,
                       "`until` and `for` exclude each other; keep one of them");
        return false;
    }
    if (w->at[KEY_FROM] == NULL) {
        problems_error(w->load->problems, node->key->place,
                       "`for` counts from `from`, which is missing; add it, or write `until`");
        return false;
    }
    if (!read_length(w, KEY_FOR, &length)) {
        return false;
    }
    w->schedule->until_ns = w->schedule->from_ns + length;
    return true;
}

static bool read_end(struct window *w)
{
    const struct node *node = w->at[KEY_UNTIL];
    struct time_result until = {0};
    if (w->at[KEY_FOR] != NULL) {
        return read_for(w);
    }
    if (node == NULL) {
        problems_error(w->load->problems, w->node->place,
                       "a detour needs an end: `until: 2026-12-01T04:00:00Z`, `for: 30m`, or "
                       "`until: off` when it has none");
        return false;
    }
    if (node_is_word(node, "off")) {
        return true;
    }
    if (!read_time(w, node, &until)) {
        return false;
    }
    w->schedule->until_ns = until.ns;
    if (until.ns <= w->schedule->from_ns) {
        problems_error(w->load->problems, node->place,
                       "`until` is not after `from`, so this detour would never be open; swap or "
                       "mend them");
        return false;
    }
    return true;
}

static bool is_open_end(const struct window *w)
{
    return w->schedule->until_ns == TIME_NEVER;
}

/* ---- repeat ---- */

static struct recurrence_start start_of(const struct window *w)
{
    struct recurrence_start start = {.local_s = w->from.local_s,
                                     .fraction_ns = w->from.fraction_ns,
                                     .zone = w->from.zone,
                                     .offset_s = w->from.offset_s};
    if (start.zone == NULL && w->zone != NULL) {
        start.zone = w->zone;
        start.local_s = zone_local(w->zone, w->from.local_s - w->from.offset_s);
    }
    return start;
}

static const char *length_text(struct load *load, int64_t ns)
{
    static const struct {
        int64_t seconds;
        const char *unit;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
    int64_t seconds = ns / NS_PER_SECOND;
    size_t i = 0;
    while (i < 3 && seconds % units[i].seconds != 0) {
        i++;
    }
    const char *text = arena_printf(load->scratch, "%lld%s",
                                    (long long)(seconds / units[i].seconds), units[i].unit);
    return text != NULL ? text : "?";
}

static bool check_spacing(struct window *w, const struct recurrence *repeat)
{
    const struct schedule *s = w->schedule;
    int64_t length = s->until_ns - s->from_ns;
    int64_t spacing = recurrence_spacing_ns(repeat);
    if (spacing == INT64_MAX || spacing - s->return_over_ns > length) {
        return true;
    }
    problems_error(w->load->problems, w->at[KEY_REPEAT]->place,
                   "`repeat` comes again after %s, but each window lasts %s%s%s, so it would "
                   "never close; let it come less often or be shorter",
                   length_text(w->load, spacing), length_text(w->load, length),
                   s->return_over_ns > 0 ? " and returns over " : "",
                   s->return_over_ns > 0 ? length_text(w->load, s->return_over_ns) : "");
    return false;
}

static bool repeat_may_stand(struct window *w)
{
    struct problems *problems = w->load->problems;
    struct place place = w->at[KEY_REPEAT]->key->place;
    if (w->at[KEY_FROM] == NULL) {
        problems_error(problems, place,
                       "`repeat` counts from `from`, which is missing; add the first time, like "
                       "2026-12-06T02:00 Europe/Berlin");
    } else if (is_open_end(w)) {
        problems_error(
            problems, place,
            "`repeat` needs windows that end; write how long one lasts, like `for: 30m`");
    } else if (w->schedule->hold) {
        problems_error(problems, place,
                       "`repeat` needs windows that end, and `at_end: hold` keeps them open; take "
                       "one of both away");
    } else {
        return true;
    }
    return false;
}

static bool read_repeat(struct window *w)
{
    struct load *load = w->load;
    const struct node *node = w->at[KEY_REPEAT];
    const struct recurrence *repeat;
    const char *reason;
    if (node == NULL) {
        return true;
    }
    if (node->kind != NODE_SCALAR) {
        return read_refuse(load, node, "a rule like FREQ=WEEKLY;BYDAY=SU");
    }
    if (!repeat_may_stand(w)) {
        return false;
    }
    struct recurrence_start start = start_of(w);
    enum err err = recurrence_read(node->text, &start, load->arena, &repeat, &reason);
    if (err == ERR_NOTFOUND) {
        problems_error(load->problems, node->place,
                       "\"%.*s\" never comes at or after `from`, so this detour would never be "
                       "open; mend it",
                       SHOW(node->text));
    } else if (err != ERR_NONE) {
        problems_error(load->problems, node->place, "\"%.*s\" is not understood: %s",
                       SHOW(node->text), reason);
    }
    if (err != ERR_NONE || !check_spacing(w, repeat)) {
        return false;
    }
    char text[time_text_max];
    if (recurrence_first_ns(repeat) != w->schedule->from_ns) {
        problems_warning(load->problems, node->place,
                         "`from` is not one of the times of `repeat`; it opens at %s first",
                         time_format(recurrence_first_ns(repeat), text));
    }
    w->schedule->repeat = repeat;
    return true;
}

/* ---- ramps, and the end ---- */

static bool read_at_end(struct window *w)
{
    const struct node *node = w->at[KEY_AT_END];
    if (node == NULL || node_is_word(node, "return")) {
        return true;
    }
    if (!node_is_word(node, "hold")) {
        return read_refuse(w->load, node, "`return` or `hold`");
    }
    if (is_open_end(w)) {
        problems_error(w->load->problems, node->place,
                       "`at_end: hold` goes on past an end, and there is none; take it away, or "
                       "write when it should be over");
        return false;
    }
    w->schedule->hold = true;
    return true;
}

static bool read_ramp(struct window *w)
{
    const struct node *node = w->at[KEY_RAMP];
    struct schedule *s = w->schedule;
    if (node == NULL) {
        return true;
    }
    if (!read_length(w, KEY_RAMP, &s->ramp_ns)) {
        return false;
    }
    if (w->at[KEY_FROM] == NULL) {
        problems_error(w->load->problems, node->key->place,
                       "`ramp` begins at `from`, which is missing; add it");
        return false;
    }
    if (!is_open_end(w) && s->ramp_ns > s->until_ns - s->from_ns) {
        problems_error(w->load->problems, node->place,
                       "`ramp` is longer than the window, %s; make it shorter",
                       length_text(w->load, s->until_ns - s->from_ns));
        return false;
    }
    return true;
}

static bool read_return_over(struct window *w)
{
    const struct node *node = w->at[KEY_RETURN_OVER];
    if (node == NULL) {
        return true;
    }
    if (is_open_end(w) || w->schedule->hold) {
        problems_error(w->load->problems, node->key->place,
                       "`return_over` begins when the detour ends by itself, which %s; take one of "
                       "both away",
                       w->schedule->hold ? "`at_end: hold` prevents" : "`until: off` prevents");
        return false;
    }
    return read_length(w, KEY_RETURN_OVER, &w->schedule->return_over_ns);
}

/* ---- all of it ---- */

bool read_window(struct load *load, const struct node *const *at, const struct node *node,
                 struct schedule *out)
{
    *out = (struct schedule){.from_ns = SCHEDULE_EVER, .until_ns = SCHEDULE_NEVER};
    struct window w = {.load = load, .at = at, .node = node, .schedule = out};
    bool good = read_zone(&w);
    /* Without its zone a time would be reported as one that lacks it. */
    good = good && read_from(&w);
    good = (at[KEY_ZONE] == NULL || good) && read_end(&w) && good;
    if (!good) {
        return false;
    }
    good = read_at_end(&w);
    good = read_ramp(&w) && good;
    good = read_return_over(&w) && good;
    return good && read_repeat(&w);
}
