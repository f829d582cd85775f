/* SPDX-License-Identifier: MIT */
/* `require: exists`: a server that is known to have what is asked for, and questions about those of
 * whom nothing is known. */
#include "decide/internal.h"

#include <assert.h>

enum { retry_soon_s = 1 }; /* what was asked is answered by then, as a rule */

struct existing {
    struct pooled *pooled;
    struct decide_exists *state;
    const struct snap_pool *pool;
    const struct snap_server *servers;
    uint64_t path; /* facts_path */
};

static enum fact look_up(const struct existing *e, uint32_t server, uint32_t *left_s)
{
    uint64_t key = facts_key(e->path, e->servers[server].exists_key);
    return facts_find(e->state->facts, key, e->state->now_s, left_s);
}

static void ask(const struct existing *e, uint32_t server, bool again)
{
    struct decide_exists *state = e->state;
    uint64_t key = e->servers[server].exists_key;
    if (state->ask_count < decide_asks_max) {
        state->asks[state->ask_count++] = (struct decide_ask){.path = pool_path(e->pooled),
                                                              .server = key,
                                                              .key = facts_key(e->path, key),
                                                              .again = again};
    }
}

/* What is wanted is asked for again before it is forgotten. */
static void ask_if_due(const struct existing *e, uint32_t server)
{
    uint32_t left_s;
    if (look_up(e, server, &left_s) == FACT_YES && fact_is_due(left_s, e->pool->exists_yes_s)) {
        ask(e, server, true);
    }
}

/* An index in the pool, or SNAP_NONE. */
static uint32_t choose(const struct existing *e, const uint64_t *avoid)
{
    struct pool_client client = e->pooled->client;
    client.avoid = avoid;
    uint32_t server =
        pool_choose(e->pooled->asked->context->pools, e->pooled->action->pool, &client);
    return server != SNAP_NONE ? server - e->pool->first_server : SNAP_NONE;
}

/* What is known of each of them, as bits on top of those that the client avoids. */
static void look_at_all(const struct existing *e)
{
    struct decide_exists *state = e->state;
    const uint64_t *avoid = e->pooled->client.avoid;
    assert(pool_avoid_words(e->pool) <= decide_avoid_words_max);
    pool_avoid_copy(e->pool, avoid, state->others);
    pool_avoid_copy(e->pool, avoid, state->lacking);
    pool_avoid_copy(e->pool, avoid, state->settled);
    for (uint32_t i = 0; i < e->pool->server_count; i++) {
        uint32_t left_s;
        enum fact fact = look_up(e, i, &left_s);
        if (fact != FACT_YES) {
            pool_avoid(state->others, i);
        }
        if (fact == FACT_NO) {
            pool_avoid(state->lacking, i);
        }
        if (fact != FACT_UNKNOWN) {
            pool_avoid(state->settled, i);
        }
    }
}

/* Nobody is known to have it: those are asked who would be next. */
static void ask_others(const struct existing *e, uint32_t first)
{
    struct decide_exists *state = e->state;
    pool_avoid(state->settled, first);
    while (state->ask_count < decide_asks_max) {
        uint32_t server = choose(e, state->settled);
        if (server == SNAP_NONE) {
            return;
        }
        pool_avoid(state->settled, server);
        ask(e, server, false);
    }
}

/* With `fallback: all` whoever is not known to lack it will do, and after that the one whose turn
 * it was. */
static uint32_t anybody(const struct existing *e, uint32_t first)
{
    if (!e->pool->fallback_all) {
        return SNAP_NONE;
    }
    uint32_t server = choose(e, e->state->lacking);
    return server != SNAP_NONE ? server : first;
}

static uint32_t choose_among(const struct existing *e, uint32_t first)
{
    struct decide_exists *state = e->state;
    struct pooled *pooled = e->pooled;
    uint32_t left_s;
    enum fact fact = look_up(e, first, &left_s);
    bool names_others = e->pool->link_max > 0 || e->pool->json != 0;
    if (fact == FACT_YES && !names_others) {
        return first;
    }
    if (fact == FACT_UNKNOWN) {
        ask(e, first, false);
    }
    look_at_all(e);
    uint32_t chosen = fact == FACT_YES ? first : choose(e, state->others);
    if (chosen == SNAP_NONE) {
        ask_others(e, first);
        chosen = anybody(e, first);
        pooled->lacks = chosen == SNAP_NONE;
    }
    pooled->client.avoid = state->others;
    return chosen;
}

static bool is_required(const struct existing *e)
{
    enum method method = e->pooled->asked->request->method;
    return e->pool->exists != 0 && e->state->facts != NULL &&
           (method == METHOD_GET || method == METHOD_HEAD);
}

uint32_t choose_existing(struct pooled *pooled)
{
    struct asked *asked = pooled->asked;
    uint32_t chosen = pool_choose(asked->context->pools, pooled->action->pool, &pooled->client);
    struct existing e = {
        .pooled = pooled,
        .state = &asked->context->exists,
        .pool = snapshot_pool(asked->snapshot, pooled->action->pool),
    };
    if (chosen == SNAP_NONE || !is_required(&e)) {
        return chosen;
    }
    if (!question_fits(pool_path(pooled))) {
        pooled->lacks = e.pool->fallback_all == 0;
        return pooled->lacks ? SNAP_NONE : chosen;
    }
    e.servers = snapshot_server(asked->snapshot, e.pool->first_server);
    e.path = facts_path(e.state->facts, pool_path(pooled));
    uint32_t first = chosen - e.pool->first_server;
    uint32_t server = choose_among(&e, first);
    if (server == SNAP_NONE) {
        return SNAP_NONE;
    }
    ask_if_due(&e, server);
    pooled->stays = server != first && pool_holds(pooled, chosen);
    return e.pool->first_server + server;
}

void tell_lack(const struct pooled *pooled)
{
    struct decision *out = pooled->asked->decision;
    if (!pooled->lacks) {
        return;
    }
    if (out->reason == REASON_POOL_EMPTY) {
        out->reason = REASON_POOL_LACKS;
    }
    if (out->status == 503 && out->retry_after_s < 0 &&
        pooled->asked->context->exists.ask_count > 0) {
        out->retry_after_s = retry_soon_s;
    }
}
