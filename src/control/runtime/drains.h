/* SPDX-License-Identifier: MIT */
/* What the operator wants of servers, in the live words that workers read: no snapshot is
 * compiled for it. A drain takes its time: the part of its clients that a server still has
 * falls in steps, from all of them to none, over `drain` of its pool.
 *
 * It is told by the model alone, by when a drain began, and by what the words said before, which
 * outlive this process. Once a drain is met it goes by the monotonic clock. */
#pragma once

#include "control/configuration.h"
#include "shared/servers.h"

#include <ev.h>

enum { drain_steps = 100 };

struct drains;
/* current: where the configuration in force is found when a step is due. NULL: no memory. */
struct drains *drains_new(struct ev_loop *loop, struct configuration *const *current);
/* NULL is allowed; the pointer becomes NULL. */
void drains_free(struct drains **drains);

struct drain_now {
    int64_t wall_ns;
    int64_t monotonic_ns;
};

/* Writes what the words of all servers are now. Gives how long that holds, in ns; INT64_MAX: until
 * the model is another one. */
int64_t drains_look_at(struct drains *drains, const struct model *model,
                       struct servers_map *servers, const struct drain_now *now);
/* This model comes into force. */
void drains_look(struct drains *drains, const struct model *model, struct servers_map *servers);

/* What a server has left of its clients, in ppm of share_ppm, so long after the drain began; 0: it
 * is over. Never 0 before. *next_ns_out: how long until the next step; 0: there is none. */
uint32_t drain_left_ppm(int64_t since_ns, int64_t window_ns, uint32_t share_ppm,
                        int64_t *next_ns_out);
/* How long ago it began, from what is left. */
int64_t drain_since_ns(uint32_t left_ppm, int64_t window_ns, uint32_t share_ppm);
/* How long clients take to leave a server of this pool: none are held where neither a hash nor a
 * cookie leads back. */
int64_t drain_window_ns(const struct model_pool *pool);

/* Whether no client is led there any more. */
bool drains_is_over(const struct model_server *server, struct servers_map *servers);
