/* SPDX-License-Identifier: MIT */
/* The calls that change detours: tried, made durable, published. */
#include "control/api/internal.h"

#include "base/clock.h"
#include "config/time.h"
#include "control/api/view.h"
#include "schedule/schedule.h"

#include <errno.h>
#include <stdlib.h>

static struct store_who who_of(const struct admin_actor *actor)
{
    return actor->local ? (struct store_who){.via = STORE_VIA_SOCKET, .uid = actor->uid}
                        : (struct store_who){.via = STORE_VIA_TOKEN, .name = actor->token};
}

struct store_change turn_change_of(const struct turn *t, struct span key,
                                   const struct store_value *after)
{
    return (struct store_change){.time_ns = t->now_ns,
                                 .who = who_of(&t->call->actor),
                                 .owner = t->call->owner,
                                 .why = t->call->why,
                                 .key = key,
                                 .after = *after};
}

bool turn_preconditions_hold(struct turn *t, bool exists, const struct store_override *override)
{
    const struct admin_call *call = t->call;
    uint64_t number = override != NULL ? override->number : 0;
    bool good = !(call->if_none && exists) && !(call->if_exists && !exists) &&
                !(call->has_if_match && (number == 0 || call->if_match != number));
    if (!good) {
        admin_refuse(t->result, 412,
                     call->if_none ? "there is one of that name already"
                                   : "it is not as you saw it: look again, then decide");
    }
    return good;
}

void turn_refuse_store(struct turn *t, enum err err)
{
    if (err == ERR_RANGE) {
        admin_refuse(t->result, 422, "a name or a text of it is too long to be kept");
        return;
    }
    bool full = err == ERR_LIMIT || (err == ERR_IO && store_is_full(errno));
    admin_refuse(t->result, full ? 507 : 500,
                 "the change cannot be stored: %s; nothing was changed", err_why(err));
}

/* What is asked for and would be over already is a mistake in a time. */
static bool has_time_left(struct turn *t, const struct model *model)
{
    const struct model_detour *detour = turn_detour(model, t->call->site, t->call->name);
    bool asked =
        t->call->operation == ADMIN_PUT_DETOUR || t->call->operation == ADMIN_EXTEND_DETOUR;
    struct schedule_view now;
    if (!asked || detour == NULL) {
        return true;
    }
    schedule_at(&detour->schedule, t->now_ns, &now);
    if (now.state == SCHEDULE_OVER) {
        admin_refuse(t->result, 422, "its end is past already: say a later `until`");
    }
    return now.state != SCHEDULE_OVER;
}

/* The configuration with the changes in it; NULL: refused. */
static struct configuration *try_out(struct turn *t, const struct store_change *changes,
                                     size_t count)
{
    struct model_overrides overrides;
    struct configuration *trial = NULL;
    if (live_trial(t->api->live, changes, count, &t->arena, &overrides) == ERR_NONE) {
        trial = t->api->core.load(t->api->core.context, &overrides);
    }
    if (trial == NULL) {
        admin_refuse(t->result, 500, "out of memory");
        return NULL;
    }
    if (trial->model == NULL) {
        turn_refuse_problems(t, &trial->problems);
        configuration_free(&trial);
    } else if (!has_time_left(t, trial->model)) {
        configuration_free(&trial);
    }
    return trial;
}

uint64_t turn_stanza_now(const struct turn *t, struct span key)
{
    const struct store_override *override = turn_override(t, key);
    bool off = override != NULL && override->value.kind == STORE_OFF;
    if (override_is_server(key)) {
        const struct model_server *server = turn_server_of(t, key);
        return server != NULL ? server->stanza : off ? override->value.stanza : 0;
    }
    const struct model_detour *detour = turn_detour_of(t, key);
    return detour != NULL ? detour->stanza : off ? override->value.stanza : 0;
}

/* What the answer shows of a detour after the change, or as it would be; before the change
 * is in force. */
