/* SPDX-License-Identifier: MIT */
/* The choice: held by a cookie, by key, by distance, or by turn. */
#include "pool/internal.h"

#include <string.h>

enum { tries_max = 8 };

uint32_t pool_at_place(const struct view *view, uint64_t place)
{
    if (view->total == view->count) { /* each of them once */
        return view->who[place];
    }
    uint32_t from = 0;
    uint32_t count = view->count;
    while (count > 1) {
        uint32_t half = count / 2;
        from = view->sums[from + half - 1] <= place ? from + half : from;
        count -= half;
    }
    return view->who[from];
}

static bool can_have(const struct pools *pools, const struct pool_state *state,
                     const struct pool_client *client, uint32_t server)
{
    return !pool_avoided(client, server) &&
           (!state->areas ||
            pool_takes_area(pools->snapshot, &state->servers[server], client->place));
}

static uint64_t weight_if_can_have(const struct pools *pools, const struct pool_state *state,
                                   const struct view *view, const struct pool_client *client,
                                   uint32_t i)
{
    uint64_t before = i > 0 ? view->sums[i - 1] : 0;
    return can_have(pools, state, client, view->who[i]) ? view->sums[i] - before : 0;
}

/* By weight, of those alone who can be had. */
static uint32_t among_few(const struct pools *pools, const struct pool_state *state,
                          struct view *view, const struct pool_client *client)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < view->count; i++) {
        sum += weight_if_can_have(pools, state, view, client, i);
    }
    view->turn += golden_section;
    uint64_t until = (uint64_t)((unsigned __int128)view->turn * sum >> 64);
    for (uint32_t i = 0; i < view->count && sum > 0; i++) {
        uint64_t weight = weight_if_can_have(pools, state, view, client, i);
        if (until < weight) {
            return view->who[i];
        }
        until -= weight;
    }
    return SNAP_NONE;
}

/* Exact over each full cycle. Who cannot have a server takes the turn after it. Those who avoid
 * some go round by themselves, so that all others keep their exact shares. */
uint32_t pool_by_turn(const struct pools *pools, struct pool_state *state, struct view *view,
                      const struct pool_client *client)
{
    bool filtered = state->areas || client->avoid != NULL;
    uint64_t *at = client->avoid != NULL ? &view->aside : &view->place;
    for (int try = 0; try < tries_max && view->total > 0; try++) {
        uint64_t place = *at;
        *at += view->stride;
        *at -= *at >= view->total ? view->total : 0;
        uint32_t server = pool_at_place(view, place);
        if (!filtered || can_have(pools, state, client, server)) {
            return server;
        }
    }
    return filtered ? among_few(pools, state, view, client) : SNAP_NONE;
}

/* ---- held by a cookie ---- */

void pool_held_text(const struct snap_server *server, uint8_t out[pool_held_bytes])
{
    for (int i = 0; i < pool_held_bytes; i++) {
        out[i] = (uint8_t) "0123456789abcdef"[server->hash >> (60 - 4 * i) & 15];
    }
}

static bool held_hash(struct span text, uint64_t *out)
{
    uint64_t hash = 0;
    if (text.len != pool_held_bytes) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
            return false;
        }
        hash = hash << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *out = hash;
    return true;
}

static uint32_t by_hash(const struct pool_state *state, uint64_t hash)
{
    uint32_t from = 0;
    uint32_t to = state->pool->server_count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (state->servers[state->by_hash[middle]].hash < hash) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    bool found =
        from < state->pool->server_count && state->servers[state->by_hash[from]].hash == hash;
    return found ? state->by_hash[from] : SNAP_NONE;
}

/* A server that drains keeps whom it holds until it has drained; weights and priorities are for
 * those who come anew. */
static bool keeps(const struct pools *pools, const struct pool_state *state,
                  const struct view *view, uint32_t server)
{
    const struct server_live *live = pools->setting.live;
    if (live == NULL) {
        return true;
    }
    live += state->servers[server].slot;
    switch (server_live_state(live)) {
    case SERVER_UP:
        return true;
    case SERVER_DRAIN:
        return server_live_weight_ppm(live) > 0;
    case SERVER_DOWN:
        return view->ignoring && server_live_weight_ppm(live) > 0;
    case SERVER_MAINT:
        break;
    }
    return false;
}

static uint32_t held_by(const struct pools *pools, const struct pool_state *state,
                        const struct view *view, const struct pool_client *client, unsigned class)
{
    uint64_t hash;
    if (state->pool->sticky.len == 0 || !held_hash(client->held, &hash)) {
        return SNAP_NONE;
    }
    uint32_t server = by_hash(state, hash);
    bool good = server != SNAP_NONE && keeps(pools, state, view, server) &&
                (!state->mixed || pool_serves(&state->servers[server], class)) &&
                can_have(pools, state, client, server);
    return good ? server : SNAP_NONE;
}

uint32_t pool_choose(struct pools *pools, uint32_t pool, const struct pool_client *client)
{
    struct pool_state *state = &pools->states[pool];
    unsigned class = pool_class(state, client);
    struct view *view = pool_view(pools, state, class);
    uint32_t server = held_by(pools, state, view, client, class);
    if (server == SNAP_NONE && view->count > 0) {
        switch ((enum snap_balance)state->pool->balance) {
        case SNAP_WEIGHTED:
        case SNAP_ROUND_ROBIN:
            server = pool_by_turn(pools, state, view, client);
            break;
        case SNAP_HASH:
            server = pool_by_hash(pools, state, view, client, class);
            break;
        case SNAP_NEAREST:
            server = pool_by_distance(pools, state, view, client);
            break;
        }
    }
    if (server == SNAP_NONE) {
        server = pool_by_lower(pools, state, view, client, class);
    }
    return server == SNAP_NONE ? SNAP_NONE : state->pool->first_server + server;
}

struct span pool_server_url(const struct snapshot *snapshot, const struct snap_server *server,
                            bool secure, struct span *authority_out)
{
    bool plain = !secure && server->plain_url.len > 0;
    *authority_out = snapshot_text(snapshot, plain ? server->plain_authority : server->authority);
    return snapshot_text(snapshot, plain ? server->plain_url : server->url);
}
