/* SPDX-License-Identifier: MIT */
/* The probes: whom to ask when, and what the answers mean. */
#include "health/health.h"

#include "base/arena.h"
#include "base/log.h"
#include "fetch/fetch.h"
#include "health/hysteresis.h"

#include <stdio.h>
#include <stdlib.h>

enum { probes_at_once_max = 512 };

struct probe {
    struct health *health;
    struct health_target target;
    struct arena arena;   /* its strings */
    const char *question; /* the whole URL */
    const char *ca_file;  /* NULL: the system's */
    struct hysteresis state;
    ev_timer turn;
    struct fetch_request *request; /* NULL: not asking now */
};

struct health {
    struct ev_loop *loop;
    struct servers_map *servers;
    void (*changed)(void *context); /* NULL: nobody wants to know */
    void *changed_context;
    struct fetch *fetch;
    struct probe **probes;
    size_t probe_count;
};

static void set_state(struct probe *probe, bool up)
{
    struct servers_map *servers = probe->health->servers;
    uint32_t weight_ppm = server_live_weight_ppm(&servers_live(servers)[probe->target.slot]);
    servers_set(servers, probe->target.slot, up ? SERVER_UP : SERVER_DOWN, weight_ppm);
}

static void hear(struct probe *probe, bool success, const char *why)
{
    const struct health_target *target = &probe->target;
    if (!hysteresis_hear(&probe->state, success, target->fall, target->rise)) {
        return;
    }
    set_state(probe, success);
    if (success) {
        log_info("%s %.*s is up", target->kind, SPAN_ARG(target->name));
    } else {
        log_warning("%s %.*s is down: %s", target->kind, SPAN_ARG(target->name), why);
    }
    if (probe->health->changed != NULL) {
        probe->health->changed(probe->health->changed_context);
    }
}

/* A redirect is an answer too, and not the one that was hoped for: 2xx alone is healthy. */
static void on_answer(void *context, const struct fetch_answer *answer)
{
    char why[fetch_error_bytes + 1024];
    struct probe *probe = context;
    probe->request = NULL;
    if (answer->error == NULL) {
        snprintf(why, sizeof(why), "%s answered %ld", probe->question, answer->status);
    } else {
        snprintf(why, sizeof(why), "%s: %s", probe->question, answer->error);
    }
    hear(probe, answer->error == NULL && answer->status >= 200 && answer->status < 300, why);
}

static void on_turn(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct probe *probe = timer->data;
    if (probe->request != NULL) {
        return; /* the last question is still under way; its timeout ends it */
    }
    const struct fetch_options options = {.url = probe->question,
                                          .user_agent = "detour/" DETOUR_VERSION " (health)",
                                          .timeout_ms = probe->target.timeout_ms,
                                          .ca_file = probe->ca_file,
                                          .unverified = probe->target.unverified,
                                          .done = on_answer,
                                          .context = probe};
    enum err err = fetch_start(probe->health->fetch, &options, &probe->request);
    if (err != ERR_NONE) {
        log_error("cannot probe %s: %s", probe->question, err_text(err));
    }
}

enum err health_new(struct ev_loop *loop, struct servers_map *servers, struct health **out)
{
    struct health *health = calloc(1, sizeof(*health));
    if (health == NULL || fetch_new(loop, probes_at_once_max, &health->fetch) != ERR_NONE) {
        free(health);
        return ERR_MEMORY;
    }
    health->loop = loop;
    health->servers = servers;
    *out = health;
    return ERR_NONE;
}

static void probe_free(struct probe **probe)
{
    if (*probe == NULL) {
        return;
    }
    ev_timer_stop((*probe)->health->loop, &(*probe)->turn);
    fetch_cancel(&(*probe)->request);
    arena_fini(&(*probe)->arena);
    free(*probe);
    *probe = NULL;
}

void health_on_change(struct health *health, void (*changed)(void *context), void *context)
{
    health->changed = changed;
    health->changed_context = context;
}

void health_free(struct health **health)
{
    if (*health == NULL) {
        return;
    }
    for (size_t i = 0; i < (*health)->probe_count; i++) {
        probe_free(&(*health)->probes[i]);
    }
    free((*health)->probes);
    fetch_free(&(*health)->fetch);
    free(*health);
    *health = NULL;
}

