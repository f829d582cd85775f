/* SPDX-License-Identifier: MIT */
/* Detours that are over since a pool is healthy. */
#include "control/runtime/recovered.h"

#include "base/clock.h"

static const int64_t ns_per_ms = NS_PER_SECOND / 1000;

static int64_t rise_ns(const struct model_pool *pool)
{
    return (int64_t)pool->health.rise * pool->health.interval_ms * ns_per_ms;
}

/* So long it takes until what nobody has asked yet is known to be down. */
static int64_t doubt_ns(const struct model_pool *pool)
{
    const struct model_health *health = &pool->health;
    int64_t probe_ms = (int64_t)health->interval_ms + health->timeout_ms;
    return (int64_t)health->fall * probe_ms * ns_per_ms + rise_ns(pool);
}

bool pool_has_recovered(const struct model_pool *pool, struct servers_map *servers,
                        int64_t monotonic_ns)
{
    uint32_t count = 0;
    for (size_t i = 0; i < pool->server_count; i++) {
        uint32_t slot;
        if (pool->servers[i].weight == 0 ||
            servers_slot(servers, pool->servers[i].identity, &slot) != ERR_NONE) {
            continue;
        }
        const struct server_live *live = &servers_live(servers)[slot];
        count += server_live_state(live) == SERVER_UP &&
                 monotonic_ns - (int64_t)server_live_since_ns(live) >= rise_ns(pool);
    }
    return count >= pool->min_healthy;
}

static bool is_due(const struct configuration *configuration, const struct model_detour *detour,
                   struct servers_map *servers, int64_t now_ns, int64_t monotonic_ns)
{
    const struct model *model = configuration->model;
    if (detour->until_healthy == UINT32_MAX) {
        return false;
    }
    const struct model_pool *pool = &model->pools[detour->until_healthy];
    struct schedule_view now;
    schedule_at(&detour->schedule, now_ns, &now);
    return now.state == SCHEDULE_ACTIVE &&
           (now.opened_ns == SCHEDULE_EVER || now_ns - now.opened_ns >= rise_ns(pool)) &&
           now_ns - configuration->read_ns >= doubt_ns(pool) &&
           pool_has_recovered(pool, servers, monotonic_ns);
}

static bool make_change(struct arena *arena, const struct model *model,
                        const struct model_detour *detour, int64_t now_ns, struct store_change *out)
{
    const struct model_pool *pool = &model->pools[detour->until_healthy];
    const char *key = arena_printf(arena, "%.*s/%.*s", SPAN_ARG(model->sites[detour->site].name),
                                   SPAN_ARG(detour->rule.name));
    const char *why = arena_printf(arena, "the pool %.*s is healthy", SPAN_ARG(pool->name));
    if (key == NULL || why == NULL) {
        return false;
    }
    *out = (struct store_change){.time_ns = now_ns,
                                 .cause = STORE_BY_SCHEDULE,
                                 .why = span_cstr(why),
                                 .key = span_cstr(key)};
    if (detour->stanza != 0) {
        out->after =
            (struct store_value){.kind = STORE_OFF, .json = detour->json, .stanza = detour->stanza};
    }
    return true;
}

enum err recovered_end(struct live *live, const struct configuration *configuration,
                       struct servers_map *servers, int64_t now_ns, int64_t monotonic_ns,
                       size_t *ended_out)
{
    const struct model *model = configuration->model;
    struct arena arena;
    struct store_change *changes = NULL;
    size_t count = 0;
    enum err err = ERR_NONE;
    arena_init(&arena, 0);
    for (size_t i = 0; i < model->detour_count && err == ERR_NONE; i++) {
        const struct model_detour *detour = &model->detours[i];
        if (!is_due(configuration, detour, servers, now_ns, monotonic_ns)) {
            continue;
        }
        if (changes == NULL) {
            changes = arena_array(&arena, model->detour_count, sizeof(*changes));
        }
        bool good =
            changes != NULL && make_change(&arena, model, detour, now_ns, &changes[count++]);
        err = good ? ERR_NONE : ERR_MEMORY;
    }
    uint64_t first;
    if (err == ERR_NONE && count > 0) {
        err = live_apply(live, changes, count, &first);
    }
    arena_fini(&arena);
    if (err == ERR_NONE) {
        *ended_out = count;
    }
    return err;
}
