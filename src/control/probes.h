/* SPDX-License-Identifier: MIT */
/* Which servers of a model are probed, how, and where. */
#pragma once

#include "config/model.h"
#include "control/resolver.h"
#include "health/health.h"

/* Every server of a pool with `health`, and every origin with it, is probed from here on; no
 * other. file: of the configuration. ERR_MEMORY: some of them are not. */
enum err probes_set(struct health *health, const struct model *model, const char *file,
                    struct servers_map *servers);

/* Host, without brackets, and port of a URL that was read already. False: no memory. */
bool probes_place(struct arena *arena, struct span text, struct span *host_out, uint16_t *port_out);

/* The names of all that is probed, or asked whether it has something, are looked up by the resolver
 * from here on, and no other. */
void probes_want(struct resolver *resolver, const struct model *model);
/* The find of a struct health_names whose context is that resolver. */
enum health_found probes_find(void *context, struct span host, uint8_t address_out[16],
                              uint32_t *scope_out);
