/* SPDX-License-Identifier: MIT */
/* Messages have the form of Standard Webhooks: type, timestamp, data. */
#include "control/tell/telling.h"

#include "base/log.h"
#include "config/time.h"
#include "control/api/view.h"
#include "events/webhook.h"

#include <assert.h>
#include <stdlib.h>

static_assert((int)MODEL_EVENT_STARTED == (int)EVENT_STARTED &&
                  (int)MODEL_EVENT_ENDING == (int)EVENT_ENDING &&
                  (int)MODEL_EVENT_ENDED == (int)EVENT_ENDED &&
                  (int)MODEL_EVENT_OVERDUE == (int)EVENT_OVERDUE &&
                  (int)MODEL_EVENT_REFUSED == (int)EVENT_REFUSED &&
                  (int)MODEL_EVENTS == (int)EVENT_KINDS,
              "what the file names and what is told are the same");

enum { changes_looked_at = 200 };

/* ---- the change behind it ---- */

/* The newest change of a detour that run time says nothing of any more. */
static bool find_last_change(const struct telling *t, struct arena *arena, struct store_change *out)
{
    struct store_change *items;
    size_t count = 0;
    if (store_history(t->store, 0, changes_looked_at, arena, &items, &count) != ERR_NONE) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (items[i].subject == STORE_DETOUR && span_eq(items[i].key, t->key)) {
            *out = items[i];
            return items[i].time_ns >= t->since_ns;
        }
    }
    return false;
}

/* False: the file alone has said so. */
static bool find_change(const struct telling *t, struct arena *arena, struct store_change *out)
{
    if (t->store == NULL || t->live == NULL) {
        return false;
    }
    const struct store_override *override = live_find(t->live, t->key);
    if (override != NULL) {
        return store_change_find(t->store, override->number, arena, out) == ERR_NONE;
    }
    return find_last_change(t, arena, out);
}

/* ---- JSON ---- */

/* What a detour was is in its own view; a message is no place to keep it twice. */
static json_t *short_change(const struct store_change *change)
{
    json_t *view = view_change(change);
    json_object_del(view, "before");
    json_object_del(view, "after");
    json_object_del(view, "subject");
    json_object_del(view, "key");
    return view;
}

static json_t *detour_json(const struct telling *t, const struct store_change *change)
{
    const struct store_override *override = t->live != NULL ? live_find(t->live, t->key) : NULL;
    const struct store_override gone = {
        .key = t->key,
        .value.json = change != NULL ? change->before.json : (struct span){0},
    };
    if (t->detour != NULL) {
        return view_detour(t->model, t->detour, override, t->now_ns);
    }
    return view_off(override != NULL ? override : &gone);
}

/* "schedule", "change", or "origin" where the probes of one say when. */
static const char *cause_of(const struct telling *t)
{
    bool triggered = t->detour != NULL && t->detour->schedule.trigger != NULL;
    return triggered ? "origin" : t->event->by_schedule ? "schedule" : "change";
}

static char *message(enum event_kind kind, int64_t time_ns, json_t *data)
{
    char type[32];
    snprintf(type, sizeof(type), "detour.%s", event_kind_text(kind));
    json_t *json =
        json_pack("{s:s, s:o, s:o}", "type", type, "timestamp", view_time(time_ns), "data", data);
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

char *telling_json(const struct telling *t)
{
    struct arena arena;
    struct store_change change;
    arena_init(&arena, 0);
    bool changed = find_change(t, &arena, &change);
    json_t *detour = detour_json(t, changed ? &change : NULL);
    char *text = NULL;
    for (int tries = 0; tries < 2; tries++) {
        json_t *data = json_pack("{s:O, s:s, s:o}", "detour", detour, "cause", cause_of(t),
                                 "change", changed ? short_change(&change) : json_null());
        free(text);
        text = message(t->event->kind, t->event->time_ns, data);
        if (text == NULL || strlen(text) <= webhook_content_bytes_max) {
            break;
        }
        json_object_set_new(detour, "detour", json_null()); /* it can be asked for */
    }
    json_decref(detour);
    arena_fini(&arena);
    return text;
}

static const char *operation_text(enum admin_operation operation)
{
    switch (operation) {
    case ADMIN_PUT_DETOUR:
        return "on";
    case ADMIN_DELETE_DETOUR:
        return "off";
    case ADMIN_DELETE_ALL:
        return "off --all";
    case ADMIN_EXTEND_DETOUR:
        return "extend";
    default:
        return "revert";
    }
}

static json_t *text_or_null(struct span text)
{
    return text.len > 0 ? view_text(text) : json_null();
}

/* As many as a message has room for. */
static json_t *first_problems(const json_t *problems)
{
    enum { problems_max = 20 };
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(problems) && i < problems_max; i++) {
        json_array_append(list, json_array_get(problems, i));
    }
    return list;
}

char *telling_refused_json(const struct admin_call *call, const struct admin_result *result,
                           int64_t now_ns)
{
    const struct admin_actor *actor = &call->actor;
    json_t *who = json_pack("{s:s, s:o, s:o}", "via", actor->local ? "socket" : "token", "uid",
                            actor->local ? json_integer(actor->uid) : json_null(), "name",
                            actor->local ? json_null() : view_text(actor->token));
    json_t *errors = first_problems(result->problems);
    json_t *data = json_pack("{s:s, s:o, s:o, s:i, s:s, s:o, s:o, s:o, s:o}", "operation",
                             operation_text(call->operation), "site", text_or_null(call->site),
                             "name", text_or_null(call->name), "status", (int)result->status,
                             "detail", result->detail, "errors", errors, "who", who, "owner",
                             text_or_null(call->owner), "why", text_or_null(call->why));
    return message(EVENT_REFUSED, now_ns, data);
}

/* ---- the log ---- */

void telling_log(const struct telling *t)
{
    char at[time_text_max];
    char closes[time_text_max];
    const struct event *event = t->event;
    bool triggered = t->detour != NULL && t->detour->schedule.trigger != NULL;
    const char *cause = triggered            ? "by its origin"
                        : event->by_schedule ? "by schedule"
                                             : "by a change";
    bool has_end = event->closes_ns != SCHEDULE_NEVER;
    time_format(event->time_ns, at);
    if (has_end) {
        time_format(event->closes_ns, closes);
    }
    switch (event->kind) {
    case EVENT_STARTED:
        log_info("event started: detour %.*s at %s, %s, %s%s", SPAN_ARG(t->key), at, cause,
                 has_end ? "until " : "without an end", has_end ? closes : "");
        break;
    case EVENT_ENDING:
        log_info("event ending: detour %.*s ends at %s", SPAN_ARG(t->key), closes);
        break;
    case EVENT_ENDED:
        log_info("event ended: detour %.*s at %s, %s", SPAN_ARG(t->key), at, cause);
        break;
    default:
        log_warning("event overdue: detour %.*s should have ended at %s", SPAN_ARG(t->key), closes);
        break;
    }
}

void telling_refused_log(const struct admin_call *call, const struct admin_result *result)
{
    bool one = call->site.len > 0;
    char who[32];
    snprintf(who, sizeof(who), "user %u", call->actor.uid);
    log_warning("event refused: %s%s%.*s%s%.*s, asked for by %s%.*s: %u, %s",
                operation_text(call->operation), one ? " of detour " : "", SPAN_ARG(call->site),
                one ? "/" : "", SPAN_ARG(call->name), call->actor.local ? who : "token ",
                SPAN_ARG(call->actor.token), result->status, result->detail);
}
