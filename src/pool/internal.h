/* SPDX-License-Identifier: MIT */
/* What the files of pool/ share: the views of pools. */
#pragma once

#include "pool/pool.h"

#include "base/mix.h"

/* A client's scheme and family: those who are served by the same servers. */
enum { pool_classes = 4 };

enum {
    rank_buckets = 65536, /* keys are told apart by so many */
    rank_width = 8,       /* servers of a bucket that are remembered */
    ranks_max = 32,       /* pools that remember them; the others compute */
};

/* The best servers of a bucket, by their indexes in the pool; the first two are equal: not
 * computed yet. */
struct rank {
    uint16_t best[rank_width];
};

enum {
    near_slots = 4096, /* places that are remembered; a power of two */
    near_width = 8,    /* servers of a place that are */
};

/* Who is near enough to a place. */
struct near {
    struct geo_place place;
    uint64_t made;  /* the view's, when it was looked up; 0: never */
    float reach;    /* the square of the longest chord */
    uint32_t count; /* of those within; more than near_width: they are looked up each time */
    uint64_t sum;   /* of all weights within */
    uint32_t who[near_width];
    uint64_t sums[near_width]; /* of the weights so far */
};

/* Those of a pool who serve one class of clients, as of the live words. */
struct view {
    uint64_t epoch;
    bool fresh;
    uint64_t made;    /* how often it was */
    bool ignoring;    /* health */
    uint32_t end;     /* servers from here on are of priorities that are not needed */
    uint32_t count;   /* of `who` */
    uint32_t located; /* how many of them stand in `point` */
    uint64_t total;   /* of their weights in lowest terms: the length of a cycle */
    uint64_t stride;  /* shares no factor with it */
    uint64_t place;   /* in the cycle */
    uint64_t aside;   /* in the same cycle, of those who avoid some: they take nobody's turn */
    uint64_t turn;    /* for a choice of some of them: a fraction of 2^64 */
    uint64_t spare;   /* how many turns were drawn for alternatives, times the golden section */
    uint32_t *who;    /* indexes in the pool; those that are located come first */
    uint64_t *sums;   /* of the weights so far */
    float *point[3];
    struct near *near; /* near_slots; NULL but under `nearest` */
};

struct pool_state {
    const struct snap_pool *pool;
    const struct snap_server *servers;
    bool mixed;         /* there are servers that do not serve everybody */
    bool areas;         /* … from everywhere */
    bool even;          /* they all have the same weight */
    struct view *views; /* one, or one for each class */
    uint32_t *by_hash;  /* for `sticky`: indexes in the order of their hashes */
    struct rank *ranks; /* NULL: computed each time */
    uint32_t ranks_end; /* the view's `end` that they are for */
    uint64_t ranks_of;  /* a hash of what they depend on */
};

struct pools {
    const struct snapshot *snapshot;
    struct pools_setting setting;
    uint32_t count;
    uint32_t rank_count;
    struct pool_state *states;
    uint64_t *taken; /* a bit for each server of the largest pool; see pool_alternatives */
};

static inline unsigned pool_class(const struct pool_state *state, const struct pool_client *client)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (!state->mixed) {
        return 0;
    }
    bool v4 = memcmp(client->address, mapped, sizeof(mapped)) == 0;
    return (client->secure ? 1u : 0) | (v4 ? 2u : 0);
}

/* view.c */

/* The weight of a server as its live word says, in millionths. */
uint64_t pool_weight(const struct pools *pools, const struct pool_state *state, uint32_t server,
                     bool ignoring);
bool pool_serves(const struct snap_server *server, unsigned class);
/* The view of the class, made anew if a word has changed. */
struct view *pool_view(struct pools *pools, struct pool_state *state, unsigned class);
/* Whether a server takes clients from there. */
bool pool_takes_area(const struct snapshot *snapshot, const struct snap_server *server,
                     const struct geo_place *place);
static inline bool pool_avoided(const struct pool_client *client, uint32_t server)
{
    return client->avoid != NULL && client->avoid[server / 64] >> server % 64 & 1;
}
enum server_state pool_state_of(const struct pools *pools, const struct pool_state *state,
                                uint32_t server);

/* hash.c and nearest.c: an index in the pool, or SNAP_NONE. */
uint32_t pool_by_hash(const struct pools *pools, struct pool_state *state, const struct view *view,
                      const struct pool_client *client, unsigned class);
uint64_t pool_ranks_hash(const struct pool_state *state);
uint32_t pool_by_distance(const struct pools *pools, struct pool_state *state, struct view *view,
                          const struct pool_client *client);
/* choose.c: the server whose share of the cycle holds the place. */
uint32_t pool_at_place(const struct view *view, uint64_t place);
/* How well the server scores for the client's key: of all servers the highest wins. */
double pool_score(const struct pool_state *state, const struct pool_client *client, uint32_t server,
                  uint64_t weight);
/* The square of the chord that is `within` times as far along the sphere as the one of this
 * square. */
float pool_reach(float least, uint32_t within_ppm);
/* lower.c: of the priorities that are not needed, for a client whom nobody of the view takes. */
uint32_t pool_by_lower(const struct pools *pools, const struct pool_state *state, struct view *view,
                       const struct pool_client *client, unsigned class);
/* The end of the servers that are of the same priority as this one. */
uint32_t pool_priority_end(const struct pool_state *state, uint32_t server);
/* choose.c: by turn, of all that the view holds and the client can be sent to. */
uint32_t pool_by_turn(const struct pools *pools, struct pool_state *state, struct view *view,
                      const struct pool_client *client);
