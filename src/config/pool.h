/* SPDX-License-Identifier: MIT */
/* The keys of a pool: each group is read in a file of its own. Internal to config/. */
#pragma once

#include "config/rule.h"

enum pool_key {
    POOL_BALANCE,
    POOL_HASH,
    POOL_NEAREST,
    POOL_MIN_HEALTHY,
    POOL_STICKY,
    POOL_DRAIN,
    POOL_SERVERS,
    POOL_PATH,
    POOL_HEALTH,
    POOL_PANIC,
    POOL_AVOID,
    POOL_SIGN,
    POOL_REQUIRE,
    POOL_LINK,
    POOL_JSON,
    POOL_FALLBACK,
    POOL_KEYS
};

enum { pool_drain_ms = 300000, sign_ttl_default_s = 300 };
enum { link_default = 4 };
/* servers_of_pool_max: of all pools together, too. Their states stand in shared/servers.h, with
 * those of origins, and whom a client avoids is held in as many bits (snap_pool_servers_max). */
enum { servers_of_pool_max = 65000, weight_max = 1000000, priority_max = 100 };

/* server.c: the list `servers`. */
bool read_servers(struct load *load, const struct node *node, struct model_pool *pool);
/* One of them. */
bool read_server(struct load *load, const struct node *node, const struct model_pool *pool,
                 struct model_server *out);
/* Whether all of them can stand beside each other: their names and URLs, and a weight. Reports what
 * cannot; place is the list's. */
bool check_servers(struct load *load, struct place place, const struct model_pool *pool);
/* Whether the pools have no more of them in all than there may be; reports it. */
bool check_server_count(struct load *load, struct place place);

/* wish.c: drained or not, and what share of its weight a server has. NULL: nothing to read. */
bool read_wish(struct load *load, const struct node *state, const struct node *since,
               const struct node *share, struct model_server *out);
bool read_drain(struct load *load, const struct node *node, struct model_pool *pool);

/* live_server.c: what run time says of servers; load->model and load->pools have it afterwards. */
void apply_servers(struct load *load, struct model_overrides *overrides);

/* balance.c: who of them is chosen. at: by enum pool_key. */
bool read_balance(struct load *load, const struct node *const *at, struct model_pool *pool);

/* place.c: where a server is and whom it serves. A number with at most six digits behind its
 * point, in millionths. */
bool read_millionths(struct load *load, const struct node *node, int64_t min, int64_t max,
                     const char *wanted, int64_t *out);
bool read_at(struct load *load, const struct node *node, struct model_server *out);
bool read_schemes(struct load *load, const struct node *node, struct span scheme,
                  struct model_server *out);
bool read_family(struct load *load, const struct node *node, struct model_server *out);
/* countries, continents and exclude; any may be NULL. */
bool read_areas(struct load *load, const struct node *countries, const struct node *continents,
                const struct node *exclude, struct model_server *out);

/* health.c: how servers are probed; `off` too. */
bool read_pool_health(struct load *load, const struct node *node, struct model_health *out);
/* health.c: where the line of an agent comes from: a port or a URL, or a map with one of them. */
bool read_agent(struct load *load, const struct node *node, struct model_agent *out);
/* health.c: `panic_threshold`; `off` too. */
bool read_panic(struct load *load, const struct node *node, struct model_pool *pool);

/* sign.c: `sign`; after `avoid`, whose parameter must be another one. */
bool read_sign(struct load *load, const struct node *node, struct model_pool *pool);

/* avoid.c: `avoid`. */
bool read_avoid(struct load *load, const struct node *node, struct model_pool *pool);
/* avoid.c: the name of a query parameter: what stays as it is, however it is written and read. */
bool read_parameter(struct load *load, const struct node *node, struct span *out);

/* alternatives.c: `link`. */
bool read_link(struct load *load, const struct node *node, struct model_pool *pool);
/* alternatives.c: reports what comes to nothing. link: may be NULL where there is none. */
void check_alternatives(struct load *load, const struct node *link, const struct model_pool *pool);

/* exists.c: what a server must have before a client is sent there. */
bool read_require(struct load *load, const struct node *node, struct model_pool *pool);

/* pool.c: NULL is nothing to read, and good. */
bool read_number(struct load *load, const struct node *node, uint64_t min, uint64_t max,
                 uint32_t *out);
