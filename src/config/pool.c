/* SPDX-License-Identifier: MIT */
/* The pools: map. The groups of their keys are read in server.c, balance.c and health.c. */
#include "config/pool.h"

static const char *const pool_keys[POOL_KEYS] = {
    [POOL_BALANCE] = "balance", [POOL_NEAREST] = "nearest",   [POOL_MIN_HEALTHY] = "min_healthy",
    [POOL_STICKY] = "sticky",   [POOL_HASH] = "hash",         [POOL_SERVERS] = "servers",
    [POOL_PATH] = "path",       [POOL_HEALTH] = "health",     [POOL_PANIC] = "panic_threshold",
    [POOL_DRAIN] = "drain",     [POOL_FALLBACK] = "fallback", [POOL_SIGN] = "sign",
    [POOL_AVOID] = "avoid",     [POOL_REQUIRE] = "require",   [POOL_LINK] = "link",
    [POOL_JSON] = "json",
};

bool read_number(struct load *load, const struct node *node, uint64_t min, uint64_t max,
                 uint32_t *out)
{
    uint64_t value;
    if (node == NULL) {
        return true;
    }
    if (!read_integer(load, node, min, max, &value)) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

static const char *const fallback_keys[ROUTE_KEYS] = {
    [KEY_TO] = "to",
    [KEY_PAGE] = "page",
    [KEY_RESPOND] = "respond",
    [KEY_STATUS] = "status",
    [KEY_RETRY_AFTER] = "retry_after",
};

static bool read_fallback(struct load *load, const struct node *node, struct model_pool *pool)
{
    struct scope scope = {.fallback = true};
    if (node_is_word(node, "all")) {
        pool->fallback_all = true;
        return true;
    }
    if (node->kind != NODE_MAP) {
        return read_refuse(load, node, "`all`, or a map like {status: 503, retry_after: 30s}");
    }
    struct model_action action; /* half of one is none: loops are looked for even so */
    if (!read_action_map(load, node, "`fallback`", fallback_keys,
                         "a fallback adds no fields; put `headers` into the rules", &scope,
                         &action)) {
        return false;
    }
    pool->fallback = action;
    return true;
}

static bool read_pool_path(struct load *load, const struct node *node, struct model_pool *pool)
{
    if (!node_is_word(node, "keep") && !node_is_word(node, "strip")) {
        return read_refuse(load, node, "keep, or strip for taking away what the route matched");
    }
    pool->strip = node_is_word(node, "strip");
    return true;
}

static bool read_pool(struct load *load, const struct node *node, struct model_pool *pool)
{
    const struct node *at[POOL_KEYS] = {[POOL_SERVERS] = node};
    if (node->kind != NODE_LIST && !read_map(load, node, "a pool", pool_keys, POOL_KEYS, at)) {
        return false;
    }
    bool good = read_balance(load, at, pool);
    good = (at[POOL_PATH] == NULL || read_pool_path(load, at[POOL_PATH], pool)) && good;
    good = (at[POOL_DRAIN] == NULL || read_drain(load, at[POOL_DRAIN], pool)) && good;
    good = read_servers(load, at[POOL_SERVERS], pool) && good;
    good =
        (at[POOL_HEALTH] == NULL || read_pool_health(load, at[POOL_HEALTH], &pool->health)) && good;
    good = (at[POOL_PANIC] == NULL || read_panic(load, at[POOL_PANIC], pool)) && good;
    good = (at[POOL_AVOID] == NULL || read_avoid(load, at[POOL_AVOID], pool)) && good;
    good = (at[POOL_SIGN] == NULL || read_sign(load, at[POOL_SIGN], pool)) && good;
    good = (at[POOL_LINK] == NULL || read_link(load, at[POOL_LINK], pool)) && good;
    good = (at[POOL_JSON] == NULL || read_bool(load, at[POOL_JSON], &pool->json)) && good;
    good = (at[POOL_REQUIRE] == NULL || read_require(load, at[POOL_REQUIRE], pool)) && good;
    good = (at[POOL_FALLBACK] == NULL || read_fallback(load, at[POOL_FALLBACK], pool)) && good;
    check_alternatives(load, at[POOL_LINK], pool);
    if (at[POOL_HEALTH] == NULL) {
        problems_warning(load->problems, pool->place,
                         "the pool `%.*s` has no `health`, so clients are sent to servers that are "
                         "down; add `health: {path: /healthz}`, or `health: off` where that is "
                         "meant",
                         SHOW(pool->name));
    }
    return good;
}

static void pool_defaults(struct model_pool *pool, const struct node *item)
{
    *pool = (struct model_pool){
        .place = item->key->place,
        .balance = BALANCE_WEIGHTED,
        .min_healthy = 1,
        .drain_ms = pool_drain_ms,
        .within_ppm = 1500000,
        .health = {.interval_ms = 2000,
                   .timeout_ms = 1000,
                   .fall = 3,
                   .rise = 2,
                   .resolve_interval_ms = 30000},
        .fallback = {.kind = ACTION_RESPOND,
                     .place = item->key->place,
                     .status = 503,
                     .retry_after_s = -1},
    };
}

bool read_pools(struct load *load, const struct node *node)
{
    bool good = true;
    uint32_t taken;
    if (node->kind == NODE_NULL) {
        return true;
    }
    if (node->kind != NODE_MAP) {
        return read_refuse(load, node, "a map of pools by their names");
    }
    load->pools = load_alloc(load, node->count, sizeof(*load->pools));
    if (load->pools == NULL) {
        return false;
    }
    for (const struct node *item = node->first; item != NULL; item = item->next) {
        struct model_pool *pool = &load->pools[load->pool_count];
        pool_defaults(pool, item);
        good = read_name(load, item->key, &pool->name) && good;
        good = read_pool(load, item, pool) && good;
        enum err err = names_add(&load->pool_names, pool->name, (uint32_t)load->pool_count, &taken);
        load->no_memory = load->no_memory || err == ERR_MEMORY;
        load->pool_count++;
    }
    return check_server_count(load, node->place) && good;
}
