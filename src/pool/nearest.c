/* SPDX-License-Identifier: MIT */
/* The nearest servers: those within so many times the distance of the nearest, of whom one is
 * chosen by weight. */
#include "pool/internal.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { lanes = 8 };
typedef float lane_floats __attribute__((vector_size(lanes * sizeof(float))));
typedef int32_t lane_bits __attribute__((vector_size(lanes * sizeof(int32_t))));

static inline void load(const float *from, lane_floats *out)
{
    memcpy(out, from, sizeof(*out));
}

/* The squares of the chords to `lanes` servers. */
static inline void chords(const struct view *view, uint32_t at, const float point[3],
                          lane_floats *out)
{
    lane_floats sum = {0};
    for (int axis = 0; axis < 3; axis++) {
        lane_floats there;
        load(view->point[axis] + at, &there);
        there -= point[axis];
        sum += there * there;
    }
    *out = sum;
}

static bool takes(const struct pools *pools, const struct pool_state *state,
                  const struct pool_client *client, uint32_t server)
{
    return !pool_avoided(client, server) &&
           pool_takes_area(pools->snapshot, &state->servers[server], client->place);
}

/* The square of the shortest chord. */
static float shortest(const struct view *view, const float point[3])
{
    lane_floats best = {0};
    for (int i = 0; i < lanes; i++) {
        best[i] = FLT_MAX;
    }
    for (uint32_t at = 0; at < view->located; at += lanes) {
        lane_floats here;
        chords(view, at, point, &here);
        lane_bits nearer = here < best;
        best = (lane_floats)((nearer & (lane_bits)here) | (~nearer & (lane_bits)best));
    }
    float least = best[0];
    for (int i = 1; i < lanes; i++) {
        least = best[i] < least ? best[i] : least;
    }
    return least;
}

/* The same of those who take this client. */
static float shortest_taken(const struct pools *pools, const struct pool_state *state,
                            const struct view *view, const struct pool_client *client,
                            const float point[3])
{
    float least = FLT_MAX;
    for (uint32_t at = 0; at < view->located; at += lanes) {
        lane_floats here;
        chords(view, at, point, &here);
        for (uint32_t i = 0; i < lanes && at + i < view->located; i++) {
            if (here[i] < least && takes(pools, state, client, view->who[at + i])) {
                least = here[i];
            }
        }
    }
    return least;
}

float pool_reach(float least, uint32_t within_ppm)
{
    double half = asin(fmin(sqrt((double)least) / 2, 1)) * (within_ppm * 1e-6);
    double chord = 2 * sin(fmin(half, M_PI_2));
    return fmaxf((float)(chord * chord), least) * (1 + 4 * FLT_EPSILON);
}

static uint64_t weight_at(const struct view *view, uint32_t i)
{
    return view->sums[i] - (i > 0 ? view->sums[i - 1] : 0);
}

/* One request's look at the servers. */
struct look {
    const struct pools *pools;
    const struct pool_state *state;
    const struct view *view;
    const struct pool_client *client;
    bool filtered;
    float point[3];
};

/* Goes over those within reach until their weights exceed `until`; gives the one where they do,
 * or SNAP_NONE. near, may be NULL, is filled with those that were passed. */
static uint32_t go_over(const struct look *look, float reach, uint64_t until, struct near *near)
{
    const struct view *view = look->view;
    uint64_t sum = 0;
    for (uint32_t at = 0; at < view->located; at += lanes) {
        lane_floats here;
        chords(view, at, look->point, &here);
        lane_bits within = here <= reach;
        int32_t any = 0;
        for (int i = 0; i < lanes; i++) {
            any |= within[i];
        }
        for (uint32_t i = 0; any != 0 && i < lanes; i++) {
            uint32_t server = view->who[at + i];
            if (within[i] == 0 ||
                (look->filtered && !takes(look->pools, look->state, look->client, server))) {
                continue;
            }
            sum += weight_at(view, at + i);
            if (sum > until) {
                return server;
            }
            if (near != NULL && near->count < near_width) {
                near->who[near->count] = server;
                near->sums[near->count] = sum;
            }
            if (near != NULL) {
                near->count++;
                near->sum = sum;
            }
        }
    }
    return SNAP_NONE;
}

/* False: there is nobody for this client whose place is known. */
static bool find_near(struct look *look, struct near *near)
{
    const struct geo_place *place = look->client->place;
    geo_point(place->latitude, place->longitude, look->point);
    float least = look->filtered ? shortest_taken(look->pools, look->state, look->view,
                                                  look->client, look->point)
                                 : shortest(look->view, look->point);
    *near = (struct near){.place = *place, .made = look->view->made};
    if (least < FLT_MAX) {
        near->reach = pool_reach(least, look->state->pool->within_ppm);
        go_over(look, near->reach, UINT64_MAX, near);
    }
    return near->count > 0;
}

static bool is_known(const struct view *view, const struct near *near,
                     const struct geo_place *place)
{
    return near->made == view->made && geo_same_place(&near->place, place);
}

/* Where the place is remembered, or may be: two neighbours are looked at. */
static struct near *slot_of(const struct view *view, const struct geo_place *place)
{
    uint64_t parts[2];
    memcpy(parts, place, sizeof(parts));
    uint64_t hash = (parts[0] ^ parts[1] * UINT64_C(0xd1b54a32d192ed03)) * golden_section;
    size_t slot = hash / (UINT64_MAX / near_slots + 1);
    struct near *first = &view->near[slot];
    struct near *second = &view->near[slot ^ 1];
    if (is_known(view, first, place)) {
        return first;
    }
    bool taken = first->made == view->made;
    return is_known(view, second, place) || (taken && second->made != view->made) ? second : first;
}

static uint32_t choose_near(struct look *look, const struct near *near, uint64_t turn)
{
    uint64_t until = (uint64_t)((unsigned __int128)turn * near->sum >> 64);
    if (near->count > near_width) {
        const struct geo_place *place = look->client->place;
        geo_point(place->latitude, place->longitude, look->point);
        return go_over(look, near->reach, until, NULL);
    }
    uint32_t i = 0;
    while (near->sums[i] <= until) {
        i++;
    }
    return near->who[i];
}

/* Places are looked up once and then remembered, as long as the same servers are up. What a
 * client avoids is its own affair. */
uint32_t pool_by_distance(const struct pools *pools, struct pool_state *state, struct view *view,
                          const struct pool_client *client)
{
    const struct geo_place *place = client->place;
    if (place == NULL || place->located == 0 || view->located == 0) {
        return pool_by_turn(pools, state, view, client);
    }
    struct near own = {0};
    struct look look = {.pools = pools,
                        .state = state,
                        .view = view,
                        .client = client,
                        .filtered = state->areas || client->avoid != NULL};
    struct near *near = client->avoid != NULL ? &own : slot_of(view, place);
    bool known = near != &own && is_known(view, near, place);
    if (known ? near->count == 0 : !find_near(&look, near)) {
        return pool_by_turn(pools, state, view, client);
    }
    view->turn += golden_section;
    return choose_near(&look, near, view->turn);
}
