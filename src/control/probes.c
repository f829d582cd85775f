/* SPDX-License-Identifier: MIT */
/* The servers and origins of the model as targets for health/, and where their names are. */
#include "control/probes.h"

#include "base/log.h"
#include "control/files/named.h"
#include "uri/url.h"

#include <assert.h>
#include <stdlib.h>

static_assert((int)expect_ranges_max == (int)model_statuses_max, "ranges of status codes");

struct making {
    struct servers_map *servers;
    const char *file; /* of the configuration */
    struct arena arena;
    struct health_target *targets;
    size_t count;
};

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

/* "[::1]" is a host in URLs, and an address elsewhere. */
static struct span without_brackets(struct span host)
{
    bool bracketed = host.len > 2 && host.ptr[0] == '[';
    return bracketed ? span_slice(host, 1, host.len - 1) : host;
}

static struct expect make_expect(const struct model_health *how)
{
    struct expect expect = {.range_count = how->status_count, .body = how->body};
    for (size_t i = 0; i < how->status_count; i++) {
        expect.ranges[i] =
            (struct expect_range){.from = how->statuses[i].from, .to = how->statuses[i].to};
    }
    return expect;
}

static struct health_target make_target(const struct model_health *how, struct span identity,
                                        struct span url, uint32_t slot)
{
    return (struct health_target){.identity = identity,
                                  .kind = "server",
                                  .name = identity,
                                  .group = identity,
                                  .slot = slot,
                                  .type = how->tcp ? HEALTH_TCP : HEALTH_HTTP,
                                  .url = url,
                                  .path = how->path,
                                  .method = how->head ? "HEAD" : NULL,
                                  .authority = how->host,
                                  .expect = make_expect(how),
                                  .unverified = how->unverified,
                                  .interval_ms = how->interval_ms,
                                  .timeout_ms = how->timeout_ms,
                                  .concurrency = how->concurrency,
                                  .rule = {.fall = how->fall,
                                           .rise = how->rise,
                                           .hold_down_ms = how->hold_down_ms,
                                           .slow_start_ms = how->slow_start_ms}};
}

bool probes_place(struct arena *arena, struct span text, struct span *host_out, uint16_t *port_out)
{
    struct url url;
    if (url_parse(text, NULL, arena, &url) != ERR_NONE) {
        return false;
    }
    bool secure = span_eq(url.scheme, SPAN("https"));
    *host_out = without_brackets(url.host);
    *port_out = (uint16_t)(url.port >= 0 ? url.port : secure ? 443 : 80);
    return true;
}

static bool set_agent(struct making *making, const struct model_agent *agent,
                      struct health_target *target)
{
    target->agent_port = agent->port;
    target->agent_url = agent->url;
    if (agent->url.len == 0 || agent->url.ptr[0] != '/') {
        return true;
    }
    const char *url =
        arena_printf(&making->arena, "%.*s%.*s", SPAN_ARG(target->url), SPAN_ARG(agent->url));
    target->agent_url = url != NULL ? span_cstr(url) : (struct span){0};
    return url != NULL;
}

static bool add_server(struct making *making, const struct model_pool *pool,
                       const struct model_server *server, struct span ca_file)
{
    uint32_t slot;
    if (servers_slot(making->servers, server->identity, &slot) != ERR_NONE) {
        return true; /* it shares one with others: nothing can be said of it */
    }
    struct health_target target = make_target(&pool->health, server->identity, server->url, slot);
    bool own = server->agent.port != 0 || server->agent.url.len > 0;
    target.group = pool->name;
    target.drain_ms = pool->drain_ms;
    target.ca_file = ca_file;
    if (!probes_place(&making->arena, server->url, &target.host, &target.port) ||
        !set_agent(making, own ? &server->agent : &pool->health.agent, &target)) {
        return false;
    }
    making->targets[making->count++] = target;
    return true;
}

static bool add_pool(struct making *making, const struct model_pool *pool)
{
    struct span ca_file = {0};
    bool good = true;
    if (pool->health.ca.len > 0) {
        const char *path = named_path(&making->arena, making->file, pool->health.ca);
        ca_file = path != NULL ? span_cstr(path) : ca_file;
        good = path != NULL;
    }
    for (size_t i = 0; pool->health.enabled && i < pool->server_count && good; i++) {
        good = add_server(making, pool, &pool->servers[i], ca_file);
    }
    return good;
}

static void add_origin(struct making *making, const struct model_origin *origin)
{
    uint32_t slot;
    if (!origin->health.enabled ||
        servers_slot(making->servers, origin->identity, &slot) != ERR_NONE) {
        return;
    }
    struct health_target *target = &making->targets[making->count++];
    *target = make_target(&origin->health, origin->identity, origin->url, slot);
    target->kind = "origin";
    target->name = origin->name;
    target->host = without_brackets(origin->host);
    target->port = origin->port;
    target->ca_file = origin->live->ca_path;
    target->unverified = !origin->verify;
}

enum err probes_set(struct health *health, const struct model *model, const char *file,
                    struct servers_map *servers)
{
    bool good = true;
    struct making making = {.servers = servers, .file = file};
    making.targets = calloc(count_probed(model) + 1, sizeof(*making.targets));
    if (making.targets == NULL) {
        return ERR_MEMORY;
    }
    arena_init(&making.arena, 0);
    for (size_t i = 0; i < model->pool_count; i++) {
        good = add_pool(&making, &model->pools[i]) && good;
    }
    for (size_t i = 0; i < model->origin_count; i++) {
        add_origin(&making, &model->origins[i]);
    }
    enum err err = health_set(health, making.targets, making.count);
    arena_fini(&making.arena);
    free(making.targets);
    return good ? err : ERR_MEMORY;
}

/* ---- names ---- */

static void want(struct resolver *resolver, struct span host, uint32_t interval_ms)
{
    uint8_t address[16];
    if (address_parse(host, address)) {
        return;
    }
    enum err err = resolver_want(resolver, host, interval_ms);
    if (err != ERR_NONE) {
        log_error("cannot look up %.*s: %s", SPAN_ARG(host), err_text(err));
    }
}

void probes_want(struct resolver *resolver, const struct model *model)
{
    struct making making = {0};
    arena_init(&making.arena, 0);
    resolver_begin(resolver);
    for (size_t i = 0; i < model->pool_count; i++) {
        const struct model_pool *pool = &model->pools[i];
        bool asked = pool->health.enabled || pool->exists.required;
        for (size_t k = 0; asked && k < pool->server_count; k++) {
            struct span host;
            uint16_t port;
            if (probes_place(&making.arena, pool->servers[k].url, &host, &port)) {
                want(resolver, host, pool->health.resolve_interval_ms);
            }
        }
    }
    for (size_t i = 0; i < model->origin_count; i++) {
        const struct model_origin *origin = &model->origins[i];
        if (origin->health.enabled) {
            want(resolver, without_brackets(origin->host), origin->resolve_interval_ms);
        }
    }
    resolver_end(resolver);
    arena_fini(&making.arena);
}

enum health_found probes_find(void *context, struct span host, uint8_t address_out[16],
                              uint32_t *scope_out)
{
    const struct resolver *resolver = context;
    struct origin_address found[origin_addresses_max];
    if (resolver_find(resolver, host, found) == 0) {
        return resolver_was_told(resolver, host) ? HEALTH_NOWHERE : HEALTH_NOT_YET;
    }
    memcpy(address_out, found[0].bytes, sizeof(found[0].bytes));
    *scope_out = found[0].scope;
    return HEALTH_FOUND;
}
