/* SPDX-License-Identifier: MIT */
/* Which server of a pool a client is sent to. Pure: reads the snapshot, the live words of its
 * servers and who asks; keeps turns, and what follows from the live words, for one thread.
 *
 * See doc/internals/pools.md. */
#pragma once

#include "geo/geo.h"
#include "shared/servers.h"
#include "snapshot/snapshot.h"

/* What one thread keeps of the pools of one snapshot. */
struct pools;

struct pools_setting {
    const struct server_live *live; /* by slot; NULL: all are up */
    /* Moves when a live word has. NULL: the words are looked at with each request. */
    const _Atomic uint64_t *epoch;
    uint32_t worker; /* its index: each begins at its own place of a cycle */
};

/* previous, may be NULL: what of it is still true is taken over; it must still be mapped, and
 * must be freed all the same. ERR_MEMORY. */
enum err pools_new(const struct snapshot *snapshot, const struct pools_setting *setting,
                   struct pools *previous, struct pools **out);
void pools_free(struct pools **pools);

/* Who asks. */
struct pool_client {
    const uint8_t *address; /* 16 bytes; IPv4 as ::ffff:a.b.c.d */
    bool secure;
    uint64_t key;                  /* under `hash`: what is hashed, hashed */
    const struct geo_place *place; /* under `nearest`; NULL: not known */
    struct span held;              /* the value of the `sticky` cookie; empty: none */
    /* None of these: a bit for each server of the pool, by its index in it, the lowest bit of a
     * word first (pool_avoid). NULL: whichever it is. */
    const uint64_t *avoid;
};

/* How many words hold a bit for each server of a pool. */
static inline size_t pool_avoid_words(const struct snap_pool *pool)
{
    return ((size_t)pool->server_count + 63) / 64;
}

/* server: its index in the pool. */
static inline void pool_avoid(uint64_t *avoid, uint32_t server)
{
    avoid[server / 64] |= UINT64_C(1) << server % 64;
}

/* Such bits to add to: a copy, all 0 where nobody is avoided yet. */
static inline void pool_avoid_copy(const struct snap_pool *pool, const uint64_t *avoid,
                                   uint64_t *out)
{
    size_t bytes = pool_avoid_words(pool) * sizeof(*out);
    if (avoid != NULL) {
        memcpy(out, avoid, bytes);
    } else {
        memset(out, 0, bytes);
    }
}

/* The server, an index into the snapshot's servers; SNAP_NONE: nobody is left. */
uint32_t pool_choose(struct pools *pools, uint32_t pool, const struct pool_client *client);

/* Where else this client could go, the first one first: each is one that pool_choose could give if
 * the client avoided `chosen`, which it has given, and those before it. Takes no turn from
 * anybody. Fills at most max indexes into the snapshot's servers, and gives how many. */
size_t pool_alternatives(struct pools *pools, uint32_t pool, const struct pool_client *client,
                         uint32_t chosen, size_t max, uint32_t *out);

/* The server's URL as this client gets it: with its own scheme where the server serves both. */
struct span pool_server_url(const struct snapshot *snapshot, const struct snap_server *server,
                            bool secure, struct span *authority_out);

/* What the sticky cookie says of a server: 16 digits. */
enum { pool_held_bytes = 16 };
void pool_held_text(const struct snap_server *server, uint8_t out[pool_held_bytes]);

/* Why a server was not the one. */
enum pool_lost {
    POOL_WON,
    POOL_DOWN,
    POOL_DRAINS,
    POOL_MAINTAINED,
    POOL_NO_WEIGHT,
    POOL_SCHEME,   /* it does not serve clients that came over this scheme */
    POOL_FAMILY,   /* … or from this family of addresses */
    POOL_AREA,     /* … or from this country or continent */
    POOL_AVOIDED,  /* the client cannot reach it */
    POOL_LOWER,    /* those of a better priority suffice */
    POOL_FARTHER,  /* others are nearer */
    POOL_UNPLACED, /* nobody knows where it is, and of others it is known */
    POOL_HELD,     /* a cookie holds the client to another */
    POOL_KEY,      /* the client's key is another's */
    POOL_TURN,     /* it is another's turn */
};
/* After pool_choose. server: an index into the snapshot's servers, of this pool. *km_out: how far
 * it is from the client; negative: not known. */
enum pool_lost pool_why_not(const struct pools *pools, uint32_t pool,
                            const struct pool_client *client, uint32_t chosen, uint32_t server,
                            double *km_out);
/* "it is down", … */
struct span pool_lost_text(enum pool_lost lost);