static json_t *shown(struct turn *t, const struct model *model, const struct store_change *made)
{
    if (override_is_server(made->key)) {
        return turn_server_shown(t, model, made);
    }
    size_t slash = span_find(made->key, 0, '/');
    struct span site = span_slice(made->key, 0, slash);
    struct span name = span_from(made->key, slash + 1);
    const struct model_detour *detour = turn_detour(model, site, name);
    const struct model_detour *was = turn_detour(turn_model(t), site, name);
    const struct store_override planned = {.key = made->key, .value = made->after};
    const struct store_override *override = turn_override(t, made->key);
    if (t->call->dry_run) {
        override = made->after.kind != STORE_NONE ? &planned : NULL;
    }
    if (detour != NULL) {
        return view_detour(model, detour, override, t->now_ns);
    }
    const struct unfit *unfit = turn_unfit(t, made->key);
    if (was == NULL && (override != NULL || unfit == NULL)) {
        return override != NULL ? view_off(override) : json_null();
    }
    const struct store_override gone = {.key = made->key,
                                        .value.json = was != NULL ? was->json : unfit->json};
    if (was == NULL) {
        return view_off(&gone);
    }
    json_t *view = view_off(override != NULL ? override : &gone);
    json_object_set_new(view, "cached_until", view_cached_until(was, t->now_ns));
    return view;
}

static json_t *shown_all(struct turn *t, const struct model *model,
                         const struct store_change *changes, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, shown(t, model, &changes[i]));
    }
    return list;
}

void turn_change_all(struct turn *t, const struct store_change *changes, size_t count,
                     uint16_t status, const char *list_name)
{
    struct configuration *trial = try_out(t, changes, count);
    if (trial == NULL) {
        return;
    }
    uint64_t generation = 0;
    enum err err = ERR_NONE;
    if (!t->call->dry_run) {
        uint64_t first;
        err = live_apply(t->api->live, changes, count, &first);
        if (err != ERR_NONE) {
            turn_refuse_store(t, err);
            configuration_free(&trial);
            return;
        }
        t->result->etag = list_name == NULL ? first : 0;
    }
    json_t *body = list_name != NULL
                       ? json_pack("{s:o}", list_name, shown_all(t, trial->model, changes, count))
                       : shown(t, trial->model, &changes[0]);
    if (t->call->dry_run && json_is_object(body)) {
        json_object_set_new(body, "dry_run", json_true());
    }
    turn_give(t, status, body);
    if (!t->call->dry_run) {
        err = t->api->core.replace(t->api->core.context, &trial, &generation);
    }
    configuration_free(&trial);
    if (err != ERR_NONE) {
        admin_refuse(t->result, 500,
                     "it is stored, and will be in force after the next reload, but cannot be "
                     "published now: %s",
                     err_text(err));
    } else if (generation != 0) {
        turn_wait(t, generation);
    }
}

struct span turn_dumped(struct turn *t, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    struct span copy = text != NULL ? arena_copy(&t->arena, span_cstr(text)) : (struct span){0};
    free(text);
    return copy;
}

void turn_put_value(struct turn *t, struct span key, struct span json, uint64_t stanza,
                    uint16_t status)
{
    struct store_value after = {.kind = STORE_SET, .json = json, .stanza = stanza};
    struct store_change one = turn_change_of(t, key, &after);
    if (json.len > store_value_bytes_max) {
        admin_refuse(t->result, 422, "it is longer than %d KiB", store_value_bytes_max >> 10);
        return;
    }
    turn_change_all(t, &one, 1, status, NULL);
}

/* Whole seconds; it lasts at least as long as was asked for. NULL: it is refused. */
static json_t *end_after(struct turn *t, int64_t since_ns, const json_t *length)
{
    int64_t ns;
    const char *text = json_string_value(length);
    if (text == NULL || !duration_parse(span_cstr(text), &ns) ||
        __builtin_add_overflow(ns, since_ns + NS_PER_SECOND - 1, &ns)) {
        admin_refuse(t->result, 422, "`for` must be a length of time like 30m or 2h");
        return NULL;
    }
    return view_time(ns);
}

json_t *turn_begin_now(const struct turn *t)
{
    char text[time_text_max];
    time_format(t->now_ns, text);
    return json_sprintf("%.19s.%09lldZ", text, (long long)(t->now_ns % NS_PER_SECOND));
}

/* What is switched on without a time begins now, and `for` counts from then: what is stored
 * says when. A window that repeats needs times that its owner has thought of. */
