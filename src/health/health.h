/* SPDX-License-Identifier: MIT */
/* Probes: each target is asked by HTTP GET at its interval, and what hysteresis makes of
 * the answers goes into the live state of its server. Control's only, one thread, nothing
 * blocks. */
#pragma once

#include "base/error.h"
#include "base/span.h"
#include "shared/servers.h"

#include <ev.h>

struct health_target {
    struct span identity; /* "mirrors/eu1", "origin:shop" */
    const char *kind;     /* "server": what people call it, and … */
    struct span name;     /* "mirrors/eu1" */
    struct span url;      /* of the server, without a slash at its end */
    struct span path;     /* what is asked for, from '/' on */
    uint32_t slot;        /* of the server's live state */
    uint32_t interval_ms;
    uint32_t timeout_ms;
    uint32_t fall;
    uint32_t rise;
    struct span ca_file; /* authorities in PEM; empty: the system's */
    bool unverified;     /* any certificate will do */
};

struct health;

/* servers outlives it. ERR_MEMORY. */
enum err health_new(struct ev_loop *loop, struct servers_map *servers, struct health **out);
/* From here on changed is called when a target has gone up or down, from the loop. */
void health_on_change(struct health *health, void (*changed)(void *context), void *context);
/* Ends all probes; the servers keep the state that they have. */
void health_free(struct health **health);

/* Replaces the set of targets; spans are copied. A target that was there already, asked in
 * the same way, keeps its state and its turn; a new one goes on from the state in the
 * shared pages, which outlived the last control. A server that is no longer probed is up.
 * ERR_MEMORY: some targets are not probed. */
enum err health_set(struct health *health, const struct health_target *targets, size_t count);
