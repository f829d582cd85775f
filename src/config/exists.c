/* SPDX-License-Identifier: MIT */
/* `require`: what a server must be known to have before a client is sent there. */
#include "config/pool.h"

#include <xxhash.h>

enum { yes_default_s = 600, no_default_s = 60 };

/* How long an answer is believed. */
static bool read_life(struct load *load, const struct node *node, uint32_t *out)
{
    int64_t value_s;
    if (node == NULL) {
        return true;
    }
    if (!read_duration_s(load, node, &value_s)) {
        return false;
    }
    if (value_s < 1 || value_s > exists_life_s_max) {
        return read_refuse(load, node, "a time of 1s to 7d");
    }
    *out = (uint32_t)value_s;
    return true;
}

static bool read_same(struct load *load, const struct node *node, struct model_exists *out)
{
    static const char wanted[] = "one or both of size and date, like [size, date]";
    if (list_count(node) == 0) {
        return read_refuse(load, node, wanted);
    }
    for (const struct node *item = list_first(node); item != NULL; item = list_next(node, item)) {
        if (!node_is_word(item, "size") && !node_is_word(item, "date")) {
            return read_refuse(load, item, wanted);
        }
        out->same_size = out->same_size || node_is_word(item, "size");
        out->same_date = out->same_date || node_is_word(item, "date");
    }
    return true;
}

static bool read_exists(struct load *load, const struct node *node, struct model_exists *out)
{
    static const char *const keys[] = {"found", "missing", "same"};
    const struct node *at[3];
    if (node->kind == NODE_NULL) {
        return true;
    }
    if (!read_map(load, node, "`exists`", keys, 3, at)) {
        return false;
    }
    bool good = read_life(load, at[0], &out->yes_s);
    good = read_life(load, at[1], &out->no_s) && good;
    return (at[2] == NULL || read_same(load, at[2], out)) && good;
}

bool read_require(struct load *load, const struct node *node, struct model_pool *pool)
{
    static const char *const keys[] = {"exists"};
    const struct node *at[1];
    pool->exists =
        (struct model_exists){.required = true, .yes_s = yes_default_s, .no_s = no_default_s};
    if (node->kind == NODE_SCALAR) {
        return node_is_word(node, "exists") ||
               read_refuse(load, node, "exists, or a map like {exists: {found: 10m, missing: 1m}}");
    }
    if (!read_map(load, node, "`require`", keys, 1, at)) {
        return false;
    }
    if (at[0] == NULL) {
        return read_refuse(load, node, "exists, or a map like {exists: {found: 10m, missing: 1m}}");
    }
    return read_exists(load, at[0], &pool->exists);
}

static uint64_t hash_text(struct span text, uint64_t hash)
{
    return XXH3_64bits_withSeed(text.ptr, text.len, hash);
}

uint64_t model_exists_key(const struct model_pool *pool, const struct model_server *server)
{
    const struct model_exists *exists = &pool->exists;
    uint64_t hash = hash_text(server->identity, 0);
    hash = hash_text(server->url, hash);
    hash = hash_text(pool->health.host, hash);
    if (exists->same_size || exists->same_date) {
        hash = hash_text(pool->servers[0].url, hash + exists->same_size + 2u * exists->same_date);
    }
    return hash | 1; /* 0 is nobody */
}
