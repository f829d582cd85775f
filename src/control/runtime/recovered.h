/* SPDX-License-Identifier: MIT */
/* Detours that end when a pool is healthy (`until_healthy`). That one has ended is a change like
 * any other: it is in the history, and stands over restarts. */
#pragma once

#include "control/configuration.h"
#include "control/runtime/live.h"
#include "shared/servers.h"

/* Whether so many servers as the pool needs have been up for as long as `rise` probes take. */
bool pool_has_recovered(const struct model_pool *pool, struct servers_map *servers,
                        int64_t monotonic_ns);

/* Ends those whose pool is. *ended_out: how many. Errors as of live_apply. */
enum err recovered_end(struct live *live, const struct configuration *configuration,
                       struct servers_map *servers, int64_t now_ns, int64_t monotonic_ns,
                       size_t *ended_out);
