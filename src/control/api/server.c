/* SPDX-License-Identifier: MIT */
/* The calls about servers of pools: how they are, and what run time wants of them. */
#include "control/api/internal.h"

#include "base/clock.h"
#include "config/json.h"
#include "control/api/view.h"
#include "control/runtime/drains.h"

static const char *const wish_names[] = {
    [WISH_READY] = "ready", [WISH_DRAIN] = "drain", [WISH_MAINT] = "maint"};

/* ---- looking ---- */

static struct span key_of(struct turn *t, struct span pool, struct span server)
{
    char *text = arena_printf(&t->arena, "/%.*s/%.*s", SPAN_ARG(pool), SPAN_ARG(server));
    return text != NULL ? span_cstr(text) : SPAN("/");
}

static const struct model_pool *find_pool(const struct model *model, struct span name)
{
    for (size_t i = 0; i < model->pool_count; i++) {
        if (span_eq(model->pools[i].name, name)) {
            return &model->pools[i];
        }
    }
    return NULL;
}

static const struct model_server *find_server(const struct model_pool *pool, struct span name)
{
    for (size_t i = 0; pool != NULL && i < pool->server_count; i++) {
        if (span_eq(pool->servers[i].name, name)) {
            return &pool->servers[i];
        }
    }
    return NULL;
}

/* "/pool/server" in its two halves. */
static void split(struct span key, struct span *pool_out, struct span *server_out)
{
    size_t slash = span_find(key, 1, '/');
    *pool_out = span_slice(key, 1, slash);
    *server_out = span_from(key, slash < key.len ? slash + 1 : slash);
}

const struct model_server *turn_server_of(const struct turn *t, struct span key)
{
    struct span pool;
    struct span name;
    split(key, &pool, &name);
    return find_server(find_pool(turn_model(t), pool), name);
}

/* One that has no slot of its own is taken for up by the workers, too. */
static const char *state_of(struct servers_map *map, const struct model_server *server)
{
    static const char *const names[] = {[SERVER_UP] = "up",
                                        [SERVER_DOWN] = "down",
                                        [SERVER_DRAIN] = "drain",
                                        [SERVER_MAINT] = "maint"};
    static const enum server_state wished[] = {
        [WISH_READY] = SERVER_UP, [WISH_DRAIN] = SERVER_DRAIN, [WISH_MAINT] = SERVER_MAINT};
    uint32_t slot;
    if (map == NULL || servers_slot(map, server->identity, &slot) != ERR_NONE) {
        return names[SERVER_UP];
    }
    uint64_t parts[SERVERS_PARTS];
    for (int part = 0; part < SERVERS_PARTS; part++) {
        parts[part] = server_live_part(&servers_live(map)[slot], (enum servers_part)part);
    }
    parts[SERVERS_BY_OPERATOR] = server_live_word(wished[server->wish], server->share_ppm);
    return names[server_word_state(servers_merge(parts))];
}

/* No client is led there any more. */
static bool is_drained(const struct model_pool *pool, const struct model_server *server,
                       struct servers_map *map)
{
    return server->wish == WISH_MAINT ||
           (server->wish == WISH_DRAIN &&
            (drain_window_ns(pool) == 0 || drains_is_over(server, map)));
}

static json_t *parsed(struct span json)
{
    json_t *value = json.len > 0 ? json_loadb((const char *)json.ptr, json.len, 0, NULL) : NULL;
    return value != NULL ? value : json_null();
}

/* A text of the change, which is being made or was. */
static json_t *text_or_empty(struct span text)
{
    return view_text(text.len > 0 ? text : SPAN(""));
}

/* Who wanted it and why: as the history tells of the change. */
static void add_reason(struct turn *t, json_t *view, const struct store_override *override)
{
    struct store_change made = {.owner = t->call->owner, .why = t->call->why};
    if (override == NULL) {
        made = (struct store_change){0};
    } else if (override->number != 0 && t->api->store != NULL) {
        store_change_find(t->api->store, override->number, &t->arena, &made);
    }
    json_object_set_new(view, "owner", text_or_empty(made.owner));
    json_object_set_new(view, "why", text_or_empty(made.why));
}

static json_t *change_of(const struct store_override *override)
{
    return override != NULL && override->number != 0 ? json_integer((json_int_t) override->number)
                                                     : json_null();
}

