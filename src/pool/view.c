/* SPDX-License-Identifier: MIT */
/* Who of a pool serves whom at this moment. Made anew when a live word has changed, so that a
 * choice looks at those alone who can be chosen. */
#include "pool/internal.h"

#include <stdlib.h>
#include <string.h>

enum { point_lanes = 8 }; /* the arrays of points are filled up to a multiple */

/* A chord to it is longer than any on the sphere. */
static const float nowhere = 9;

enum server_state pool_state_of(const struct pools *pools, const struct pool_state *state,
                                uint32_t server)
{
    const struct server_live *live = pools->setting.live;
    return live != NULL ? server_live_state(live + state->servers[server].slot) : SERVER_UP;
}

uint64_t pool_weight(const struct pools *pools, const struct pool_state *state, uint32_t server,
                     bool ignoring)
{
    const struct snap_server *from = &state->servers[server];
    uint64_t weight = from->weight;
    if (state->pool->balance == SNAP_ROUND_ROBIN) {
        weight = weight > 0;
    }
    uint64_t full = weight * server_weight_ppm_full;
    if (pools->setting.live == NULL) {
        return full;
    }
    const struct server_live *live = pools->setting.live + from->slot;
    uint32_t ppm = server_live_weight_ppm(live);
    uint64_t partly = ppm < server_weight_ppm_full ? weight * ppm : full;
    switch (server_live_state(live)) {
    case SERVER_UP:
        return partly;
    case SERVER_DOWN:
        return ignoring ? partly : 0;
    case SERVER_DRAIN:
        return state->pool->balance == SNAP_HASH ? partly : 0;
    case SERVER_MAINT:
        break;
    }
    return 0;
}

bool pool_serves(const struct snap_server *server, unsigned class)
{
    uint32_t scheme = (class & 1) != 0 ? SNAP_REACH_HTTPS : SNAP_REACH_HTTP;
    uint32_t family = (class & 2) != 0 ? SNAP_REACH_IPV4 : SNAP_REACH_IPV6;
    return (server->reach & scheme) != 0 && (server->reach & family) != 0;
}

static bool serves(const struct pool_state *state, uint32_t server, unsigned class)
{
    return !state->mixed || pool_serves(&state->servers[server], class);
}

/* ---- what stands in a view ---- */

/* Fewer are up than it takes to believe that it is they who fail. */
static bool is_panic(const struct pools *pools, const struct pool_state *state)
{
    const struct server_live *live = pools->setting.live;
    uint64_t up = 0;
    uint64_t all = 0;
    uint32_t count = live != NULL && state->pool->panic_ppm > 0 ? state->pool->server_count : 0;
    for (uint32_t i = 0; i < count; i++) {
        if (state->servers[i].weight > 0) {
            server_live_count(live + state->servers[i].slot, &up, &all);
        }
    }
    return up * 1000000 < all * state->pool->panic_ppm;
}

/* Servers stand by priority: those that are needed come first. */
static uint32_t find_end(const struct pools *pools, const struct pool_state *state, unsigned class,
                         bool ignoring)
{
    uint32_t healthy = 0;
    uint32_t count = state->pool->server_count;
    for (uint32_t i = 0; i < count; i++) {
        bool next = i > 0 && state->servers[i].priority != state->servers[i - 1].priority;
        if (next && healthy >= state->pool->min_healthy) {
            return i;
        }
        healthy += serves(state, i, class) && pool_weight(pools, state, i, ignoring) > 0 &&
                   (ignoring || pool_state_of(pools, state, i) == SERVER_UP);
    }
    return count;
}

static void add_point(struct view *view, const struct snap_server *server)
{
    for (int axis = 0; axis < 3 && view->point[0] != NULL; axis++) {
        view->point[axis][view->located] = server->point[axis];
    }
    view->located++;
}