static bool settle_times(struct turn *t, json_t *content)
{
    json_t *length = json_object_get(content, "for");
    if (json_object_get(content, "from") != NULL || json_object_get(content, "repeat") != NULL) {
        return true;
    }
    if (length != NULL && json_object_get(content, "until") == NULL) {
        json_t *until = end_after(t, t->now_ns, length);
        if (until == NULL) {
            return false;
        }
        json_object_set_new(content, "until", until);
        json_object_del(content, "for");
    }
    json_object_set_new(content, "from", turn_begin_now(t));
    return true;
}

/* By its name only: under that of a host it would be another detour. */
static bool has_site(const struct model *model, struct span name)
{
    for (size_t i = 0; i < model->site_count; i++) {
        if (span_eq(model->sites[i].name, name)) {
            return true;
        }
    }
    return false;
}

void api_put_detour(struct turn *t)
{
    const struct admin_call *call = t->call;
    struct span key = turn_key(t, call->site, call->name);
    const struct model_detour *detour = turn_detour(turn_model(t), call->site, call->name);
    const struct store_override *override = turn_override(t, key);
    bool exists = detour != NULL || override != NULL;
    if (!has_site(turn_model(t), call->site)) {
        admin_refuse(t->result, 404, "there is no site %.*s; /v1/sites has the names of all",
                     SPAN_ARG(call->site));
        return;
    }
    if (!turn_preconditions_hold(t, exists, override) || !settle_times(t, call->content)) {
        return;
    }
    turn_put_value(t, key, turn_dumped(t, call->content), turn_stanza_now(t, key),
                   detour != NULL ? 200 : 201);
}

/* What takes a detour away: a mark above the file's stanza, or the end of what was said.
 * detour: NULL where the file does not fit what was said. brief, and where it is too large to be
 * kept: only that it is off. */
static struct store_change switch_off(struct turn *t, struct span key,
                                      const struct model_detour *detour, bool brief)
{
    uint64_t stanza = detour != NULL ? detour->stanza : 0;
    struct store_value after = {.kind = stanza != 0 ? STORE_OFF : STORE_NONE, .stanza = stanza};
    if (detour != NULL && stanza != 0 && !brief && detour->json.len <= store_value_bytes_max) {
        after.json = detour->json;
    }
    return turn_change_of(t, key, &after);
}

void api_delete_detour(struct turn *t)
{
    struct span key = turn_key(t, t->call->site, t->call->name);
    const struct model_detour *detour = turn_detour(turn_model(t), t->call->site, t->call->name);
    const struct store_override *override = turn_override(t, key);
    if (detour == NULL && turn_unfit(t, key) == NULL) {
        turn_not_found(t);
    } else if (turn_preconditions_hold(t, true, override)) {
        struct store_change one = switch_off(t, key, detour, false);
        turn_change_all(t, &one, 1, 200, NULL);
    }
}

void api_delete_all(struct turn *t)
{
    const struct model *model = turn_model(t);
    const struct unfit_list *unfit = &t->api->core.current(t->api->core.context)->unfit;
    size_t count = model->detour_count;
    struct store_change *changes =
        arena_array(&t->arena, count + unfit->count + 1, sizeof(*changes));
    if (changes == NULL) {
        admin_refuse(t->result, 500, "out of memory");
        return;
    }
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += model->detours[i].json.len;
    }
    bool brief = bytes > store_batch_bytes_max / 2;
    for (size_t i = 0; i < count; i++) {
        const struct model_detour *detour = &model->detours[i];
        struct span key = turn_key(t, model->sites[detour->site].name, detour->rule.name);
        changes[i] = switch_off(t, key, detour, brief);
    }
    for (size_t i = 0; i < unfit->count; i++) {
        struct span key = unfit->items[i].key;
        if (!override_is_server(key) && turn_detour_of(t, key) == NULL) {
            changes[count++] = switch_off(t, key, NULL, brief);
        }
    }
    if (count == 0) {
        turn_give(t, 200, json_pack("{s:[]}", "off"));
        return;
    }
    turn_change_all(t, changes, count, 200, "off");
}