/* override: what run time says of it; NULL: nothing. */
static json_t *view_operator(struct turn *t, const struct model_pool *pool,
                             const struct model_server *server,
                             const struct store_override *override, struct servers_map *map)
{
    json_t *view = json_pack("{s:s, s:f, s:o, s:b, s:s, s:b, s:o}", "wants",
                             wish_names[server->wish], "share", server->share_ppm / 10000., "since",
                             server->since_ns != 0 ? view_time(server->since_ns) : json_null(),
                             "drained", is_drained(pool, server, map), "source",
                             server->live ? "live" : "file", "overrides_file",
                             server->live && server->stanza != 0, "change", change_of(override));
    add_reason(t, view, override);
    return view;
}

static struct servers_map *live_words(const struct turn *t)
{
    struct api_status status;
    t->api->core.status(t->api->core.context, &status);
    return status.servers;
}

json_t *turn_operator(struct turn *t, const struct model_pool *pool,
                      const struct model_server *server)
{
    const struct store_override *override =
        server->live ? turn_override(t, key_of(t, pool->name, server->name)) : NULL;
    return view_operator(t, pool, server, override, live_words(t));
}

static json_t *view_server(struct turn *t, const struct model_pool *pool,
                           const struct model_server *server, const struct store_override *override)
{
    struct servers_map *map = live_words(t);
    const struct store_override *live = server->live ? override : NULL;
    json_t *view =
        json_pack("{s:o, s:o, s:o, s:I, s:I, s:s, s:o, s:o}", "pool", view_text(pool->name), "name",
                  view_text(server->name), "url", view_text(server->url), "weight",
                  (json_int_t)server->weight, "priority", (json_int_t)server->priority, "state",
                  state_of(map, server), "operator", view_operator(t, pool, server, live, map),
                  "server", parsed(server->json));
    const struct unfit *unfit =
        !server->live ? turn_unfit(t, key_of(t, pool->name, server->name)) : NULL;
    if (unfit != NULL) {
        json_object_set_new(view, "problem",
                            json_sprintf("what was set at run time is set aside: %s", unfit->why));
    }
    return view;
}

/* What is left of one that was removed, or that the file does not fit. */
static json_t *view_gone(struct turn *t, const struct store_override *override, const char *state)
{
    struct span pool;
    struct span name;
    split(override->key, &pool, &name);
    json_t *wanted = json_pack("{s:s, s:i, s:n, s:b, s:s, s:b, s:o}", "wants", "ready", "share", 0,
                               "since", "drained", 1, "source", "live", "overrides_file",
                               override->value.stanza != 0, "change", change_of(override));
    add_reason(t, wanted, override);
    return json_pack("{s:o, s:o, s:s, s:o, s:o}", "pool", view_text(pool), "name", view_text(name),
                     "state", state, "operator", wanted, "server", parsed(override->value.json));
}

/* False: refused. */
static bool has_pool(struct turn *t)
{
    bool good = find_pool(turn_model(t), t->call->pool) != NULL;
    if (!good) {
        admin_refuse(t->result, 404, "there is no pool %.*s; /v1/pools has the names of all",
                     SPAN_ARG(t->call->pool));
    }
    return good;
}

/* What the answer shows after a change, or as it would be. */
json_t *turn_server_shown(struct turn *t, const struct model *model,
                          const struct store_change *made)
{
    struct span pool_name;
    struct span name;
    split(made->key, &pool_name, &name);
    const struct model_pool *pool = find_pool(model, pool_name);
    const struct model_server *server = find_server(pool, name);
    const struct store_override planned = {.key = made->key, .value = made->after};
    const struct store_override *override = turn_override(t, made->key);
    if (t->call->dry_run) {
        override = made->after.kind != STORE_NONE ? &planned : NULL;
    }
    if (server != NULL) {
        return view_server(t, pool, server, override);
    }
    return override != NULL ? view_gone(t, override, "removed") : json_null();
}

void api_get_server(struct turn *t)
{
    struct span key = key_of(t, t->call->pool, t->call->server);
    const struct model_pool *pool = find_pool(turn_model(t), t->call->pool);
    const struct model_server *server = find_server(pool, t->call->server);
    const struct store_override *override = turn_override(t, key);
    const struct unfit *unfit = turn_unfit(t, key);
    if (server != NULL) {
        t->result->etag = override != NULL ? override->number : 0;
        turn_give(t, 200, view_server(t, pool, server, override));
    } else if (override != NULL) {
        json_t *view = view_gone(t, override, unfit != NULL ? "unfit" : "removed");
        if (unfit != NULL) {
            json_object_set_new(view, "problem", json_string(unfit->why));
        }
        t->result->etag = override->number;
        turn_give(t, 200, view);
    } else if (has_pool(t)) {
        admin_refuse(t->result, 404, "the pool %.*s has no server %.*s", SPAN_ARG(t->call->pool),
                     SPAN_ARG(t->call->server));
    }
}

