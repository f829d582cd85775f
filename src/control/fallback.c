/* SPDX-License-Identifier: MIT */
/* Which pools have nobody left. */
#include "control/fallback.h"

#include "base/log.h"

#include <stdlib.h>

struct fallbacks {
    const struct model *model; /* that was looked at; compared, never read */
    uint64_t epoch;
    char **empty; /* the names of pools that have nobody */
    size_t count;
};

struct fallbacks *fallbacks_new(void)
{
    return calloc(1, sizeof(struct fallbacks));
}

static void forget(struct fallbacks *fallbacks)
{
    for (size_t i = 0; i < fallbacks->count; i++) {
        free(fallbacks->empty[i]);
    }
    free(fallbacks->empty);
    fallbacks->empty = NULL;
    fallbacks->count = 0;
}

void fallbacks_free(struct fallbacks **fallbacks)
{
    if (*fallbacks != NULL) {
        forget(*fallbacks);
        free(*fallbacks);
        *fallbacks = NULL;
    }
}

static bool was_empty(const struct fallbacks *fallbacks, struct span pool)
{
    for (size_t i = 0; i < fallbacks->count; i++) {
        if (span_eq(span_cstr(fallbacks->empty[i]), pool)) {
            return true;
        }
    }
    return false;
}

static bool serves(const struct model_server *server, struct servers_map *servers)
{
    uint32_t slot = servers_slot_overflow;
    if (server->weight == 0) {
        return false;
    }
    if (servers_slot(servers, server->identity, &slot) != ERR_NONE) {
        return true; /* nothing can be said of it */
    }
    const struct server_live *live = &servers_live(servers)[slot];
    return server_live_state(live) == SERVER_UP && server_live_weight_ppm(live) > 0;
}

/* Where too few are well for anybody to believe it, those that are down are used. */
static bool is_empty(const struct model_pool *pool, struct servers_map *servers)
{
    bool empty = pool->panic_ppm == 0;
    for (size_t i = 0; i < pool->server_count && empty; i++) {
        empty = !serves(&pool->servers[i], servers);
    }
    return empty;
}

static void tell(const struct model_pool *pool, bool empty)
{
    if (empty) {
        log_warning("pool %.*s has no server left that is up: %s", SPAN_ARG(pool->name),
                    pool->fallback_all ? "their health is ignored, as its `fallback` says"
                                       : "its `fallback` answers");
    } else {
        log_info("pool %.*s has a server again that is up", SPAN_ARG(pool->name));
    }
}

static void look(struct fallbacks *fallbacks, const struct model *model,
                 struct servers_map *servers)
{
    struct fallbacks now = {.empty = calloc(model->pool_count + 1, sizeof(char *))};
    if (now.empty == NULL) {
        return;
    }
    for (size_t i = 0; i < model->pool_count; i++) {
        const struct model_pool *pool = &model->pools[i];
        bool empty = is_empty(pool, servers);
        if (empty != was_empty(fallbacks, pool->name)) {
            tell(pool, empty);
        }
        if (empty) {
            now.empty[now.count] = strndup((const char *)pool->name.ptr, pool->name.len);
            now.count += now.empty[now.count] != NULL;
        }
    }
    forget(fallbacks);
    fallbacks->empty = now.empty;
    fallbacks->count = now.count;
}

void fallbacks_look(struct fallbacks *fallbacks, const struct model *model,
                    struct servers_map *servers)
{
    uint64_t epoch = atomic_load_explicit(servers_epoch(servers), memory_order_acquire);
    if (fallbacks->model == model && fallbacks->epoch == epoch) {
        return;
    }
    fallbacks->model = model;
    fallbacks->epoch = epoch;
    look(fallbacks, model, servers);
}
