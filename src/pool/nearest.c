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
    return !pool_avoided(state, client, server) &&
           pool_takes_area(pools->snapshot, &state->servers[server], client->place);
}

/* The square of the shortest chord. */
static float shortest(const struct view *view, const float point[3])
{
    lane_floats best;
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

/* The square of the chord that is `within` times as far along the sphere. */
static float reach_of(float least, uint32_t within_ppm)
{
    double half = asin(fmin(sqrt((double)least) / 2, 1)) * (within_ppm * 1e-6);
    double chord = 2 * sin(fmin(half, M_PI_2));
    return fmaxf((float)(chord * chord), least) * (1 + 4 * FLT_EPSILON);
}

static uint64_t weight_at(const struct view *view, uint32_t i)
{
    return view->sums[i] - (i > 0 ? view->sums[i - 1] : 0);
}

/* Goes over those within reach until their weights exceed `until`; gives the one where they do,
 * or SNAP_NONE and the sum of all. */
static uint32_t sum_within(const struct pools *pools, const struct pool_state *state,
                           const struct view *view, const struct pool_client *client, bool filtered,
                           const float point[3], float reach, uint64_t until, uint64_t *sum_out)
{
    uint64_t sum = 0;
    for (uint32_t at = 0; at < view->located; at += lanes) {
        lane_floats here;
        chords(view, at, point, &here);
        lane_bits near = here <= reach;
        int32_t any = 0;
        for (int i = 0; i < lanes; i++) {
            any |= near[i];
        }
        for (uint32_t i = 0; any != 0 && i < lanes; i++) {
            if (near[i] == 0 || (filtered && !takes(pools, state, client, view->who[at + i]))) {
                continue;
            }
            sum += weight_at(view, at + i);
            if (sum > until) {
                return view->who[at + i];
            }
        }
    }
    *sum_out = sum;
    return SNAP_NONE;
}

uint32_t pool_by_distance(const struct pools *pools, struct pool_state *state, struct view *view,
                          const struct pool_client *client)
{
    const struct geo_place *place = client->place;
    bool filtered = state->areas || client->avoid_count > 0;
    if (place == NULL || place->located == 0 || view->located == 0) {
        return pool_by_turn(pools, state, view, client);
    }
    float point[3];
    geo_point(place->latitude, place->longitude, point);
    float least =
        filtered ? shortest_taken(pools, state, view, client, point) : shortest(view, point);
    if (least >= FLT_MAX) {
        return pool_by_turn(pools, state, view, client);
    }
    float reach = reach_of(least, state->pool->within_ppm);
    uint64_t sum = 0;
    sum_within(pools, state, view, client, filtered, point, reach, UINT64_MAX, &sum);
    view->turn += UINT64_C(0x9e3779b97f4a7c15); /* the golden section of 2^64 */
    uint64_t until = (uint64_t)((unsigned __int128)view->turn * sum >> 64);
    return sum_within(pools, state, view, client, filtered, point, reach, until, &sum);
}