/* ---- changing ---- */

/* A drain that goes on keeps its beginning. */
static void settle_since(struct turn *t, const struct model_server *was, json_t *content)
{
    const char *state = json_string_value(json_object_get(content, "state"));
    bool ready = state == NULL || strcmp(state, wish_names[WISH_READY]) == 0;
    if (ready) {
        json_object_del(content, "since");
    } else if (json_object_get(content, "since") == NULL) {
        bool goes_on =
            was != NULL && was->since_ns != 0 && strcmp(state, wish_names[was->wish]) == 0;
        json_object_set_new(content, "since",
                            goes_on ? view_time(was->since_ns) : turn_begin_now(t));
    }
}

/* What says the same as the file is no override. */
static void put_server(struct turn *t, struct span key, json_t *content, uint16_t status)
{
    struct span json = turn_dumped(t, content);
    uint64_t stanza = turn_stanza_now(t, key);
    const struct model_server *server = turn_server_of(t, key);
    if (server != NULL && span_eq(server->json, json)) {
        api_get_server(t); /* it is so already, and the history keeps who wanted it first */
        return;
    }
    if (stanza == 0 || json_text_hash(json) != stanza) {
        turn_put_value(t, key, json, stanza, status);
        return;
    }
    struct store_value nothing = {.kind = STORE_NONE};
    struct store_change one = turn_change_of(t, key, &nothing);
    turn_change_all(t, &one, 1, status, NULL);
}

void api_put_server(struct turn *t)
{
    struct span key = key_of(t, t->call->pool, t->call->server);
    const struct model_server *server = turn_server_of(t, key);
    if (has_pool(t) && turn_preconditions_hold(t, server != NULL, turn_override(t, key))) {
        settle_since(t, server, t->call->content);
        put_server(t, key, t->call->content, server != NULL ? 200 : 201);
    }
}

/* NULL: refused. */
static const struct model_server *wanted_server(struct turn *t, struct span key)
{
    const struct model_server *server = turn_server_of(t, key);
    const struct unfit *unfit = turn_unfit(t, key);
    if (server != NULL || !has_pool(t)) {
        return server;
    }
    if (unfit != NULL) {
        admin_refuse(t->result, 409, "it is set aside, since it does not fit the file: %s",
                     unfit->why);
    } else {
        admin_refuse(t->result, 404, "the pool %.*s has no server %.*s", SPAN_ARG(t->call->pool),
                     SPAN_ARG(t->call->server));
    }
    return NULL;
}

/* RFC 7396: null takes a member away. */
static void merge(json_t *into, const json_t *patch)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)patch, name, value)
    {
        if (json_is_null(value)) {
            json_object_del(into, name);
        } else {
            json_object_set(into, name, value);
        }
    }
}

void api_patch_server(struct turn *t)
{
    struct span key = key_of(t, t->call->pool, t->call->server);
    const struct model_server *server = wanted_server(t, key);
    if (server == NULL || !turn_preconditions_hold(t, true, turn_override(t, key))) {
        return;
    }
    json_t *content = parsed(server->json);
    const json_t *state = json_object_get(t->call->content, "state");
    json_object_del(content, "since");
    merge(content, t->call->content);
    if (json_is_string(state) && strcmp(json_string_value(state), wish_names[WISH_READY]) == 0) {
        json_object_del(content, "state");
    }
    settle_since(t, server, content);
    put_server(t, key, content, 200);
    json_decref(content);
}

void api_delete_server(struct turn *t)
{
    struct span key = key_of(t, t->call->pool, t->call->server);
    const struct store_override *override = turn_override(t, key);
    const struct model_server *server = turn_server_of(t, key);
    bool set_aside = server == NULL && turn_unfit(t, key) != NULL;
    if (!set_aside && (server = wanted_server(t, key)) == NULL) {
        return;
    }
    if (turn_preconditions_hold(t, true, override)) {
        uint64_t stanza = server != NULL ? server->stanza : 0;
        struct store_value after = {.kind = stanza != 0 ? STORE_OFF : STORE_NONE, .stanza = stanza};
        after.json = stanza != 0 ? server->json : (struct span){0};
        struct store_change one = turn_change_of(t, key, &after);
        turn_change_all(t, &one, 1, 200, NULL);
    }
}
