/* SPDX-License-Identifier: MIT */
/* Pools: their servers by priority, and where they are. */
#include "compile/parts.h"

#include "geo/geo.h"
#include "signing/keys.h"
#include "uri/host.h"
#include "uri/location.h"

#include <assert.h>
#include <xxhash.h>

enum { within_ppm_default = 1500000 };

struct ordered {
    const struct model_server *server;
    size_t index; /* in the file */
};

static int compare_ordered(const void *left, const void *right)
{
    const struct ordered *a = left;
    const struct ordered *b = right;
    if (a->server->priority != b->server->priority) {
        return a->server->priority < b->server->priority ? -1 : 1;
    }
    return a->index < b->index ? -1 : 1;
}

static struct snap_list compile_areas(struct block *block, const struct model_server *from)
{
    struct snap_list list = block_array(block, from->area_count, sizeof(struct snap_area));
    for (size_t i = 0; i < from->area_count; i++) {
        const struct model_area *area = &from->areas[i];
        struct snap_area to = {.code = {area->code[0], area->code[1]},
                               .continent = area->continent,
                               .exclude = area->exclude};
        block_set(block, list, i, &to, sizeof(to));
    }
    return list;
}

/* Where it is: as written, or as its address says. */
static void place_server(const struct compile *compile, const struct model_server *from,
                         struct snap_server *server)
{
    const struct compile_slots *slots = compile->slots;
    if (from->located) {
        server->located = 1;
        geo_point(from->latitude, from->longitude, server->point);
    } else if (slots != NULL && slots->point != NULL) {
        server->located = slots->point(slots->context, from->url, server->point);
    }
}

static struct snap_server compile_server(struct compile *compile, const struct model_pool *pool,
                                         const struct model_server *from)
{
    struct block *block = &compile->block;
    bool plain_first = from->other_url.len > 0 && span_starts(from->url, SPAN("http:"));
    struct span url = plain_first ? from->other_url : from->url;
    struct span plain = plain_first ? from->url : from->other_url;
    struct snap_server server = {
        .identity = block_text(block, from->identity),
        .url = block_text(block, url),
        .authority = block_text(block, location_authority(url)),
        .hash = XXH3_64bits(from->identity.ptr, from->identity.len),
        .weight = from->weight,
        .priority = from->priority,
        .line = from->place.line,
        .reach = from->reach != 0 ? from->reach : SNAP_REACH_ALL,
        .areas = compile_areas(block, from),
        .exists_key = pool->exists.required ? model_exists_key(pool, from) : 0,
    };
    if (plain.len > 0) {
        server.plain_url = block_text(block, plain);
        server.plain_authority = block_text(block, location_authority(plain));
    }
    if (pool->balance == BALANCE_NEAREST) {
        place_server(compile, from, &server);
    }
    if (compile->slots != NULL) {
        server.slot = compile->slots->server(compile->slots->context, from->identity);
    }
    return server;
}

static_assert((int)model_link_max == (int)snap_alternatives_max, "as many can be named");

/* ---- by what they are called ---- */

enum { called_texts_max = 4 };

struct calls {
    struct snap_called *items; /* room for called_texts_max of each server */
    size_t count;
};

static void add_call(struct calls *calls, struct span text, uint32_t server)
{
    calls->items[calls->count++] =
        (struct snap_called){.hash = XXH3_64bits(text.ptr, text.len), .server = server};
}

/* url: empty, or one that was read. */
static void add_host(struct calls *calls, struct span url, bool alone, uint32_t server)
{
    uint8_t lower[host_bytes_max];
    uint8_t text[host_port_bytes_max];
    struct host_port host;
    if (url.len == 0 || host_from_reference(url, lower, &host) != ERR_NONE) {
        return;
    }
    if (alone) {
        add_call(calls, host.host, server);
    }
    struct buffer port = buffer_over(text, sizeof(text));
    host_port_put(&host, &port);
    add_call(calls, buffer_span(&port), server);
}

