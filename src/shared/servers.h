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

/* One word, so that a reader never sees half a change. */
struct server_live {
    _Atomic uint64_t word;
};

/* weight_ppm: a million is the weight of the file. */
static inline uint64_t server_live_word(enum server_state state, uint32_t weight_ppm)
{
    return (uint64_t)state << 32 | weight_ppm;
}

static inline enum server_state server_live_state(const struct server_live *server)
{
    return (enum server_state)(atomic_load_explicit(&server->word, memory_order_acquire) >> 32);
}

static inline uint32_t server_live_weight_ppm(const struct server_live *server)
{
    return (uint32_t)atomic_load_explicit(&server->word, memory_order_acquire);
}

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
/* Changes a word, and then the epoch. */
void servers_set(struct servers_map *map, uint32_t slot, enum server_state state,
                 uint32_t weight_ppm);
