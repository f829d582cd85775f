/* SPDX-License-Identifier: MIT */
/* Counters in shared pages: each worker writes its own block, control reads all of them.
 * One writer a word, relaxed atomics, no locked instruction. The pages are a memfd that
 * the supervisor keeps, so that they survive their worker and control.
 *
 * Rules have slots. A slot belongs to the identity of a rule ("shop/routes/api"), so that
 * its counts go on over a reload and over a restart of control: the directory in the
 * pages holds the hash of the identity for each slot, and control alone changes it. */
#pragma once

#include "base/error.h"
#include "base/span.h"
#include "shared/origin_end.h"

#include <stdatomic.h>

enum {
    counters_workers_max = 256,
    worker_lanes = 2, /* for each worker: its own, and one for whoever takes its place while it
                         still finishes what it has; w and w + workers */
    counters_rules_max = 1 << 20,
    counters_statuses = 600,    /* by status code */
    counters_slot_overflow = 0, /* shared by the rules that found no slot any more */
};

typedef _Atomic uint64_t counter;

/* What one worker counts. */
struct counters_worker {
    counter heartbeat;           /* shared/heartbeat.h */
    counter snapshot_generation; /* the one it answers from */
    counter requests;
    counter connections_accepted;
    counter connections_active;  /* a gauge; set to 0 when a worker starts */
    counter connections_refused; /* at once closed: no descriptor, or too many */
    counter handshakes;          /* of TLS that were done in full */
    counter handshakes_resumed;
    counter handshakes_failed;
    counter timeouts_header;
    counter timeouts_idle;
    counter timeouts_write;
    counter bodies_not_sent; /* request bodies of which nothing came */
    counter bodies_drained;  /* that were read to their end */
    counter bodies_cut;      /* that were not */
    counter body_bytes;      /* of them all, read only to be thrown away */
    counter resets_received; /* RST_STREAM of clients */
    counter resets_sent;
    counter goaways_sent; /* for an error of the client's, or too much of something */
    counter log_dropped;  /* access log records that found the ring full */
    counter regex_limits; /* requests that spent their regex budget */
    counter loops;        /* requests of clients that a pool's last resort has sent back */
    counter bad_requests;
    counter questions;          /* to control, whether a server has something */
    counter questions_dropped;  /* … that found no room, or came too often */
    counter origin_requests;    /* passed on (origin/origin.h) */
    counter origin_connections; /* to origins, begun */
    counter origin_reused;      /* requests that went on a kept one */
    counter origin_retries;     /* … and once more on another, since that one had gone */
    counter origin_sent_bytes;  /* of content */
    counter origin_received_bytes;
    counter origin_ends[ORIGIN_ENDS]; /* what became of them */
    counter statuses[counters_statuses];
};

/* What is counted for one rule by one worker. */
struct counters_rule {
    counter hits;
    counter last_used_s; /* wall clock */
};

/* What is counted once for the whole program; each word has one writer. */
struct counters_common {
    counter restarts_workers; /* the supervisor: processes that were replaced */
    counter restarts_control;
    counter restarts_logger;
    counter heartbeat_control; /* shared/heartbeat.h */
    counter heartbeat_logger;
    counter log_records; /* the logger: written, as far as the kernel is concerned */
    counter log_bytes;
    counter log_write_errors;
    counter log_lost;         /* records that could not be written before the end */
    counter reload_success;   /* control: whether the last reading of the file was used */
    counter reload_time_s;    /* … and when it was */
    counter snapshot_time_ns; /* when the newest snapshot was published, wall clock */
};

struct counters_map; /* the whole mapping, one a process */

/* Makes the memfd, with lanes for all workers (sparse: pages that are never written cost
 * nothing). */
enum err counters_create(uint32_t workers, int *fd_out);
enum err counters_open(int fd, struct counters_map **out);
void counters_close(struct counters_map **map);

uint32_t counters_workers(const struct counters_map *map);
/* worker_lanes times as many: what sums go over. */
uint32_t counters_lanes(const struct counters_map *map);
struct counters_common *counters_common(struct counters_map *map);
struct counters_worker *counters_of_worker(struct counters_map *map, uint32_t lane);
/* The array of counters_rules_max slots of one lane. */
struct counters_rule *counters_rules(struct counters_map *map, uint32_t lane);

/* Control only: the slot of a rule, a new one if it has none yet; never slot 0. ERR_LIMIT:
 * all are taken, and counters_slot_overflow must do. */
enum err counters_slot(struct counters_map *map, struct span identity, uint32_t *slot_out);

static inline void counter_add(counter *c, uint64_t amount)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

static inline void counter_set(counter *c, uint64_t value)
{
    atomic_store_explicit(c, value, memory_order_relaxed);
}

static inline uint64_t counter_get(const counter *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}
