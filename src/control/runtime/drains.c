/* SPDX-License-Identifier: MIT */
/* Drains, step by step. */
#include "control/runtime/drains.h"

#include "base/clock.h"

#include <stdlib.h>

/* A drain that was met. From then on it goes by a clock that nobody sets. */
struct begun {
    int64_t since_ns; /* as the model dates it; 0: it does not */
    int64_t at_ns;    /* CLOCK_MONOTONIC */
    bool known;
};

struct drains {
    struct ev_loop *loop;
    ev_timer timer;
    struct configuration *const *current;
    struct servers_map *servers;
    struct begun *begun; /* servers_max, by slot */
};

/* The part that it had is kept until a step has passed. */
uint32_t drain_left_ppm(int64_t since_ns, int64_t window_ns, uint32_t share_ppm,
                        int64_t *next_ns_out)
{
    int64_t since = since_ns > 0 ? since_ns : 0;
    int64_t step = window_ns / drain_steps;
    *next_ns_out = 0;
    if (step == 0 || since >= step * drain_steps) {
        return 0;
    }
    int64_t done = since / step;
    *next_ns_out = (done + 1) * step - since;
    uint64_t left = (uint64_t)share_ppm * (uint64_t)(drain_steps - done) / drain_steps;
    return left > 0 ? (uint32_t)left : 1;
}

int64_t drain_since_ns(uint32_t left_ppm, int64_t window_ns, uint32_t share_ppm)
{
    uint64_t share = share_ppm > 0 ? share_ppm : 1;
    uint64_t left = left_ppm < share ? left_ppm : share;
    return (int64_t)((share - left) * drain_steps / share) * (window_ns / drain_steps);
}

int64_t drain_window_ns(const struct model_pool *pool)
{
    bool holds = pool->balance == BALANCE_HASH || pool->sticky.len > 0;
    return holds ? pool->drain_ms * (NS_PER_SECOND / 1000) : 0;
}

/* ---- when they began ---- */

/* What the words said before has passed, too: who has lost clients does not get them back, however
 * the clock was set meanwhile. */
static int64_t passed_ns(const struct model_server *server, const struct server_live *live,
                         int64_t window_ns, int64_t wall_ns)
{
    uint64_t word = server_live_part(live, SERVERS_BY_OPERATOR);
    int64_t by_word =
        server_word_state(word) == SERVER_DRAIN
            ? drain_since_ns(server_word_weight_ppm(word), window_ns, server->share_ppm)
            : 0;
    int64_t by_clock = server->since_ns != 0 ? wall_ns - server->since_ns : 0;
    return by_word > by_clock ? by_word : by_clock;
}

static int64_t began_at(struct drains *drains, const struct model_server *server, uint32_t slot,
                        int64_t window_ns, const struct drain_now *now)
{
    struct begun *begun = &drains->begun[slot];
    if (!begun->known || begun->since_ns != server->since_ns) {
        const struct server_live *live = &servers_live(drains->servers)[slot];
        *begun = (struct begun){.since_ns = server->since_ns,
                                .at_ns = now->monotonic_ns -
                                         passed_ns(server, live, window_ns, now->wall_ns),
                                .known = true};
    }
    return begun->at_ns;
}

/* ---- the words ---- */

/* *next_ns is made smaller where this one has to be looked at sooner. */
static void set_server(struct drains *drains, const struct model_pool *pool,
                       const struct model_server *server, const struct drain_now *now,
                       int64_t *next_ns)
{
    static const enum server_state states[] = {
        [WISH_READY] = SERVER_UP, [WISH_DRAIN] = SERVER_DRAIN, [WISH_MAINT] = SERVER_MAINT};
    uint32_t slot;
    if (servers_slot(drains->servers, server->identity, &slot) != ERR_NONE) {
        return;
    }
    uint32_t ppm = server->share_ppm;
    if (server->wish == WISH_DRAIN) {
        int64_t window_ns = drain_window_ns(pool);
        int64_t began_ns = began_at(drains, server, slot, window_ns, now);
        int64_t next;
        ppm = drain_left_ppm(now->monotonic_ns - began_ns, window_ns, ppm, &next);
        *next_ns = next > 0 && next < *next_ns ? next : *next_ns;
    } else {
        drains->begun[slot].known = false;
    }
    const struct server_live *live = &servers_live(drains->servers)[slot];
    if (server_live_part(live, SERVERS_BY_OPERATOR) !=
        server_live_word(states[server->wish], ppm)) {
        servers_set_part(drains->servers, slot, SERVERS_BY_OPERATOR, states[server->wish], ppm);
    }
}

int64_t drains_look_at(struct drains *drains, const struct model *model,
                       struct servers_map *servers, const struct drain_now *now)
{
    int64_t next_ns = INT64_MAX;
    drains->servers = servers;
    for (size_t i = 0; i < model->pool_count; i++) {
        const struct model_pool *pool = &model->pools[i];
        for (size_t k = 0; k < pool->server_count; k++) {
            set_server(drains, pool, &pool->servers[k], now, &next_ns);
        }
    }
    return next_ns;
}

void drains_look(struct drains *drains, const struct model *model, struct servers_map *servers)
{
    const struct drain_now now = {clock_wall_ns(), clock_monotonic_ns()};
    int64_t next_ns = drains_look_at(drains, model, servers, &now);
    ev_timer_stop(drains->loop, &drains->timer);
    if (next_ns != INT64_MAX) {
        ev_timer_set(&drains->timer, (double)next_ns / NS_PER_SECOND, 0.);
        ev_timer_start(drains->loop, &drains->timer);
    }
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct drains *drains = timer->data;
    const struct configuration *current = *drains->current;
    if (current != NULL) {
        drains_look(drains, current->model, drains->servers);
    }
}

bool drains_is_over(const struct model_server *server, struct servers_map *servers)
{
    uint32_t slot;
    if (server->wish == WISH_READY || servers == NULL ||
        servers_slot(servers, server->identity, &slot) != ERR_NONE) {
        return false;
    }
    uint64_t word = server_live_part(&servers_live(servers)[slot], SERVERS_BY_OPERATOR);
    return server_word_state(word) == SERVER_MAINT ||
           (server_word_state(word) == SERVER_DRAIN && server_word_weight_ppm(word) == 0);
}

struct drains *drains_new(struct ev_loop *loop, struct configuration *const *current)
{
    struct drains *drains = calloc(1, sizeof(*drains));
    struct begun *begun = calloc(servers_max, sizeof(*begun));
    if (drains == NULL || begun == NULL) {
        free(drains);
        free(begun);
        drains = NULL;
    } else {
        drains->begun = begun;
        drains->loop = loop;
        drains->current = current;
        ev_init(&drains->timer, on_timer);
        drains->timer.data = drains;
    }
    return drains;
}

void drains_free(struct drains **drains_at)
{
    struct drains *drains = *drains_at;
    if (drains != NULL) {
        ev_timer_stop(drains->loop, &drains->timer);
        free(drains->begun);
        free(drains);
        *drains_at = NULL;
    }
}
