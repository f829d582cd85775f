/* SPDX-License-Identifier: MIT */
/* Pools: their servers by priority, and the order of one full cycle. */
#include "compile/parts.h"

#include "uri/location.h"

#include <xxhash.h>

enum { cycle_turns_max = 65536 };

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

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* How many turns each server has in a cycle: its weight in lowest terms, or scaled down
 * to cycle_turns_max where that would be longer. Gives the length of the cycle. */
static size_t count_turns(const struct model_pool *pool, const struct ordered *servers,
                          uint64_t *turns)
{
    uint64_t sum = 0;
    uint64_t divisor = 0;
    for (size_t i = 0; i < pool->server_count; i++) {
        bool each_once = pool->balance == BALANCE_ROUND_ROBIN;
        turns[i] = each_once ? servers[i].server->weight > 0 : servers[i].server->weight;
        sum += turns[i];
        divisor = gcd(divisor, turns[i]);
    }
    if (sum == 0) {
        return 0;
    }
    uint64_t length = sum / divisor;
    for (size_t i = 0; i < pool->server_count; i++) {
        bool scaled = length > cycle_turns_max;
        uint64_t turn = scaled ? turns[i] * cycle_turns_max / sum : turns[i] / divisor;
        turns[i] = turns[i] > 0 && turn == 0 ? 1 : turn;
    }
    length = 0;
    for (size_t i = 0; i < pool->server_count; i++) {
        length += turns[i];
    }
    return (size_t)length;
}

static struct snap_list compile_cycle(struct compile *compile, const struct model_pool *pool,
                                      const struct ordered *servers)
{
    struct snap_list list = {0};
    uint32_t count = (uint32_t)pool->server_count;
    uint64_t *turns = calloc(count + 1, sizeof(*turns));
    size_t length = turns != NULL ? count_turns(pool, servers, turns) : 0;
    uint32_t *cycle = calloc(length + 1, sizeof(*cycle));
    if (turns == NULL || cycle == NULL ||
        (length > 0 && cycle_spread(turns, count, length, cycle) != ERR_NONE)) {
        compile->block.err = ERR_MEMORY;
    } else {
        list = block_list(&compile->block, cycle, length, sizeof(*cycle));
    }
    free(turns);
    free(cycle);
    return list;
}

static struct snap_server compile_server(struct compile *compile, const struct model_server *from)
{
    struct block *block = &compile->block;
    struct snap_server server = {
        .identity = block_text(block, from->identity),
        .url = block_text(block, from->url),
        .authority = block_text(block, location_authority(from->url)),
        .hash = XXH3_64bits(from->identity.ptr, from->identity.len),
        .weight = from->weight,
        .priority = from->priority,
        .line = from->place.line,
    };
    if (compile->slots != NULL) {
        server.slot = compile->slots->server(compile->slots->context, from->identity);
    }
    return server;
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
        .fallback_all = from->fallback_all,
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
        struct snap_server server = compile_server(compile, servers[i].server);
        block_set(block, all_servers, first + i, &server, sizeof(server));
    }
    if (from->balance != BALANCE_HASH) {
        pool.cycle = compile_cycle(compile, from, servers);
    }
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
