/* SPDX-License-Identifier: MIT */
/* A target: how it is asked, and what the answers make of its server. */
#include "health/internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>

static int64_t now_ms(void)
{
    return clock_monotonic_ns() / 1000000;
}

/* ---- what its server is told to be ---- */

/* Its weight grows by itself after it came back. */
static void set_state(struct probe *probe)
{
    struct health *health = probe->health;
    int64_t now = now_ms();
    int64_t next;
    uint32_t ppm = track_weight_ppm(&probe->track, &probe->target.rule, now, &next);
    servers_set_part(health->servers, probe->target.slot, SERVERS_BY_HEALTH,
                     probe->track.up ? SERVER_UP : SERVER_DOWN, ppm);
    ev_timer_stop(health->loop, &probe->growth);
    if (next > 0) {
        ev_timer_set(&probe->growth, (double)(next - now) / 1000, 0);
        ev_timer_start(health->loop, &probe->growth);
    }
}

static void on_growth(struct ev_loop *loop, ev_timer *timer, int events)
{
    set_state(timer->data);
}

static void say_change(const struct probe *probe)
{
    const struct health_target *target = &probe->target;
    if (probe->track.up) {
        log_info("%s %.*s is up", target->kind, SPAN_ARG(target->name));
    } else {
        log_warning("%s %.*s is down: %s", target->kind, SPAN_ARG(target->name), probe->error);
    }
}

/* For people and JSON: what a server sent may be in it, or half a character. */
static void keep_error(char out[health_error_bytes], const char *why)
{
    size_t len = 0;
    while (why != NULL && why[len] != 0 && len + 1 < health_error_bytes) {
        out[len] = why[len] >= 0x20 && why[len] < 0x7f ? why[len] : '?';
        len++;
    }
    out[len] = 0;
}

void probe_hear(struct probe *probe, const char *why, int64_t latency_us)
{
    keep_error(probe->error, why);
    probe->asked_ns = clock_monotonic_ns();
    probe->latency_us = latency_us;
    probe->probes++;
    probe->failures += why != NULL;
    if (!track_hear(&probe->track, &probe->target.rule, why == NULL, now_ms())) {
        return;
    }
    set_state(probe);
    say_change(probe);
    if (probe->health->changed != NULL) {
        probe->health->changed(probe->health->changed_context);
    }
}

/* Its clients go little by little while it drains. */
static void set_agent(struct probe *probe)
{
    struct health *health = probe->health;
    enum server_state state = agent_state(&probe->agent);
    uint64_t ppm = probe->agent.weight_ppm;
    int64_t now = now_ms();
    int64_t next = 0;
    if (state == SERVER_DRAIN) {
        ppm = ppm * track_drain_ppm(probe->drain_began_ms, probe->target.drain_ms, now, &next) /
              track_ppm_full;
    }
    servers_set_part(health->servers, probe->target.slot, SERVERS_BY_AGENT, state, (uint32_t)ppm);
    ev_timer_stop(health->loop, &probe->leaving);
    if (next > 0) {
        ev_timer_set(&probe->leaving, (double)(next - now) / 1000, 0);
        ev_timer_start(health->loop, &probe->leaving);
    }
}

static void on_leaving(struct ev_loop *loop, ev_timer *timer, int events)
{
    set_agent(timer->data);
}

static const char *state_text(enum server_state state)
{
    static const char *const texts[] = {[SERVER_UP] = "ready",
                                        [SERVER_DOWN] = "down",
                                        [SERVER_DRAIN] = "draining",
                                        [SERVER_MAINT] = "in maintenance"};
    return texts[state];
}

/* Its weight may change with each answer, which nobody wants to read. */
static void say_agent(const struct probe *probe, enum server_state before, struct span remark)
{
    enum server_state state = agent_state(&probe->agent);
    if (state == before) {
        return;
    }
    log_info("%s %.*s says that it is %s%s%.*s", probe->target.kind, SPAN_ARG(probe->target.name),
             state_text(state), remark.len > 0 ? ": " : "", SPAN_ARG(remark));
}

