/* SPDX-License-Identifier: MIT */
/* The live state of pool servers in shared pages: control writes, workers read. It stands
 * beside the snapshot, so that a flapping server costs no new snapshot. A slot belongs to
 * the identity of a server ("mirrors/eu1"), as with counters. */
#pragma once

#include "base/error.h"
#include "base/span.h"

#include <stdatomic.h>

enum {
    servers_max = 65536,
    server_weight_ppm_full = 1000000,
    servers_slot_overflow = 0, /* always up: shared by those that found no slot any more */
};

enum server_state { SERVER_UP, SERVER_DOWN, SERVER_DRAIN, SERVER_MAINT };

/* Who says what of a server. Each has a word of its own, kept here so that it outlives
 * control; what workers go by is put together of all of them. */
enum servers_part {
    SERVERS_BY_HEALTH,   /* probes, and the slow start after them */
    SERVERS_BY_AGENT,    /* what the server says of itself */
    SERVERS_BY_OPERATOR, /* what was set at run time */
    SERVERS_PARTS
};

/* One word is all that a reader needs, so that it never sees half a change. */
struct server_live {
    _Atomic uint64_t word;                 /* of all parts; what workers read */
    _Atomic uint64_t parts[SERVERS_PARTS]; /* with server_part_said; 0: nothing was said */
    _Atomic uint64_t since_ns; /* CLOCK_MONOTONIC, when the state of `word` changed; 0: never */
    _Atomic uint64_t part_since_ns[SERVERS_PARTS]; /* … and that of a part */
};

static const uint64_t server_part_said = UINT64_C(1) << 63;

/* weight_ppm: a million is the weight of the file. */
static inline uint64_t server_live_word(enum server_state state, uint32_t weight_ppm)
{
    return (uint64_t)state << 32 | weight_ppm;
}

static inline enum server_state server_word_state(uint64_t word)
{
    return (enum server_state)(word >> 32);
}

static inline uint32_t server_word_weight_ppm(uint64_t word)
{
    return (uint32_t)word;
}

static inline enum server_state server_live_state(const struct server_live *server)
{
    return server_word_state(atomic_load_explicit(&server->word, memory_order_acquire));
}

static inline uint32_t server_live_weight_ppm(const struct server_live *server)
{
    return server_word_weight_ppm(atomic_load_explicit(&server->word, memory_order_acquire));
}

/* What one of them says: up with full weight as long as it has said nothing. */
static inline uint64_t server_live_part(const struct server_live *server, enum servers_part part)
{
    uint64_t word = atomic_load_explicit(&server->parts[part], memory_order_acquire);
    return word != 0 ? word & ~server_part_said
                     : server_live_word(SERVER_UP, server_weight_ppm_full);
}

static inline uint64_t server_live_since_ns(const struct server_live *server)
{
    return atomic_load_explicit(&server->since_ns, memory_order_acquire);
}

static inline uint64_t server_live_part_since_ns(const struct server_live *server,
                                                 enum servers_part part)
{
    return atomic_load_explicit(&server->part_since_ns[part], memory_order_acquire);
}

/* For panic_threshold: whether a server counts, and for which side. One that was taken out, or
 * whose weight somebody has set to nothing, says nothing of the network. */
static inline void server_live_count(const struct server_live *server, uint64_t *up, uint64_t *all)
{
    uint64_t word = atomic_load_explicit(&server->word, memory_order_acquire);
    enum server_state state = server_word_state(word);
    bool counts = server_word_weight_ppm(word) > 0 && (state == SERVER_UP || state == SERVER_DOWN);
    *all += counts;
    *up += counts && state == SERVER_UP;
}

/* What follows from three words: MAINT if one of them says so, else DOWN, else DRAIN; the
 * weights are multiplied. What is down and is drained too has no weight: nobody is sent there when
 * health is ignored. */
uint64_t servers_merge(const uint64_t parts[SERVERS_PARTS]);

struct servers_map;

enum err servers_create(int *fd_out);
/* writable: control; workers map it read-only. */
enum err servers_open(int fd, bool writable, struct servers_map **out);
void servers_close(struct servers_map **map);

/* Moves whenever a word has: who keeps what follows from the words looks at this first. */
const _Atomic uint64_t *servers_epoch(const struct servers_map *map);

/* servers_max slots. A new slot is SERVER_UP with a weight of a million. */
struct server_live *servers_live(struct servers_map *map);

/* Control only; never slot 0. ERR_LIMIT: all are taken, and servers_slot_overflow must do. */
enum err servers_slot(struct servers_map *map, struct span identity, uint32_t *slot_out);
/* Changes what one of them says; then the word, and then the epoch if the word is another. */
void servers_set_part(struct servers_map *map, uint32_t slot, enum servers_part part,
                      enum server_state state, uint32_t weight_ppm);
/* What the probes say. */
void servers_set(struct servers_map *map, uint32_t slot, enum server_state state,
                 uint32_t weight_ppm);