static void add_some(const struct pools *pools, const struct pool_state *state, unsigned class,
                     bool located, struct view *view)
{
    for (uint32_t i = 0; i < view->end; i++) {
        uint64_t weight = pool_weight(pools, state, i, view->ignoring);
        if (weight == 0 || !serves(state, i, class) ||
            (state->servers[i].located != 0) != located) {
            continue;
        }
        if (located) {
            add_point(view, &state->servers[i]);
        }
        view->who[view->count] = i;
        view->sums[view->count++] = weight;
    }
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* A step through a cycle of so many places that comes to each of them once, and spreads them: near
 * the golden section, whose multiples keep away from each other. */
static uint64_t find_stride(uint64_t total)
{
    uint64_t stride = (uint64_t)((double)total * 0.6180339887498949);
    while (stride < total && gcd(stride, total) != 1) {
        stride++;
    }
    return stride < total ? stride : 1;
}

static uint64_t scaled(uint64_t part, uint64_t whole, uint64_t of)
{
    return (uint64_t)((unsigned __int128)part * whole / of);
}

/* Weights become sums of weights in lowest terms; the places in the cycle stay where they
 * are. */
static void sum_up(struct view *view)
{
    uint64_t divisor = 0;
    uint64_t before = view->total;
    for (uint32_t i = 0; i < view->count && divisor != 1; i++) {
        divisor = gcd(divisor, view->sums[i]);
    }
    uint64_t sum = 0;
    for (uint32_t i = 0; i < view->count; i++) {
        sum += divisor > 0 ? view->sums[i] / divisor : 0;
        view->sums[i] = sum;
    }
    view->total = sum;
    view->stride = sum > 1 ? find_stride(sum) : 0;
    if (before != sum && sum > 0) {
        view->place = before > 0 ? scaled(view->place, sum, before)
                                 : scaled(view->turn >> 1, sum, UINT64_C(1) << 63);
        view->aside = before > 0 ? scaled(view->aside, sum, before) : view->place;
    }
}

static void fill(const struct pools *pools, const struct pool_state *state, unsigned class,
                 bool ignoring, struct view *view)
{
    view->ignoring = ignoring;
    view->end = find_end(pools, state, class, ignoring);
    view->count = view->located = 0;
    add_some(pools, state, class, true, view);
    for (uint32_t i = view->located; view->point[0] != NULL && i % point_lanes != 0; i++) {
        view->point[0][i] = view->point[1][i] = view->point[2][i] = nowhere;
    }
    add_some(pools, state, class, false, view);
}

struct view *pool_view(struct pools *pools, struct pool_state *state, unsigned class)
{
    struct view *view = &state->views[class];
    const _Atomic uint64_t *now = pools->setting.epoch;
    uint64_t epoch = now != NULL ? atomic_load_explicit(now, memory_order_acquire) : 0;
    if (view->fresh && now != NULL && view->epoch == epoch) {
        return view;
    }
    fill(pools, state, class, is_panic(pools, state), view);
    if (view->count == 0 && !view->ignoring && state->pool->fallback_all) {
        fill(pools, state, class, true, view);
    }
    sum_up(view);
    view->epoch = epoch;
    view->made++;
    view->fresh = true;
    return view;
}

/* ---- who can take one client ---- */

static bool area_is(const struct snap_area *area, const struct geo_place *place)
{
    return memcmp(area->code, area->continent != 0 ? place->continent : place->country, 2) == 0;
}

bool pool_takes_area(const struct snapshot *snapshot, const struct snap_server *server,
                     const struct geo_place *place)
{
    const struct snap_area *areas = snapshot_at(snapshot, server->areas.off);
    bool asked = false;
    bool included = false;
    for (uint32_t i = 0; i < server->areas.count; i++) {
        bool is = place != NULL && area_is(&areas[i], place);
        if (is && areas[i].exclude != 0) {
            return false;
        }
        asked = asked || areas[i].exclude == 0;
        included = included || is;
    }
    return !asked || included;
}

/* ---- all of them ---- */

static bool view_init(const struct snap_pool *pool, uint64_t turn, struct view *view)
{
    size_t count = (size_t)pool->server_count + point_lanes;
    view->turn = turn;
    view->who = calloc(count, sizeof(*view->who));
    view->sums = calloc(count, sizeof(*view->sums));
    bool ready = view->who != NULL && view->sums != NULL;
    for (int axis = 0; axis < 3 && pool->balance == SNAP_NEAREST; axis++) {
        view->point[axis] = calloc(count, sizeof(float));
        ready = ready && view->point[axis] != NULL;
    }
    if (ready && pool->balance == SNAP_NEAREST) {
        view->near = calloc(near_slots, sizeof(*view->near));
        ready = view->near != NULL;
    }
    return ready;
}

static void view_fini(struct view *view)
{
    free(view->who);
    free(view->sums);
    free(view->near);
    for (int axis = 0; axis < 3; axis++) {
        free(view->point[axis]);
    }
}

struct by_hash {
    uint64_t hash;
    uint32_t server;
};

static int compare_hashes(const void *left, const void *right)
{
    const struct by_hash *a = left;
    const struct by_hash *b = right;
    return (a->hash > b->hash) - (a->hash < b->hash);
}

static bool sort_by_hash(struct pool_state *state)
{
    size_t count = state->pool->server_count;
    struct by_hash *sorted = calloc(count + 1, sizeof(*sorted));
    state->by_hash = calloc(count + 1, sizeof(*state->by_hash));
    bool ready = sorted != NULL && state->by_hash != NULL;
    for (uint32_t i = 0; ready && i < count; i++) {
        sorted[i] = (struct by_hash){.hash = state->servers[i].hash, .server = i};
    }
    if (ready) {
        qsort(sorted, count, sizeof(*sorted), compare_hashes);
    }
    for (uint32_t i = 0; ready && i < count; i++) {
        state->by_hash[i] = sorted[i].server;
    }
    free(sorted);
    return ready;
}

static void look_at_servers(struct pool_state *state)
{
    state->even = true;
    for (uint32_t i = 0; i < state->pool->server_count; i++) {
        const struct snap_server *server = &state->servers[i];
        state->mixed = state->mixed || server->reach != SNAP_REACH_ALL;
        state->areas = state->areas || server->areas.count > 0;
        state->even = state->even && server->weight == state->servers[0].weight;
    }
}

/* Ranks take long to compute: those of the pool as it was are taken over. */
static struct rank *take_ranks(struct pools *previous, struct pool_state *state)
{
    for (uint32_t i = 0; previous != NULL && i < previous->count; i++) {
        struct pool_state *old = &previous->states[i];
        if (old->ranks != NULL && old->ranks_of == state->ranks_of) {
            struct rank *ranks = old->ranks;
            old->ranks = NULL;
            state->ranks_end = old->ranks_end;
            return ranks;
        }
    }
    return NULL;
}

static bool want_ranks(struct pools *pools, struct pools *previous, struct pool_state *state)
{
    const struct snap_pool *pool = state->pool;
    if (pool->balance != SNAP_HASH || pool->server_count < 2 || pool->server_count > UINT16_MAX ||
        pools->rank_count == ranks_max) {
        return true;
    }
    pools->rank_count++;
    state->ranks_of = pool_ranks_hash(state);
    state->ranks = take_ranks(previous, state);
    if (state->ranks == NULL) {
        state->ranks = calloc(rank_buckets, sizeof(*state->ranks));
    }
    return state->ranks != NULL;
}

static bool state_init(struct pools *pools, struct pools *previous, uint32_t index)
{
    const struct snap_pool *pool = snapshot_pool(pools->snapshot, index);
    struct pool_state *state = &pools->states[index];
    /* Workers, and pools, begin far from each other. */
    uint64_t turn =
        (pools->setting.worker + 1) * golden_section + index * UINT64_C(0xd1b54a32d192ed03);
    state->pool = pool;
    state->servers = snapshot_server(pools->snapshot, pool->first_server);
    look_at_servers(state);
    size_t classes = state->mixed ? pool_classes : 1;
    state->views = calloc(classes, sizeof(*state->views));
    bool ready = state->views != NULL;
    for (size_t i = 0; ready && i < classes; i++) {
        ready = view_init(pool, pools->setting.worker == 0 ? 0 : turn, &state->views[i]);
    }
    if (ready && pool->sticky.len > 0) {
        ready = sort_by_hash(state);
    }
    return ready && want_ranks(pools, previous, state);
}

/* Room for a bit for each server of the largest pool. */
static uint64_t *new_taken(const struct pools *pools)
{
    size_t most = 1;
    for (uint32_t i = 0; i < pools->count; i++) {
        size_t words = pool_avoid_words(snapshot_pool(pools->snapshot, i));
        most = words > most ? words : most;
    }
    return calloc(most, sizeof(uint64_t));
}

enum err pools_new(const struct snapshot *snapshot, const struct pools_setting *setting,
                   struct pools *previous, struct pools **out)
{
    struct pools *pools = calloc(1, sizeof(*pools));
    if (pools == NULL) {
        return ERR_MEMORY;
    }
    pools->snapshot = snapshot;
    pools->setting = *setting;
    pools->count = snapshot_pool_count(snapshot);
    pools->states = calloc((size_t)pools->count + 1, sizeof(*pools->states));
    pools->taken = new_taken(pools);
    bool ready = pools->states != NULL && pools->taken != NULL;
    for (uint32_t i = 0; ready && i < pools->count; i++) {
        ready = state_init(pools, previous, i);
    }
    if (!ready) {
        pools_free(&pools);
        return ERR_MEMORY;
    }
    *out = pools;
    return ERR_NONE;
}

static void state_fini(struct pool_state *state)
{
    for (size_t i = 0; state->views != NULL && i < (state->mixed ? pool_classes : 1); i++) {
        view_fini(&state->views[i]);
    }
    free(state->views);
    free(state->by_hash);
    free(state->ranks);
}

void pools_free(struct pools **pools)
{
    struct pools *freed = *pools;
    *pools = NULL;
    if (freed == NULL) {
        return;
    }
    for (uint32_t i = 0; freed->states != NULL && i < freed->count; i++) {
        state_fini(&freed->states[i]);
    }
    free(freed->states);
    free(freed->taken);
    free(freed);
}