/* For people: one line without what a terminal would obey. */
static void keep_line(struct probe *probe, struct span line)
{
    size_t len = 0;
    while (len < line.len && len + 1 < sizeof(probe->agent_says) && line.ptr[len] >= 0x20 &&
           line.ptr[len] < 0x7f) {
        probe->agent_says[len] = (char)line.ptr[len];
        len++;
    }
    probe->agent_says[len] = 0;
}

void probe_hear_agent(struct probe *probe, struct span line, const char *error)
{
    struct span remark = {0};
    enum server_state before = agent_state(&probe->agent);
    if (error == NULL && agent_hear(&probe->agent, line, &remark) != ERR_NONE) {
        keep_line(probe, line);
        error = "what it says is no line of an agent";
    }
    if (error != NULL) {
        if (probe->agent_error[0] == 0) {
            log_warning("the agent of %.*s: %s; what it said last stays",
                        SPAN_ARG(probe->target.name), error);
        }
        keep_error(probe->agent_error, error);
        return;
    }
    probe->agent_error[0] = 0;
    keep_line(probe, line);
    if (agent_state(&probe->agent) == SERVER_DRAIN && before != SERVER_DRAIN) {
        probe->drain_began_ms = now_ms();
    }
    set_agent(probe);
    say_agent(probe, before, remark);
}

/* ---- how it is asked ---- */

static bool keep(struct arena *arena, struct span *text)
{
    *text = arena_copy(arena, *text); /* with a NUL behind it */
    return text->ptr != NULL;
}

static bool copy_target(struct probe *probe, const struct health_target *target)
{
    struct health_target *own = &probe->target;
    *own = *target;
    struct span *const texts[] = {
        &own->identity, &own->name,      &own->group,       &own->url,     &own->host,
        &own->path,     &own->authority, &own->expect.body, &own->ca_file, &own->agent_url};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (!keep(&probe->arena, texts[i])) {
            return false;
        }
    }
    probe->question =
        arena_printf(&probe->arena, "%.*s%.*s", SPAN_ARG(own->url), SPAN_ARG(own->path));
    probe->ca_file = own->ca_file.len > 0 ? (const char *)own->ca_file.ptr : NULL;
    if (own->authority.len > 0) {
        probe->host_field = arena_printf(&probe->arena, "Host: %.*s", SPAN_ARG(own->authority));
    }
    return probe->question != NULL && (own->authority.len == 0 || probe->host_field != NULL);
}

/* All that a question, or what is made of its answer, depends on. */
static struct span make_key(struct arena *arena, const struct health_target *t)
{
    const char *text = arena_printf(
        arena,
        "%.*s %u %d %.*s %.*s %u %.*s %s\n%.*s\n%.*s %d %u %u %u %u %u %u %u %u %u\n%.*s %.*s",
        SPAN_ARG(t->identity), t->slot, (int)t->type, SPAN_ARG(t->url), SPAN_ARG(t->host), t->port,
        SPAN_ARG(t->path), t->method != NULL ? t->method : "", SPAN_ARG(t->authority),
        SPAN_ARG(t->ca_file), t->unverified, t->interval_ms, t->timeout_ms, t->concurrency,
        t->rule.fall, t->rule.rise, t->rule.hold_down_ms, t->rule.slow_start_ms, t->drain_ms,
        t->agent_port, SPAN_ARG(t->agent_url), SPAN_ARG(t->group));
    return text != NULL ? span_cstr(text) : (struct span){0};
}

static bool same_expect(const struct expect *a, const struct expect *b)
{
    return a->range_count == b->range_count && span_eq(a->body, b->body) &&
           memcmp(a->ranges, b->ranges, a->range_count * sizeof(a->ranges[0])) == 0;
}

bool probe_is_of(const struct probe *probe, const struct health_target *target)
{
    struct arena arena;
    arena_init(&arena, 0);
    bool same = span_eq(probe->key, make_key(&arena, target)) &&
                same_expect(&probe->target.expect, &target->expect);
    arena_fini(&arena);
    return same;
}

/* ---- its life ---- */

