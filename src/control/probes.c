/* SPDX-License-Identifier: MIT */
/* The servers and origins of the model as targets for health/. */
#include "control/probes.h"

#include <stdlib.h>

static size_t count_probed(const struct model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->pool_count; i++) {
        count += model->pools[i].health.enabled ? model->pools[i].server_count : 0;
    }
    for (size_t i = 0; i < model->origin_count; i++) {
        count += model->origins[i].health.enabled;
    }
    return count;
}

static struct health_target make_target(const struct model_health *how, struct span identity,
                                        struct span url, uint32_t slot)
{
    return (struct health_target){.identity = identity,
                                  .kind = "server",
                                  .name = identity,
                                  .url = url,
                                  .path = how->path,
                                  .slot = slot,
                                  .interval_ms = how->interval_ms,
                                  .timeout_ms = how->timeout_ms,
                                  .fall = how->fall,
                                  .rise = how->rise};
}

/* A server without a slot of its own shares one with others: nothing can be said of it. */
static size_t add_pool(const struct model_pool *pool, struct servers_map *servers,
                       struct health_target *targets)
{
    size_t count = 0;
    for (size_t i = 0; pool->health.enabled && i < pool->server_count; i++) {
        uint32_t slot;
        if (servers_slot(servers, pool->servers[i].identity, &slot) == ERR_NONE) {
            targets[count++] =
                make_target(&pool->health, pool->servers[i].identity, pool->servers[i].url, slot);
        }
    }
    return count;
}

static size_t add_origin(const struct model_origin *origin, struct servers_map *servers,
                         struct health_target *targets)
{
    uint32_t slot;
    if (!origin->health.enabled || servers_slot(servers, origin->identity, &slot) != ERR_NONE) {
        return 0;
    }
    *targets = make_target(&origin->health, origin->identity, origin->url, slot);
    targets->kind = "origin";
    targets->name = origin->name;
    targets->ca_file = origin->live->ca_path;
    targets->unverified = !origin->verify;
    return 1;
}

enum err probes_set(struct health *health, const struct model *model, struct servers_map *servers)
{
    size_t count = 0;
    struct health_target *targets = calloc(count_probed(model) + 1, sizeof(*targets));
    if (targets == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < model->pool_count; i++) {
        count += add_pool(&model->pools[i], servers, targets + count);
    }
    for (size_t i = 0; i < model->origin_count; i++) {
        count += add_origin(&model->origins[i], servers, targets + count);
    }
    enum err err = health_set(health, targets, count);
    free(targets);
    return err;
}