static int compare_calls(const void *left, const void *right)
{
    const struct snap_called *a = left;
    const struct snap_called *b = right;
    if (a->hash != b->hash) {
        return a->hash < b->hash ? -1 : 1;
    }
    return (a->server > b->server) - (a->server < b->server);
}

static struct snap_list compile_calls(struct block *block, const struct ordered *servers,
                                      size_t count)
{
    struct calls calls = {.items = calloc(count * called_texts_max + 1, sizeof(*calls.items))};
    if (calls.items == NULL) {
        block->err = ERR_MEMORY;
        return (struct snap_list){0};
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct model_server *server = servers[i].server;
        add_call(&calls, server->name, i);
        add_host(&calls, server->url, true, i);
        add_host(&calls, server->other_url, false, i);
    }
    qsort(calls.items, calls.count, sizeof(*calls.items), compare_calls);
    size_t kept = 0;
    for (size_t i = 0; i < calls.count; i++) { /* a name is often the host */
        if (kept == 0 || compare_calls(&calls.items[kept - 1], &calls.items[i]) != 0) {
            calls.items[kept++] = calls.items[i];
        }
    }
    struct snap_list list = block_list(block, calls.items, kept, sizeof(*calls.items));
    free(calls.items);
    return list;
}

static struct snap_pool compile_pool(struct compile *compile, const struct model_pool *from,
                                     struct snap_list all_servers, uint32_t first)
{
    /* Targets of a fallback have no captures: a rule without patterns stands for it. */
    static const struct model_rule nobody;
    struct block *block = &compile->block;
    struct snap_pool pool = {
        .name = block_text(block, from->name),
        .balance = (uint32_t)from->balance,
        .hash_key = (uint32_t)from->hash_key,
        .hash_name = block_text(block, from->hash_name),
        .first_server = first,
        .server_count = (uint32_t)from->server_count,
        .min_healthy = from->min_healthy > 0 ? from->min_healthy : 1,
        .panic_ppm = from->panic_ppm,
        .within_ppm = from->within_ppm > 0 ? from->within_ppm : within_ppm_default,
        .fallback_all = from->fallback_all,
        .sticky = block_text(block, from->sticky),
        .sticky_s = from->sticky_s,
        .link_max = from->link_max,
        .json = from->json,
        .avoid_carry = from->avoid_carry,
        .avoid_param = block_text(block, from->avoid_param),
        .sign_param = block_text(block, from->sign.param),
        .sign_key = signing_key_id(from->sign.key_file),
        .sign_ttl_s = from->sign.ttl_s,
        .exists = from->exists.required,
        .exists_yes_s = from->exists.yes_s,
        .fallback = compile_action(compile, &from->fallback, &nobody),
    };
    struct ordered *servers = calloc(from->server_count + 1, sizeof(*servers));
    if (servers == NULL) {
        block->err = ERR_MEMORY;
        return pool;
    }
    for (size_t i = 0; i < from->server_count; i++) {
        servers[i] = (struct ordered){.server = &from->servers[i], .index = i};
    }
    qsort(servers, from->server_count, sizeof(*servers), compare_ordered);
    for (uint32_t i = 0; i < from->server_count; i++) {
        struct snap_server server = compile_server(compile, from, servers[i].server);
        block_set(block, all_servers, first + i, &server, sizeof(server));
    }
    pool.called = compile_calls(block, servers, from->server_count);
    free(servers);
    return pool;
}

struct snap_list compile_pools(struct compile *compile, struct snap_list *servers_out)
{
    const struct model *model = compile->model;
    struct block *block = &compile->block;
    size_t server_count = 0;
    for (size_t i = 0; i < model->pool_count; i++) {
        server_count += model->pools[i].server_count;
    }
    struct snap_list pools = block_array(block, model->pool_count, sizeof(struct snap_pool));
    struct snap_list servers = block_array(block, server_count, sizeof(struct snap_server));
    uint32_t first = 0;
    for (uint32_t i = 0; i < pools.count; i++) {
        struct snap_pool pool = compile_pool(compile, &model->pools[i], servers, first);
        block_set(block, pools, i, &pool, sizeof(pool));
        first += pool.server_count;
    }
    *servers_out = servers;
    return pools;
}