static struct group *find_group(struct health *health, struct span name)
{
    for (size_t i = health->group_count; i-- > 0;) {
        if (span_eq(health->groups[i]->name, name)) {
            return health->groups[i];
        }
    }
    struct group *group = calloc(1, sizeof(*group) + name.len);
    struct group **groups =
        realloc(health->groups, (health->group_count + 1) * sizeof(struct group *));
    health->groups = groups != NULL ? groups : health->groups;
    if (group == NULL || groups == NULL) {
        free(group);
        return NULL;
    }
    memcpy(group + 1, name.ptr, name.len);
    group->name = span_of(group + 1, name.len);
    health->groups[health->group_count++] = group;
    return group;
}

static void leave_group(struct health *health, struct group *group)
{
    if (group == NULL || --group->targets > 0) {
        return;
    }
    for (size_t i = 0; i < health->group_count; i++) {
        if (health->groups[i] == group) {
            health->groups[i] = health->groups[--health->group_count];
        }
    }
    free(group);
}

/* What others say of it meanwhile is no change of this. */
static int64_t since_ms(const struct server_live *live, enum servers_part part)
{
    return (int64_t)(server_live_part_since_ns(live, part) / 1000000);
}

/* It goes on as it stands in the shared pages, which outlived the last control. */
static void go_on_as_it_is(struct probe *probe)
{
    const struct server_live *live = &servers_live(probe->health->servers)[probe->target.slot];
    uint64_t health = server_live_part(live, SERVERS_BY_HEALTH);
    bool up = server_word_state(health) != SERVER_DOWN;
    probe->track =
        (struct track){.up = up,
                       .growing = up && server_word_weight_ppm(health) < server_weight_ppm_full,
                       .since_ms = since_ms(live, SERVERS_BY_HEALTH)};
    probe->agent = agent_from_word(server_live_part(live, SERVERS_BY_AGENT));
    if (probe->agent.wanted == SERVER_DRAIN) { /* what is left is no weight that it named */
        probe->agent.weight_ppm = server_weight_ppm_full;
        probe->drain_began_ms = since_ms(live, SERVERS_BY_AGENT);
    }
    set_state(probe);
}

static void begin(struct probe *probe)
{
    ev_timer_init(&probe->growth, on_growth, 0, 0);
    probe->growth.data = probe;
    ev_timer_init(&probe->leaving, on_leaving, 0, 0);
    probe->leaving.data = probe;
    go_on_as_it_is(probe);
    probe->probing.probe = probe;
    question_begin(&probe->probing);
    if (probe->target.agent_port != 0 || probe->target.agent_url.len > 0) {
        probe->asking_agent.probe = probe;
        probe->asking_agent.of_agent = true;
        question_begin(&probe->asking_agent);
        set_agent(probe);
        return;
    }
    servers_set_part(probe->health->servers, probe->target.slot, SERVERS_BY_AGENT, SERVER_UP,
                     server_weight_ppm_full);
}

struct probe *probe_new(struct health *health, const struct health_target *target)
{
    struct probe *probe = calloc(1, sizeof(*probe));
    if (probe == NULL) {
        return NULL;
    }
    probe->health = health;
    arena_init(&probe->arena, 0);
    probe->key = make_key(&probe->arena, target);
    probe->group = find_group(health, target->group);
    if (probe->group != NULL) {
        probe->group->targets++;
    }
    if (probe->key.len == 0 || probe->group == NULL || !copy_target(probe, target)) {
        leave_group(health, probe->group);
        arena_fini(&probe->arena);
        free(probe);
        return NULL;
    }
    begin(probe);
    return probe;
}

void probe_free(struct probe **probe_at)
{
    struct probe *probe = *probe_at;
    if (probe == NULL) {
        return;
    }
    ev_timer_stop(probe->health->loop, &probe->growth);
    ev_timer_stop(probe->health->loop, &probe->leaving);
    question_end(&probe->probing);
    question_end(&probe->asking_agent);
    leave_group(probe->health, probe->group);
    arena_fini(&probe->arena);
    free(probe);
    *probe_at = NULL;
}
