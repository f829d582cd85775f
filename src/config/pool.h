/* SPDX-License-Identifier: MIT */
/* The keys of a pool: each group is read in a file of its own. Internal to config/. */
#pragma once

#include "config/rule.h"

enum pool_key {
    POOL_BALANCE,
    POOL_HASH,
    POOL_SERVERS,
    POOL_PATH,
    POOL_HEALTH,
    POOL_FALLBACK,
    POOL_KEYS
};

enum { servers_of_pool_max = 65536, weight_max = 1000000, priority_max = 100 };

/* server.c: the list `servers`. */
bool read_servers(struct load *load, const struct node *node, struct model_pool *pool);

/* balance.c: who of them is chosen. at: by enum pool_key. */
bool read_balance(struct load *load, const struct node *const *at, struct model_pool *pool);

/* pool.c: NULL is nothing to read, and good. */
bool read_number(struct load *load, const struct node *node, uint64_t min, uint64_t max,
                 uint32_t *out);
