/* SPDX-License-Identifier: MIT */
/* Which server of a pool a request is sent to. Only the servers of the best priority that
 * has anybody up are considered. */
#include "decide/internal.h"

#include "http/field.h"

#include <math.h>
#include <xxhash.h>

struct choice {
    struct asked *asked;
    const struct snap_pool *pool;
    const struct snap_server *servers;
    bool ignore_health;
    uint32_t priority;
};

/* Its weight now, in millionths of a unit of the file's; 0: it gets nobody. */
static uint64_t weight_of(const struct choice *choice, const struct snap_server *server)
{
    const struct server_live *live = choice->asked->context->servers;
    if (server->weight == 0 || live == NULL || choice->ignore_health) {
        return (uint64_t)server->weight * 1000000;
    }
    live += server->slot;
    if (server_live_state(live) != SERVER_UP) {
        return 0;
    }
    return (uint64_t)server->weight * server_live_weight_ppm(live);
}

static bool eligible(const struct choice *choice, const struct snap_server *server)
{
    return server->priority == choice->priority && weight_of(choice, server) > 0;
}

/* Servers stand by priority, so the first one that is up says which priority serves. */
static bool find_priority(struct choice *choice)
{
    for (uint32_t i = 0; i < choice->pool->server_count; i++) {
        if (weight_of(choice, &choice->servers[i]) > 0) {
            choice->priority = choice->servers[i].priority;
            return true;
        }
    }
    return false;
}

/* The next turn of the cycle that belongs to somebody who is eligible. Exact over a full
 * cycle as long as everybody is; who is not loses the turn to the next one. */
static uint32_t choose_by_turn(const struct choice *choice)
{
    uint32_t *turn = choice->asked->context->pool_turns +
                     (choice->pool - snapshot_pool(choice->asked->snapshot, 0));
    const uint32_t *cycle = snapshot_at(choice->asked->snapshot, choice->pool->cycle.off);
    uint32_t length = choice->pool->cycle.count;
    for (uint32_t i = 0; i < length; i++) {
        uint32_t server = cycle[(*turn)++ % length];
        if (eligible(choice, &choice->servers[server])) {
            return server;
        }
    }
    return SNAP_NONE;
}

static uint64_t key_hash(const struct choice *choice)
{
    const struct asked *asked = choice->asked;
    struct span name = snapshot_text(asked->snapshot, choice->pool->hash_name);
    struct span key = {0};
    switch ((enum snap_hash_key)choice->pool->hash_key) {
    case SNAP_KEY_PATH:
        key = asked->path.norm;
        break;
    case SNAP_KEY_HEADER:
        key = field_find(asked->request, name);
        break;
    case SNAP_KEY_COOKIE:
        key = cookie_find(asked->request->known.cookie, name);
        break;
    case SNAP_KEY_CLIENT:
        break;
    }
    if (key.ptr == NULL) {
        return client_hash(&asked->decision->client, 0);
    }
    return XXH3_64bits(key.ptr, key.len);
}

/* Two hashes as one, by the finaliser of SplitMix64: of two servers' scores for one key none
 * says anything about the other. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t x = a ^ (b * UINT64_C(0x9e3779b97f4a7c15));
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* Weighted rendezvous hashing: the highest score wins, so that a server that leaves takes
 * only its own keys along, and everybody who knows the same servers chooses the same one. */
static uint32_t choose_by_hash(const struct choice *choice)
{
    uint64_t key = key_hash(choice);
    uint32_t best = SNAP_NONE;
    double best_score = -1;
    for (uint32_t i = 0; i < choice->pool->server_count; i++) {
        const struct snap_server *server = &choice->servers[i];
        if (!eligible(choice, server)) {
            continue;
        }
        double unit = ((double)(mix(key, server->hash) >> 11) + 0.5) * 0x1p-53;
        double score = (double)weight_of(choice, server) / -log(unit);
        if (score > best_score) {
            best = i;
            best_score = score;
        }
    }
    return best;
}

uint32_t pool_choose(struct asked *asked, uint32_t pool)
{
    struct choice choice = {.asked = asked, .pool = snapshot_pool(asked->snapshot, pool)};
    choice.servers = snapshot_server(asked->snapshot, choice.pool->first_server);
    if (!find_priority(&choice)) {
        choice.ignore_health = choice.pool->fallback_all;
        if (!choice.ignore_health || !find_priority(&choice)) {
            return SNAP_NONE;
        }
    }
    bool hash = choice.pool->balance == SNAP_HASH;
    uint32_t server = hash ? choose_by_hash(&choice) : choose_by_turn(&choice);
    return server == SNAP_NONE ? SNAP_NONE : choice.pool->first_server + server;
}
