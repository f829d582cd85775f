/* SPDX-License-Identifier: MIT */
/* Why a server was not chosen: for explain. */
#include "pool/internal.h"

static double distance_km(const struct snap_server *server, const struct geo_place *place)
{
    if (place == NULL || place->located == 0 || server->located == 0) {
        return -1;
    }
    float point[3];
    double sum = 0;
    geo_point(place->latitude, place->longitude, point);
    for (int axis = 0; axis < 3; axis++) {
        double there = (double)server->point[axis] - (double)point[axis];
        sum += there * there;
    }
    return geo_chord_km(sum);
}

static enum pool_lost by_state(const struct pools *pools, const struct pool_state *state,
                               const struct view *view, uint32_t server)
{
    switch (pool_state_of(pools, state, server)) {
    case SERVER_MAINT:
        return POOL_MAINTAINED;
    case SERVER_DRAIN:
        return POOL_DRAINS;
    case SERVER_DOWN:
        return view->ignoring ? POOL_WON : POOL_DOWN;
    case SERVER_UP:
        break;
    }
    return POOL_WON;
}

/* How far from the client a server may be to be near enough; negative: nobody's place is known. */
static double reach_km(const struct pools *pools, const struct pool_state *state,
                       const struct view *view, const struct pool_client *client, uint32_t end)
{
    double least = -1;
    for (uint32_t i = 0; i < end; i++) {
        const struct snap_server *server = &state->servers[i];
        double km = distance_km(server, client->place);
        if (km >= 0 && (least < 0 || km < least) && !pool_avoided(client, i) &&
            pool_weight(pools, state, i, view->ignoring) > 0 &&
            (!state->mixed || pool_serves(server, pool_class(state, client))) &&
            pool_takes_area(pools->snapshot, server, client->place)) {
            least = km;
        }
    }
    return least * state->pool->within_ppm * 1e-6;
}

/* Among those that could be chosen. */
static enum pool_lost by_balance(const struct pools *pools, const struct pool_state *state,
                                 const struct view *view, const struct pool_client *client,
                                 uint32_t chosen, uint32_t end, double km)
{
    if (state->pool->sticky.len > 0 && client->held.len > 0 && chosen != SNAP_NONE) {
        uint8_t text[pool_held_bytes];
        pool_held_text(&state->servers[chosen], text);
        if (span_eq(client->held, span_of(text, sizeof(text)))) {
            return POOL_HELD;
        }
    }
    if (state->pool->balance == SNAP_HASH) {
        return POOL_KEY;
    }
    if (state->pool->balance == SNAP_NEAREST) {
        double reach = reach_km(pools, state, view, client, end);
        bool by_turn = reach < 0 || (km >= 0 && km <= reach);
        return by_turn ? POOL_TURN : km < 0 ? POOL_UNPLACED : POOL_FARTHER;
    }
    return POOL_TURN;
}

enum pool_lost pool_why_not(const struct pools *pools, uint32_t pool,
                            const struct pool_client *client, uint32_t chosen, uint32_t server,
                            double *km_out)
{
    const struct pool_state *state = &pools->states[pool];
    unsigned class = pool_class(state, client);
    const struct view *view = &state->views[class];
    uint32_t index = server - state->pool->first_server;
    const struct snap_server *from = &state->servers[index];
    *km_out = distance_km(from, client->place);
    if (server == chosen) {
        return POOL_WON;
    }
    enum pool_lost lost = by_state(pools, state, view, index);
    if (lost != POOL_WON) {
        return lost;
    }
    if (pool_weight(pools, state, index, view->ignoring) == 0) {
        return POOL_NO_WEIGHT;
    }
    if (state->mixed && !pool_serves(from, class)) {
        return pool_serves(from, class ^ 1u) ? POOL_SCHEME : POOL_FAMILY;
    }
    if (pool_avoided(client, index)) {
        return POOL_AVOIDED;
    }
    if (!pool_takes_area(pools->snapshot, from, client->place)) {
        return POOL_AREA;
    }
    uint32_t winner = chosen != SNAP_NONE ? chosen - state->pool->first_server : SNAP_NONE;
    uint32_t end =
        winner != SNAP_NONE && winner >= view->end ? pool_priority_end(state, winner) : view->end;
    if (index >= end) {
        return POOL_LOWER;
    }
    return by_balance(pools, state, view, client, winner, end, *km_out);
}

struct span pool_lost_text(enum pool_lost lost)
{
    static const char *const texts[] = {
        [POOL_WON] = "it is the one",
        [POOL_DOWN] = "it is down",
        [POOL_DRAINS] = "it drains",
        [POOL_MAINTAINED] = "it is in maintenance",
        [POOL_NO_WEIGHT] = "its weight is 0",
        [POOL_SCHEME] = "it does not serve the client's scheme",
        [POOL_FAMILY] = "it does not serve the client's family of addresses",
        [POOL_AREA] = "it does not serve where the client is",
        [POOL_AVOIDED] = "the client says that it cannot reach it",
        [POOL_LOWER] = "there are enough of a better priority",
        [POOL_FARTHER] = "another one is nearer",
        [POOL_UNPLACED] = "nobody knows where it is",
        [POOL_HELD] = "a cookie holds the client to another one",
        [POOL_KEY] = "the client's key is another one's",
        [POOL_TURN] = "it is another one's turn",
    };
    return span_cstr(texts[lost]);
}
