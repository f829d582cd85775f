/* SPDX-License-Identifier: MIT */
/* Weighted rendezvous hashing: of a key's scores the highest wins, so that a server that leaves
 * takes only its own keys along, and everybody who knows the same servers chooses the same one.
 *
 * Keys fall into buckets, and it is the bucket that is scored. So the best few of a bucket can be
 * remembered, by their full weights; who of them can be chosen now is looked up each time. */
#include "pool/internal.h"

#include <math.h>
#include <string.h>
#include <xxhash.h>

/* Ends a rank that has room left. */
static const uint16_t nobody = UINT16_MAX;

static double score(const struct pool_state *state, uint64_t bucket, uint32_t server,
                    uint64_t weight)
{
    double unit = ((double)(mix_two(bucket, state->servers[server].hash) >> 11) + 0.5) * 0x1p-53;
    return (double)weight / -log(unit);
}

static uint64_t bucket_of(const struct pool_client *client)
{
    return client->key / (UINT64_MAX / rank_buckets + 1);
}

double pool_score(const struct pool_state *state, const struct pool_client *client, uint32_t server,
                  uint64_t weight)
{
    return score(state, bucket_of(client), server, weight);
}

static uint64_t full_weight(const struct pool_state *state, uint32_t server)
{
    return (uint64_t)state->servers[server].weight * server_weight_ppm_full;
}

/* What ranks depend on. */
uint64_t pool_ranks_hash(const struct pool_state *state)
{
    uint64_t hash = state->pool->server_count;
    for (uint32_t i = 0; i < state->pool->server_count; i++) {
        const struct snap_server *server = &state->servers[i];
        const uint64_t parts[] = {hash, server->hash, server->weight, server->priority};
        hash = XXH3_64bits(parts, sizeof(parts));
    }
    return hash;
}

static uint32_t compute(const struct pools *pools, const struct pool_state *state,
                        const struct view *view, const struct pool_client *client, uint64_t bucket)
{
    uint32_t best = SNAP_NONE;
    double best_score = -1;
    for (uint32_t i = 0; i < view->count; i++) {
        uint32_t server = view->who[i];
        double own =
            score(state, bucket, server, pool_weight(pools, state, server, view->ignoring));
        if (own > best_score && !pool_avoided(client, server)) {
            best = server;
            best_score = own;
        }
    }
    return best;
}

/* Keeps the rank_width best, the best first. */
static void insert(double *scores, struct rank *rank, uint32_t *count, double own, uint32_t server)
{
    uint32_t at = *count;
    if (at == rank_width) {
        if (own <= scores[rank_width - 1]) {
            return;
        }
        at--;
    } else {
        (*count)++;
    }
    for (; at > 0 && own > scores[at - 1]; at--) {
        scores[at] = scores[at - 1];
        rank->best[at] = rank->best[at - 1];
    }
    scores[at] = own;
    rank->best[at] = (uint16_t)server;
}

/* Where all weights are alike, the hashes alone say who is before whom. */
static void fill(const struct pool_state *state, uint32_t end, uint64_t bucket, struct rank *rank)
{
    double scores[rank_width];
    uint32_t count = 0;
    memset(rank, 0xff, sizeof(*rank));
    for (uint32_t i = 0; i < end; i++) {
        if (state->even) {
            uint64_t hash = mix_two(bucket, state->servers[i].hash) >> 11;
            insert(scores, rank, &count, (double)hash, i);
        } else if (state->servers[i].weight > 0) {
            insert(scores, rank, &count, score(state, bucket, i, full_weight(state, i)), i);
        }
    }
}

/* Of those that are remembered. A server that has less than its full weight now scores less than
 * its place says, and whoever comes later never more than theirs. False: somebody who is not
 * remembered may be the best. */
static bool look_up(const struct pools *pools, const struct pool_state *state,
                    const struct view *view, const struct pool_client *client, uint64_t bucket,
                    unsigned class, uint32_t *out)
{
    const struct rank *rank = &state->ranks[bucket];
    double best_score = -1;
    *out = SNAP_NONE;
    for (uint32_t i = 0; i < rank_width; i++) {
        uint32_t server = rank->best[i];
        if (server == nobody) {
            return true;
        }
        uint64_t full = full_weight(state, server);
        if (*out != SNAP_NONE && best_score >= score(state, bucket, server, full)) {
            return true;
        }
        uint64_t weight = pool_weight(pools, state, server, view->ignoring);
        if (weight == 0 || (state->mixed && !pool_serves(&state->servers[server], class)) ||
            pool_avoided(client, server)) {
            continue;
        }
        if (weight == full && *out == SNAP_NONE) {
            *out = server;
            return true;
        }
        double own = score(state, bucket, server, weight);
        if (own > best_score) {
            best_score = own;
            *out = server;
        }
    }
    return false;
}

uint32_t pool_by_hash(const struct pools *pools, struct pool_state *state, const struct view *view,
                      const struct pool_client *client, unsigned class)
{
    uint64_t bucket = bucket_of(client);
    uint32_t server;
    if (state->ranks == NULL) {
        return compute(pools, state, view, client, bucket);
    }
    if (state->ranks_end != view->end) {
        memset(state->ranks, 0, rank_buckets * sizeof(*state->ranks));
        state->ranks_end = view->end;
    }
    struct rank *rank = &state->ranks[bucket];
    if (rank->best[0] == rank->best[1]) {
        fill(state, view->end, bucket, rank);
    }
    return look_up(pools, state, view, client, bucket, class, &server)
               ? server
               : compute(pools, state, view, client, bucket);
}