/* Spread over the interval, so that a thousand targets are not asked in one instant. */
static double first_turn(const struct health_target *target)
{
    return (double)target->interval_ms / 1000 * ((double)rand() / RAND_MAX);
}

static bool copy_target(struct probe *probe, const struct health_target *target)
{
    probe->target = *target;
    probe->target.identity = arena_copy(&probe->arena, target->identity);
    probe->target.name = arena_copy(&probe->arena, target->name);
    probe->target.url = arena_copy(&probe->arena, target->url);
    probe->target.path = arena_copy(&probe->arena, target->path);
    probe->question =
        arena_printf(&probe->arena, "%.*s%.*s", SPAN_ARG(target->url), SPAN_ARG(target->path));
    probe->target.ca_file = arena_copy(&probe->arena, target->ca_file); /* with a NUL behind it */
    probe->ca_file = target->ca_file.len > 0 ? (const char *)probe->target.ca_file.ptr : NULL;
    return probe->target.identity.ptr != NULL && probe->target.name.ptr != NULL &&
           probe->target.url.ptr != NULL && probe->target.path.ptr != NULL &&
           probe->question != NULL;
}

static struct probe *probe_new(struct health *health, const struct health_target *target)
{
    struct probe *probe = calloc(1, sizeof(*probe));
    if (probe == NULL) {
        return NULL;
    }
    probe->health = health;
    arena_init(&probe->arena, 0);
    if (!copy_target(probe, target)) {
        arena_fini(&probe->arena);
        free(probe);
        return NULL;
    }
    struct server_live *live = servers_live(health->servers);
    probe->state.up = server_live_state(&live[target->slot]) != SERVER_DOWN;
    ev_timer_init(&probe->turn, on_turn, first_turn(target), (double)target->interval_ms / 1000);
    probe->turn.data = probe;
    ev_timer_start(health->loop, &probe->turn);
    return probe;
}

static bool same_question(const struct health_target *a, const struct health_target *b)
{
    return span_eq(a->identity, b->identity) && span_eq(a->url, b->url) &&
           span_eq(a->path, b->path) && a->slot == b->slot && a->interval_ms == b->interval_ms &&
           a->timeout_ms == b->timeout_ms && a->fall == b->fall && a->rise == b->rise &&
           span_eq(a->ca_file, b->ca_file) && a->unverified == b->unverified;
}

/* Takes the probe of a target out of the old set, if it is there. */
static struct probe *take_probe(struct health *health, const struct health_target *target)
{
    for (size_t i = 0; i < health->probe_count; i++) {
        struct probe *probe = health->probes[i];
        if (probe != NULL && same_question(&probe->target, target)) {
            health->probes[i] = NULL;
            return probe;
        }
    }
    return NULL;
}

static bool is_probed(const struct health_target *targets, size_t count, uint32_t slot)
{
    for (size_t i = 0; i < count; i++) {
        if (targets[i].slot == slot) {
            return true;
        }
    }
    return false;
}

static void drop_old(struct health *health, const struct health_target *targets, size_t count)
{
    for (size_t i = 0; i < health->probe_count; i++) {
        struct probe *probe = health->probes[i];
        if (probe != NULL && !is_probed(targets, count, probe->target.slot)) {
            set_state(probe, true);
        }
        probe_free(&health->probes[i]);
    }
    free(health->probes);
}

enum err health_set(struct health *health, const struct health_target *targets, size_t count)
{
    struct probe **probes = calloc(count > 0 ? count : 1, sizeof(struct probe *));
    if (probes == NULL) {
        return ERR_MEMORY;
    }
    size_t made = 0;
    for (size_t i = 0; i < count; i++) {
        struct probe *probe = take_probe(health, &targets[i]);
        probe = probe != NULL ? probe : probe_new(health, &targets[i]);
        if (probe != NULL) {
            probes[made++] = probe;
        }
    }
    drop_old(health, targets, count);
    health->probes = probes;
    health->probe_count = made;
    return made == count ? ERR_NONE : ERR_MEMORY;
}