/* Where more time is counted from: the end that it has, or now if it has none or is past it. */
static int64_t extended_from(const struct turn *t, const struct model_detour *detour)
{
    int64_t until = detour->schedule.until_ns;
    return until != SCHEDULE_NEVER && until > t->now_ns ? until : t->now_ns;
}

static json_t *new_end(struct turn *t, const struct model_detour *detour)
{
    json_t *until = json_object_get(t->call->content, "until");
    json_t *length = json_object_get(t->call->content, "for");
    if (detour->schedule.repeat != NULL) {
        admin_refuse(t->result, 409, "it repeats: replace it, and say when and how long");
        return NULL;
    }
    if ((until != NULL) == (length != NULL) || json_object_size(t->call->content) != 1) {
        admin_refuse(t->result, 422,
                     "say how much longer, {\"for\": \"30m\"}, or {\"until\": TIME}");
        return NULL;
    }
    return until != NULL ? json_incref(until) : end_after(t, extended_from(t, detour), length);
}

void api_extend_detour(struct turn *t)
{
    struct span key = turn_key(t, t->call->site, t->call->name);
    const struct model_detour *detour = turn_detour(turn_model(t), t->call->site, t->call->name);
    const struct store_override *override = turn_override(t, key);
    if (detour == NULL) {
        turn_not_found(t);
        return;
    }
    json_t *until = turn_preconditions_hold(t, true, override) ? new_end(t, detour) : NULL;
    if (until == NULL) {
        return;
    }
    json_t *json = json_loadb((const char *)detour->json.ptr, detour->json.len, 0, NULL);
    json_object_del(json, "for");
    json_object_set_new(json, "until", until);
    json_object_set_new(json, "site", view_text(t->call->site));
    json_object_set_new(json, "name", view_text(t->call->name));
    struct span text = turn_dumped(t, json);
    json_decref(json);
    turn_put_value(t, key, text, detour->stanza, 200);
}

/* Of one page of the history; 0: none. *below_inout: where the next page begins, 0 at its end. */
static uint64_t newest_of_page(const struct turn *t, const struct store_change *since,
                               uint64_t *below_inout)
{
    struct arena arena;
    struct store_change *items;
    size_t count = 0;
    uint64_t found = 0;
    arena_init(&arena, 0);
    enum err err =
        store_history(t->api->store, *below_inout, store_page_max, &arena, &items, &count);
    *below_inout = 0;
    for (size_t i = 0; err == ERR_NONE && i < count && found == 0; i++) {
        bool same = items[i].subject == since->subject && span_eq(items[i].key, since->key);
        found = same ? items[i].number : 0;
        *below_inout = items[i].number;
    }
    arena_fini(&arena);
    return found;
}

/* The number of the newest change of the same detour; 0: the history cannot be read. */
static uint64_t newest_change(const struct turn *t, const struct store_change *since)
{
    uint64_t below = 0;
    uint64_t found;
    do {
        found = newest_of_page(t, since, &below);
    } while (found == 0 && below > since->number);
    return found;
}

/* Puts back what was before a change, if nothing has happened to it since. It stands above what the
 * file says now, or a reload would take it away again. */
void api_revert_change(struct turn *t)
{
    struct store_change reverted;
    if (!turn_change(t, &reverted)) {
        return;
    }
    if (reverted.subject != STORE_DETOUR) {
        admin_refuse(t->result, 409, "that change was of a token, which cannot be taken back");
        return;
    }
    uint64_t newest = newest_change(t, &reverted);
    if (newest != reverted.number) {
        admin_refuse(t->result, 409,
                     "it was changed again since (change %llu): revert that one first",
                     (unsigned long long)newest);
        return;
    }
    struct store_value after = reverted.before;
    after.stanza = after.kind != STORE_NONE ? turn_stanza_now(t, reverted.key) : 0;
    if (after.kind == STORE_OFF && after.stanza == 0) {
        admin_refuse(t->result, 409, "the file does not have it any more: it is off already");
        return;
    }
    struct store_change one = turn_change_of(t, reverted.key, &after);
    one.cause = STORE_BY_REVERT;
    one.reverts = reverted.number;
    turn_change_all(t, &one, 1, 200, NULL);
}
