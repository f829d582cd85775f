/* SPDX-License-Identifier: MIT */
/* Which servers of a model are probed, and how. */
#pragma once

#include "config/model.h"
#include "health/health.h"

/* Every server of a pool with `health`, and every origin with it, is probed from here on; no
 * other. ERR_MEMORY: some of them are not. */
enum err probes_set(struct health *health, const struct model *model, struct servers_map *servers);
