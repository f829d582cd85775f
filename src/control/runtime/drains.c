/* SPDX-License-Identifier: MIT */
/* Drains, step by step. */
#include "control/runtime/drains.h"

#include "base/clock.h"

#include <stdlib.h>

/* A drain that the model does not date. */
struct begun {
    uint32_t slot;
    int64_t at_ns;
};

struct drains {
    struct ev_loop *loop;
    ev_timer timer;
    struct configuration *const *current;
    struct servers_map *servers;
    struct begun *begun;
    size_t begun_count;
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

static struct begun *find_begun(struct drains *drains, uint32_t slot)
{
    for (size_t i = 0; i < drains->begun_count; i++) {
        if (drains->begun[i].slot == slot) {
            return &drains->begun[i];
        }
    }
    return NULL;
}

/* Without memory it begins anew with each look, and is not lost. */
static void note_begun(struct drains *drains, uint32_t slot, int64_t at_ns)
{
    struct begun *grown =
        realloc(drains->begun, (drains->begun_count + 1) * sizeof(*drains->begun));
    if (grown != NULL) {
        drains->begun = grown;
        grown[drains->begun_count++] = (struct begun){slot, at_ns};
    }
}

static void forget_begun(struct drains *drains, uint32_t slot)
{
    struct begun *found = find_begun(drains, slot);
    if (found != NULL) {
        *found = drains->begun[--drains->begun_count];
    }
}

static int64_t began_at(struct drains *drains, const struct model_server *server, uint32_t slot,
                        int64_t window_ns, int64_t now_ns)
{
    if (server->since_ns != 0) {
        forget_begun(drains, slot);
        return server->since_ns;
    }
    const struct begun *found = find_begun(drains, slot);
    if (found != NULL) {
        return found->at_ns;
    }
    uint64_t word = server_live_part(&servers_live(drains->servers)[slot], SERVERS_BY_OPERATOR);
    int64_t since = server_word_state(word) == SERVER_DRAIN
                        ? drain_since_ns(server_word_weight_ppm(word), window_ns, server->share_ppm)
                        : 0;
    note_begun(drains, slot, now_ns - since);
    return now_ns - since;
}

/* ---- the words ---- */

/* *next_ns is made smaller where this one has to be looked at sooner. */
static void set_server(struct drains *drains, const struct model_pool *pool,
                       const struct model_server *server, int64_t now_ns, int64_t *next_ns)
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
        int64_t began_ns = began_at(drains, server, slot, window_ns, now_ns);
        int64_t next;
        ppm = drain_left_ppm(now_ns - began_ns, window_ns, ppm, &next);
        *next_ns = next > 0 && next < *next_ns ? next : *next_ns;
    } else {
        forget_begun(drains, slot);
    }
    const struct server_live *live = &servers_live(drains->servers)[slot];
    if (server_live_part(live, SERVERS_BY_OPERATOR) !=
        server_live_word(states[server->wish], ppm)) {
        servers_set_part(drains->servers, slot, SERVERS_BY_OPERATOR, states[server->wish], ppm);
    }
}

void drains_look(struct drains *drains, const struct model *model, struct servers_map *servers)
{
    int64_t now_ns = clock_wall_ns();
    int64_t next_ns = INT64_MAX;
    drains->servers = servers;
    for (size_t i = 0; i < model->pool_count; i++) {
        const struct model_pool *pool = &model->pools[i];
        for (size_t k = 0; k < pool->server_count; k++) {
            set_server(drains, pool, &pool->servers[k], now_ns, &next_ns);
        }
    }
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
    if (drains != NULL) {
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
