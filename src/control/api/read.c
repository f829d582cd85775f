/* SPDX-License-Identifier: MIT */
/* The calls that only look. */
#include "control/api/internal.h"

#include "control/api/export.h"
#include "control/api/view.h"
#include "events/webhook.h"
#include "schedule/schedule.h"

struct span turn_key(struct turn *t, struct span site, struct span name)
{
    char *text = arena_printf(&t->arena, "%.*s/%.*s", SPAN_ARG(site), SPAN_ARG(name));
    return text != NULL ? span_cstr(text) : SPAN("");
}

const struct model_detour *turn_detour(const struct model *model, struct span site,
                                       struct span name)
{
    for (size_t i = 0; i < model->detour_count; i++) {
        const struct model_detour *detour = &model->detours[i];
        if (span_eq(detour->rule.name, name) && span_eq(model->sites[detour->site].name, site)) {
            return detour;
        }
    }
    return NULL;
}

const struct model_detour *turn_detour_of(const struct turn *t, struct span key)
{
    size_t slash = span_find(key, 0, '/');
    return turn_detour(turn_model(t), span_slice(key, 0, slash), span_from(key, slash + 1));
}

const struct store_override *turn_override(const struct turn *t, struct span key)
{
    return t->api->live != NULL ? live_find(t->api->live, key) : NULL;
}

static json_t *view_of(struct turn *t, const struct model *model, const struct model_detour *detour)
{
    struct span key = turn_key(t, model->sites[detour->site].name, detour->rule.name);
    const struct unfit *unfit = turn_unfit(t, key);
    json_t *view =
        view_detour(model, detour, unfit == NULL ? turn_override(t, key) : NULL, t->now_ns);
    if (unfit != NULL) {
        json_object_set_new(view, "problem",
                            json_sprintf("what was set at run time is set aside: %s", unfit->why));
    }
    return view;
}

const struct unfit *turn_unfit(const struct turn *t, struct span key)
{
    const struct configuration *current = t->api->core.current(t->api->core.context);
    return unfit_find(&current->unfit, key);
}

static void add_unfit(struct turn *t, json_t *list)
{
    const struct configuration *current = t->api->core.current(t->api->core.context);
    for (size_t i = 0; i < current->unfit.count; i++) {
        const struct unfit *unfit = &current->unfit.items[i];
        if (!override_is_server(unfit->key) && turn_detour_of(t, unfit->key) == NULL) {
            json_array_append_new(list, view_unfit(turn_override(t, unfit->key), unfit->why));
        }
    }
}

void api_list_detours(struct turn *t)
{
    const struct model *model = turn_model(t);
    json_t *list = json_array();
    for (size_t i = 0; i < model->detour_count; i++) {
        json_array_append_new(list, view_of(t, model, &model->detours[i]));
    }
    const struct model_overrides *overrides =
        t->api->live != NULL ? live_overrides(t->api->live) : NULL;
    for (size_t i = 0; overrides != NULL && i < overrides->count; i++) {
        if (overrides->items[i].off && !override_is_server(overrides->items[i].key)) {
            json_array_append_new(list, view_off(turn_override(t, overrides->items[i].key)));
        }
    }
    add_unfit(t, list);
    struct api_status status;
    t->api->core.status(t->api->core.context, &status);
    turn_give(
        t, 200,
        json_pack("{s:I, s:o}", "generation", (json_int_t)status.generation, "detours", list));
}

void turn_not_found(struct turn *t)
{
    const struct unfit *unfit = turn_unfit(t, turn_key(t, t->call->site, t->call->name));
    if (unfit != NULL) {
        admin_refuse(t->result, 409, "it is set aside, since it does not fit the file: %s",
                     unfit->why);
        return;
    }
    admin_refuse(t->result, 404, "there is no detour %.*s of the site %.*s",
                 SPAN_ARG(t->call->name), SPAN_ARG(t->call->site));
}

void api_get_detour(struct turn *t)
{
    const struct model *model = turn_model(t);
    const struct model_detour *detour = turn_detour(model, t->call->site, t->call->name);
    const struct store_override *override =
        turn_override(t, turn_key(t, t->call->site, t->call->name));
    if (detour == NULL && override == NULL) {
        turn_not_found(t);
        return;
    }
    t->result->etag = override != NULL ? override->number : 0;
    const struct unfit *unfit = turn_unfit(t, turn_key(t, t->call->site, t->call->name));
    turn_give(t, 200,
              detour != NULL  ? view_of(t, model, detour)
              : unfit != NULL ? view_unfit(override, unfit->why)
                              : view_off(override));
}

void api_list_changes(struct turn *t)
{
    struct store_change *items = NULL;
    size_t count = 0;
    if (t->api->store != NULL) {
        enum err err =
            store_history(t->api->store, t->call->below, t->call->limit, &t->arena, &items, &count);
        if (err != ERR_NONE) {
            admin_refuse(t->result, 500, "the history cannot be read: %s", err_text(err));
            return;
        }
    }
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, view_change(&items[i]));
    }
    /* Large ones make a page shorter than it may be. */
    bool more = count > 0 && items[count - 1].number > 1;
    turn_give(t, 200,
              json_pack("{s:o, s:o}", "changes", list, "next",
                        more ? json_integer((json_int_t)items[count - 1].number) : json_null()));
}

bool turn_change(struct turn *t, struct store_change *out)
{
    if (t->api->store == NULL ||
        store_change_find(t->api->store, t->call->number, &t->arena, out) != ERR_NONE) {
        admin_refuse(t->result, 404, "there is no change %llu, or it is forgotten",
                     (unsigned long long)t->call->number);
        return false;
    }
    return true;
}

