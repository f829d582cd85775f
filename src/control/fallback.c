/* SPDX-License-Identifier: MIT */
/* Which pools have nobody left, or too few. */
#include "control/fallback.h"

#include "base/log.h"

#include <stdlib.h>

enum trouble {
    TROUBLE_NONE,
    TROUBLE_EMPTY, /* nobody is up */
    TROUBLE_ALL,   /* … and those that are down serve, as the fallback says */
    TROUBLE_PANIC, /* too few are up for anybody to believe it */
};

struct troubled {
    char *pool;
    enum trouble trouble;
};

struct fallbacks {
    const struct model *model; /* that was looked at; compared, never read */
    uint64_t epoch;
    struct troubled *pools; /* those in trouble */
    size_t count;
};

struct fallbacks *fallbacks_new(void)
{
    return calloc(1, sizeof(struct fallbacks));
}

static void forget(struct fallbacks *fallbacks)
{
    for (size_t i = 0; i < fallbacks->count; i++) {
        free(fallbacks->pools[i].pool);
    }
    free(fallbacks->pools);
    fallbacks->pools = NULL;
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

static enum trouble trouble_before(const struct fallbacks *fallbacks, struct span pool)
{
    for (size_t i = 0; i < fallbacks->count; i++) {
        if (span_eq(span_cstr(fallbacks->pools[i].pool), pool)) {
            return fallbacks->pools[i].trouble;
        }
    }
    return TROUBLE_NONE;
}

/* Those of a pool who could be chosen, and how many of them are up. */
struct tally {
    uint64_t up;
    uint64_t all;
    bool serves;
};

static void count_server(const struct model_pool *pool, const struct model_server *server,
                         struct servers_map *servers, struct tally *tally)
{
    uint32_t slot;
    if (server->weight == 0) {
        return;
    }
    if (servers_slot(servers, server->identity, &slot) != ERR_NONE) {
        tally->serves = true; /* nothing can be said of it */
        return;
    }
    const struct server_live *live = &servers_live(servers)[slot];
    server_live_count(live, &tally->up, &tally->all);
    bool keeps_keys = pool->balance == BALANCE_HASH && server_live_state(live) == SERVER_DRAIN &&
                      server_live_weight_ppm(live) > 0;
    tally->serves = tally->serves || tally->up > 0 || keeps_keys;
}

static enum trouble trouble_of(const struct model_pool *pool, struct servers_map *servers,
                               struct tally *tally)
{
    *tally = (struct tally){0};
    for (size_t i = 0; i < pool->server_count; i++) {
        count_server(pool, &pool->servers[i], servers, tally);
    }
    if (tally->up * 1000000 < tally->all * pool->panic_ppm) {
        return TROUBLE_PANIC;
    }
    if (tally->serves) {
        return TROUBLE_NONE;
    }
    return pool->fallback_all && tally->all > 0 ? TROUBLE_ALL : TROUBLE_EMPTY;
}

static void tell(const struct model_pool *pool, enum trouble before, enum trouble now,
                 const struct tally *tally)
{
    switch (now) {
    case TROUBLE_NONE:
        log_info(before == TROUBLE_PANIC ? "the health of pool %.*s is heeded again"
                                         : "pool %.*s has a server again that is up",
                 SPAN_ARG(pool->name));
        break;
    case TROUBLE_EMPTY:
    case TROUBLE_ALL:
        log_warning("pool %.*s has no server left that is up: %s", SPAN_ARG(pool->name),
                    now == TROUBLE_ALL ? "their health is ignored, as its `fallback` says"
                                       : "its `fallback` answers");
        break;
    case TROUBLE_PANIC:
        log_warning("the health of pool %.*s is ignored: %llu of %llu servers are up, fewer than "
                    "its `panic_threshold`",
                    SPAN_ARG(pool->name), (unsigned long long)tally->up,
                    (unsigned long long)tally->all);
        break;
    }
}

static void look(struct fallbacks *fallbacks, const struct model *model,
                 struct servers_map *servers)
{
    struct fallbacks now = {.pools = calloc(model->pool_count + 1, sizeof(*now.pools))};
    if (now.pools == NULL) {
        return;
    }
    for (size_t i = 0; i < model->pool_count; i++) {
        const struct model_pool *pool = &model->pools[i];
        struct tally tally;
        enum trouble before = trouble_before(fallbacks, pool->name);
        enum trouble trouble = trouble_of(pool, servers, &tally);
        if (trouble != before) {
            tell(pool, before, trouble, &tally);
        }
        if (trouble != TROUBLE_NONE) {
            struct troubled *one = &now.pools[now.count];
            one->pool = strndup((const char *)pool->name.ptr, pool->name.len);
            one->trouble = trouble;
            now.count += one->pool != NULL;
        }
    }
    forget(fallbacks);
    fallbacks->pools = now.pools;
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
