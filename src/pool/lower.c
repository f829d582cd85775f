/* SPDX-License-Identifier: MIT */
/* Servers of priorities that are not needed, for a client who can have none of those that are:
 * it avoids them, or they do not take clients from where it is. This is rare, so nothing is kept
 * for it: the servers of one priority after the other are gone over. */
#include "pool/internal.h"

#include <float.h>

/* The servers of one priority, for one client. */
struct level {
    const struct pools *pools;
    const struct pool_state *state;
    struct view *view;
    const struct pool_client *client;
    unsigned class;
    uint32_t from;
    uint32_t to;
    float point[3]; /* of the client */
};

uint32_t pool_priority_end(const struct pool_state *state, uint32_t server)
{
    uint32_t end = server + 1;
    while (end < state->pool->server_count &&
           state->servers[end].priority == state->servers[server].priority) {
        end++;
    }
    return end;
}

/* 0: the client cannot have it. */
static uint64_t weight_of(const struct level *level, uint32_t server)
{
    const struct snap_server *from = &level->state->servers[server];
    if (pool_avoided(level->client, server) ||
        (level->state->mixed && !pool_serves(from, level->class)) ||
        !pool_takes_area(level->pools->snapshot, from, level->client->place)) {
        return 0;
    }
    return pool_weight(level->pools, level->state, server, level->view->ignoring);
}

static uint32_t by_score(const struct level *level)
{
    uint32_t best = SNAP_NONE;
    double best_score = -1;
    for (uint32_t i = level->from; i < level->to; i++) {
        uint64_t weight = weight_of(level, i);
        double own = weight > 0 ? pool_score(level->state, level->client, i, weight) : -1;
        if (own > best_score) {
            best = i;
            best_score = own;
        }
    }
    return best;
}

/* The square of the chord to it; FLT_MAX: nobody knows where it is. */
static float chord(const struct level *level, uint32_t server)
{
    const struct snap_server *from = &level->state->servers[server];
    float sum = 0;
    for (int axis = 0; axis < 3; axis++) {
        float there = from->point[axis] - level->point[axis];
        sum += there * there;
    }
    return from->located != 0 ? sum : FLT_MAX;
}

/* How far away somebody may be; FLT_MAX: it does not matter. */
static float find_reach(struct level *level)
{
    const struct geo_place *place = level->client->place;
    float least = FLT_MAX;
    if (level->state->pool->balance != SNAP_NEAREST || place == NULL || place->located == 0) {
        return FLT_MAX;
    }
    geo_point(place->latitude, place->longitude, level->point);
    for (uint32_t i = level->from; i < level->to; i++) {
        if (weight_of(level, i) > 0 && chord(level, i) < least) {
            least = chord(level, i);
        }
    }
    return least < FLT_MAX ? pool_reach(least, level->state->pool->within_ppm) : FLT_MAX;
}

static uint64_t weight_within(const struct level *level, uint32_t server, float reach)
{
    bool within = reach == FLT_MAX || chord(level, server) <= reach;
    return within ? weight_of(level, server) : 0;
}

static uint32_t by_weight(struct level *level)
{
    float reach = find_reach(level);
    uint64_t sum = 0;
    for (uint32_t i = level->from; i < level->to; i++) {
        sum += weight_within(level, i, reach);
    }
    level->view->turn += golden_section;
    uint64_t until = (uint64_t)((unsigned __int128)level->view->turn * sum >> 64);
    for (uint32_t i = level->from; i < level->to && sum > 0; i++) {
        uint64_t weight = weight_within(level, i, reach);
        if (until < weight) {
            return i;
        }
        until -= weight;
    }
    return SNAP_NONE;
}

uint32_t pool_by_lower(const struct pools *pools, const struct pool_state *state, struct view *view,
                       const struct pool_client *client, unsigned class)
{
    struct level level = {
        .pools = pools, .state = state, .view = view, .client = client, .class = class};
    uint32_t chosen = SNAP_NONE;
    for (level.from = view->end; level.from < state->pool->server_count && chosen == SNAP_NONE;
         level.from = level.to) {
        level.to = pool_priority_end(state, level.from);
        chosen = state->pool->balance == SNAP_HASH ? by_score(&level) : by_weight(&level);
    }
    return chosen;
}