void api_get_change(struct turn *t)
{
    struct store_change change;
    if (turn_change(t, &change)) {
        turn_give(t, 200, view_change(&change));
    }
}

void api_list_sites(struct turn *t)
{
    turn_give(t, 200, view_sites(turn_model(t)));
}

static json_t *count_detours(const struct turn *t)
{
    const struct model *model = turn_model(t);
    json_int_t counts[SCHEDULE_OVER + 1] = {0};
    json_int_t live = 0;
    json_int_t off = 0;
    for (size_t i = 0; i < model->detour_count; i++) {
        struct schedule_view now;
        schedule_at(&model->detours[i].schedule, t->now_ns, &now);
        counts[now.state]++;
        live += model->detours[i].live;
    }
    const struct model_overrides *overrides =
        t->api->live != NULL ? live_overrides(t->api->live) : NULL;
    for (size_t i = 0; overrides != NULL && i < overrides->count; i++) {
        off += overrides->items[i].off && !override_is_server(overrides->items[i].key);
    }
    const struct configuration *current = t->api->core.current(t->api->core.context);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "planned", counts[SCHEDULE_PLANNED],
                     "active", counts[SCHEDULE_ACTIVE], "held", counts[SCHEDULE_HELD], "over",
                     counts[SCHEDULE_OVER], "live", live, "off", off, "unfit",
                     (json_int_t)current->unfit.count);
}

/* Of the newest change; 0: there was none, or nobody can tell. */
static uint64_t newest_change(struct turn *t)
{
    struct store_change *items = NULL;
    size_t count = 0;
    bool known = t->api->store != NULL &&
                 store_history(t->api->store, 0, 1, &t->arena, &items, &count) == ERR_NONE;
    return known && count > 0 ? items[0].number : 0;
}

static json_t *webhook_json(const struct webhook_view *view)
{
    json_t *last = view->last_ns != 0
                       ? json_pack("{s:o, s:b, s:s}", "time", view_time(view->last_ns), "ok",
                                   view->last_good, "result", view->last)
                       : json_null();
    return json_pack("{s:o, s:I, s:o}", "url", view_text(view->url), "pending",
                     (json_int_t)view->pending, "last", last);
}

static json_t *webhooks_json(const struct webhooks *webhooks)
{
    json_t *list = json_array();
    for (size_t i = 0; i < webhooks_count(webhooks); i++) {
        struct webhook_view view;
        webhooks_view(webhooks, i, &view);
        json_array_append_new(list, webhook_json(&view));
    }
    return list;
}

void api_get_status(struct turn *t)
{
    const struct configuration *current = t->api->core.current(t->api->core.context);
    struct api_status status;
    t->api->core.status(t->api->core.context, &status);
    json_t *workers = json_pack("{s:i, s:b}", "count", (int)status.workers, "acknowledged",
                                status.acknowledged == status.generation);
    json_t *file = json_pack("{s:s, s:o, s:b}", "file", status.file, "loaded",
                             view_time(current->read_ns), "ok", status.file_good);
    json_t *store = json_pack("{s:o, s:I}", "path",
                              status.folder != NULL ? json_string(status.folder) : json_null(),
                              "changes", (json_int_t)newest_change(t));
    turn_give(t, 200,
              json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "version", DETOUR_VERSION,
                        "generation", (json_int_t)status.generation, "workers", workers,
                        "configuration", file, "store", store, "detours", count_detours(t),
                        "webhooks", webhooks_json(status.webhooks)));
}

void api_export(struct turn *t)
{
    const struct configuration *current = t->api->core.current(t->api->core.context);
    t->result->text = export_yaml(current->text, current->model);
    t->result->status = 200;
    if (t->result->text == NULL) {
        admin_refuse(t->result, 500, "out of memory");
    }
}

/* What another text would change, with what run time says in both. NULL: refused. */
static json_t *differences(struct turn *t, struct span text, const char *file)
{
    const struct configuration *current = t->api->core.current(t->api->core.context);
    struct model_overrides overrides = {0};
    struct problems problems;
    problems_init(&problems, &t->arena, file);
    if (t->api->live != NULL &&
        (live_trial(t->api->live, NULL, 0, &t->arena, &overrides) != ERR_NONE ||
         unfit_without(&current->unfit, &overrides, &t->arena, &overrides) != ERR_NONE)) {
        admin_refuse(t->result, 500, "out of memory");
        return NULL;
    }
    const struct model *model =
        model_load_live(text, overrides.count > 0 ? &overrides : NULL, t->now_ns, &problems);
    if (model == NULL) {
        turn_refuse_problems(t, &problems);
        return NULL;
    }
    return export_diff(current->text, current->model, text, model);
}

void api_diff(struct turn *t)
{
    json_t *changes = differences(t, t->call->text, "the file");
    if (changes != NULL) {
        turn_give(t, 200, json_pack("{s:o}", "changes", changes));
    }
}

void api_try_reload(struct turn *t)
{
    struct span text;
    struct api_status status;
    t->api->core.status(t->api->core.context, &status);
    enum err err = configuration_read_file(status.file, &t->arena, &text);
    if (err != ERR_NONE) {
        admin_refuse(t->result, 422, "cannot read %s: %s", status.file,
                     configuration_read_why(err));
        return;
    }
    json_t *changes = differences(t, text, status.file);
    if (changes != NULL) {
        turn_give(t, 200,
                  json_pack("{s:I, s:o, s:b}", "generation", (json_int_t)status.generation,
                            "changes", changes, "dry_run", 1));
    }
}
