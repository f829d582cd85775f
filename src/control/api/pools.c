/* SPDX-License-Identifier: MIT */
/* The pools, and how their servers are: what workers go by, and why. */
#include "control/api/internal.h"

#include "base/clock.h"
#include "control/api/view.h"
#include "exists/exists.h"
#include "health/health.h"

struct looking {
    struct turn *turn;
    struct servers_map *servers; /* NULL: not known yet */
    const struct health *health; /* NULL: nobody is probed yet */
    const struct exists *exists; /* NULL: nobody is asked yet */
    int64_t wall_ns;
    int64_t monotonic_ns;
};

static json_t *time_json(const struct looking *looking, int64_t monotonic_ns)
{
    return monotonic_ns == 0 ? json_null()
                             : view_time(looking->wall_ns - looking->monotonic_ns + monotonic_ns);
}

static json_t *text_json(const char *text)
{
    return text == NULL ? json_null() : view_text(span_cstr(text));
}

static json_t *agent_json(const struct health_view *view)
{
    if (!view->has_agent) {
        return json_null();
    }
    return json_pack("{s:o, s:o}", "says", view_text(span_cstr(view->agent_says)), "error",
                     text_json(view->agent_error));
}

static json_t *health_json(const struct looking *looking, uint32_t slot)
{
    struct health_view view;
    if (!health_look(looking->health, slot, &view)) {
        return json_null();
    }
    return json_pack("{s:b, s:o, s:o, s:o, s:f, s:I, s:I, s:o}", "up", view.up, "checked",
                     time_json(looking, view.asked_ns), "latency_ms",
                     view.asked_ns != 0 ? json_real((double)view.latency_us / 1000) : json_null(),
                     "error", text_json(view.error), "held_for", (double)view.held_ms / 1000,
                     "probes", (json_int_t)view.probes, "failures", (json_int_t)view.failures,
                     "agent", agent_json(&view));
}

static json_t *exists_json(const struct looking *looking, uint32_t slot)
{
    struct exists_counts counts;
    if (!exists_look(looking->exists, slot, &counts)) {
        return json_null();
    }
    return json_pack("{s:I, s:I, s:I, s:I}", "yes", (json_int_t)counts.yes, "no",
                     (json_int_t)counts.no, "failed", (json_int_t)counts.failed, "dropped",
                     (json_int_t)counts.dropped);
}

/* One that has no slot of its own is taken for up by the workers, too. */
static json_t *server_json(const struct looking *looking, const struct model_pool *pool,
                           const struct model_server *server)
{
    static const char *const names[] = {[SERVER_UP] = "up",
                                        [SERVER_DOWN] = "down",
                                        [SERVER_DRAIN] = "drain",
                                        [SERVER_MAINT] = "maint"};
    uint32_t slot = servers_slot_overflow;
    enum server_state state = SERVER_UP;
    uint32_t ppm = server_weight_ppm_full;
    int64_t since_ns = 0;
    if (looking->servers != NULL &&
        servers_slot(looking->servers, server->identity, &slot) == ERR_NONE) {
        const struct server_live *live = &servers_live(looking->servers)[slot];
        state = server_live_state(live);
        ppm = server_live_weight_ppm(live);
        since_ns = (int64_t)server_live_since_ns(live);
    }
    return json_pack("{s:o, s:o, s:i, s:i, s:s, s:f, s:o, s:o, s:o, s:o}", "name",
                     view_text(server->name), "url", view_text(server->url), "weight",
                     (int)server->weight, "priority", (int)server->priority, "state", names[state],
                     "share", (double)ppm / 10000, "since", time_json(looking, since_ns),
                     "operator", turn_operator(looking->turn, pool, server), "health",
                     slot != servers_slot_overflow ? health_json(looking, slot) : json_null(),
                     "exists", exists_json(looking, slot));
}

/* As the workers see it: of those that could serve too few are up. */
static bool is_panic(const struct looking *looking, const struct model_pool *pool)
{
    uint64_t up = 0;
    uint64_t all = 0;
    for (size_t i = 0; i < pool->server_count && pool->panic_ppm > 0; i++) {
        uint32_t slot;
        if (looking->servers == NULL || pool->servers[i].weight == 0 ||
            servers_slot(looking->servers, pool->servers[i].identity, &slot) != ERR_NONE) {
            continue;
        }
        server_live_count(&servers_live(looking->servers)[slot], &up, &all);
    }
    return up * 1000000 < all * pool->panic_ppm;
}

static json_t *pool_json(const struct looking *looking, const struct model_pool *pool)
{
    json_t *servers = json_array();
    for (size_t i = 0; i < pool->server_count; i++) {
        json_array_append_new(servers, server_json(looking, pool, &pool->servers[i]));
    }
    return json_pack("{s:o, s:b, s:o}", "name", view_text(pool->name), "panic",
                     is_panic(looking, pool), "servers", servers);
}

void api_list_pools(struct turn *t)
{
    const struct model *model = turn_model(t);
    json_t *pools = json_array();
    struct api_status status;
    t->api->core.status(t->api->core.context, &status);
    const struct looking looking = {.turn = t,
                                    .servers = status.servers,
                                    .health = status.health,
                                    .exists = status.exists,
                                    .wall_ns = clock_wall_ns(),
                                    .monotonic_ns = clock_monotonic_ns()};
    for (size_t i = 0; i < model->pool_count; i++) {
        json_array_append_new(pools, pool_json(&looking, &model->pools[i]));
    }
    turn_give(t, 200, json_pack("{s:o}", "pools", pools));
}

/* ---- who has what ---- */

static const struct model_pool *find_pool(struct turn *t)
{
    const struct model *model = turn_model(t);
    for (size_t i = 0; i < model->pool_count; i++) {
        if (span_eq(model->pools[i].name, t->call->pool)) {
            return &model->pools[i];
        }
    }
    return NULL;
}

static json_t *known_json(const struct exists *exists, const struct model_pool *pool,
                          const struct model_server *server, struct span path)
{
    static const char *const names[] = {
        [FACT_UNKNOWN] = "unknown", [FACT_YES] = "yes", [FACT_NO] = "no", [FACT_TRIED] = "unknown"};
    uint32_t left_s = 0;
    enum fact fact = exists_known(exists, model_exists_key(pool, server), path, &left_s);
    return json_pack("{s:o, s:s, s:I}", "name", view_text(server->name), "known", names[fact],
                     "for", (json_int_t)left_s);
}

void api_get_existence(struct turn *t)
{
    const struct model_pool *pool = find_pool(t);
    const char *text = json_string_value(json_object_get(t->call->content, "path"));
    struct api_status status;
    t->api->core.status(t->api->core.context, &status);
    if (pool == NULL) {
        admin_refuse(t->result, 404, "there is no such pool");
    } else if (!pool->exists.required) {
        admin_refuse(t->result, 409, "the pool has no `require: exists`");
    } else if (text == NULL || json_object_size(t->call->content) != 1 ||
               !question_fits(span_cstr(text))) {
        admin_refuse(t->result, 422, "say which path, {\"path\": \"/x\"}, of at most 2048 bytes");
    } else {
        json_t *servers = json_array();
        for (size_t i = 0; i < pool->server_count; i++) {
            json_array_append_new(
                servers, known_json(status.exists, pool, &pool->servers[i], span_cstr(text)));
        }
        turn_give(t, 200,
                  json_pack("{s:o, s:s, s:o}", "pool", view_text(pool->name), "path", text,
                            "servers", servers));
    }
}
