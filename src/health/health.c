/* SPDX-License-Identifier: MIT */
/* The set of probes. */
#include "health/internal.h"

#include "base/clock.h"

#include <stdlib.h>

enum err health_new(struct ev_loop *loop, struct servers_map *servers,
                    const struct health_names *names, struct health **out)
{
    struct health *health = calloc(1, sizeof(*health));
    struct probe **by_slot = calloc(servers_max, sizeof(*by_slot));
    if (health == NULL || by_slot == NULL ||
        fetch_new(loop, health_at_once_max, &health->fetch) != ERR_NONE) {
        free(by_slot);
        free(health);
        return ERR_MEMORY;
    }
    health->loop = loop;
    health->servers = servers;
    health->names = *names;
    health->by_slot = by_slot;
    *out = health;
    return ERR_NONE;
}

void health_on_change(struct health *health, void (*changed)(void *context), void *context)
{
    health->changed = changed;
    health->changed_context = context;
}

void health_free(struct health **health_at)
{
    struct health *health = *health_at;
    if (health == NULL) {
        return;
    }
    for (size_t i = 0; i < health->probe_count; i++) {
        probe_free(&health->probes[i]);
    }
    free(health->probes);
    free(health->by_slot);
    free(health->groups); /* the last target of each took it along */
    fetch_free(&health->fetch);
    free(health);
    *health_at = NULL;
}

/* Takes the probe of a target out of the old set, if it is there. */
static struct probe *take_probe(struct health *health, const struct health_target *target)
{
    struct probe *probe = health->by_slot[target->slot];
    if (probe == NULL || !probe_is_of(probe, target)) {
        return NULL;
    }
    health->by_slot[target->slot] = NULL;
    return probe;
}

/* The old ones that nobody took go. Gives their slots, as many as *count_out. */
static void drop_old(struct health *health, uint32_t *slots, size_t *count_out)
{
    size_t count = 0;
    for (size_t i = 0; i < health->probe_count; i++) {
        struct probe *old = health->probes[i];
        if (health->by_slot[old->target.slot] == old) {
            slots[count++] = old->target.slot;
            health->by_slot[old->target.slot] = NULL;
            probe_free(&old);
        }
    }
    free(health->probes);
    *count_out = count;
}

/* What is no longer asked has nothing to say. */
static void forget_dropped(struct health *health, const uint32_t *slots, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (int part = SERVERS_BY_HEALTH; part <= SERVERS_BY_AGENT; part++) {
            if (health->by_slot[slots[i]] == NULL) {
                servers_set_part(health->servers, slots[i], (enum servers_part)part, SERVER_UP,
                                 server_weight_ppm_full);
            }
        }
    }
}

/* Puts what is missing into probes, and all into their places. Gives how many there are. */
static size_t make_missing(struct health *health, const struct health_target *targets,
                           struct probe **probes, size_t count)
{
    size_t made = 0;
    for (size_t i = 0; i < count; i++) {
        struct probe *probe = probes[i] != NULL ? probes[i] : probe_new(health, &targets[i]);
        if (probe != NULL) {
            health->by_slot[probe->target.slot] = probe;
            probes[made++] = probe;
        }
    }
    return made;
}

enum err health_set(struct health *health, const struct health_target *targets, size_t count)
{
    struct probe **probes = calloc(count + 1, sizeof(struct probe *));
    uint32_t *dropped = calloc(health->probe_count + 1, sizeof(*dropped));
    size_t dropped_count;
    if (probes == NULL || dropped == NULL) {
        free(probes);
        free(dropped);
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        probes[i] = take_probe(health, &targets[i]);
    }
    drop_old(health, dropped, &dropped_count);
    health->probes = probes;
    health->probe_count = make_missing(health, targets, probes, count);
    forget_dropped(health, dropped, dropped_count);
    free(dropped);
    return health->probe_count == count ? ERR_NONE : ERR_MEMORY;
}

bool health_look(const struct health *health, uint32_t slot, struct health_view *out)
{
    const struct probe *probe = health != NULL ? health->by_slot[slot] : NULL;
    if (probe == NULL) {
        return false;
    }
    *out = (struct health_view){
        .up = probe->track.up,
        .since_ns = (int64_t)server_live_since_ns(&servers_live(health->servers)[slot]),
        .held_ms =
            track_held_ms(&probe->track, &probe->target.rule, clock_monotonic_ns() / 1000000),
        .error = probe->error[0] != 0 ? probe->error : NULL,
        .asked_ns = probe->asked_ns,
        .latency_us = probe->latency_us,
        .probes = probe->probes,
        .failures = probe->failures,
        .has_agent = probe->asking_agent.probe != NULL,
        .agent_says = probe->agent_says,
        .agent_error = probe->agent_error[0] != 0 ? probe->agent_error : NULL};
    return true;
}
