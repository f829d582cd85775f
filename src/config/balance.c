/* SPDX-License-Identifier: MIT */
/* How a pool chooses among its servers: `balance` and what belongs to it. */
#include "config/pool.h"

#include "http/field.h"

enum { day_ms = 86400000, ttl_max_ms = 14 * day_ms, cookie_bytes_max = 128 };

static bool read_hash_map(struct load *load, const struct node *node, struct model_pool *pool)
{
    static const char *const keys[] = {"header", "cookie"};
    const struct node *at[2];
    if (!read_map(load, node, "`hash`", keys, 2, at)) {
        return false;
    }
    const struct node *chosen = at[0] != NULL ? at[0] : at[1];
    if (chosen == NULL || (at[0] != NULL && at[1] != NULL)) {
        return read_refuse(load, node, "one of {header: NAME} and {cookie: NAME}");
    }
    if (chosen->kind != NODE_SCALAR || !token_valid(chosen->text)) {
        return read_refuse(load, chosen, "a name");
    }
    pool->hash_key = at[0] != NULL ? HASH_HEADER : HASH_COOKIE;
    pool->hash_name = load_copy(load, chosen->text);
    return true;
}

static bool read_key(struct load *load, const struct node *node, struct model_pool *pool)
{
    if (node->kind == NODE_MAP) {
        return read_hash_map(load, node, pool);
    }
    if (node_is_word(node, "path")) {
        pool->hash_key = HASH_PATH;
        return true;
    }
    if (node_is_word(node, "client")) {
        pool->hash_key = HASH_CLIENT;
        return true;
    }
    return read_refuse(load, node, "path, client, {header: NAME} or {cookie: NAME}");
}

static bool read_hash(struct load *load, const struct node *node, struct model_pool *pool)
{
    if (pool->balance != BALANCE_HASH) {
        problems_error(load->problems, node->key->place,
                       "`hash` says what is hashed, but the balance is another; write `balance: "
                       "hash`");
        return false;
    }
    return read_key(load, node, pool);
}

static bool read_nearest(struct load *load, const struct node *node, struct model_pool *pool)
{
    static const char *const keys[] = {"within"};
    const struct node *at[1];
    int64_t within;
    if (pool->balance != BALANCE_NEAREST) {
        problems_error(load->problems, node->key->place,
                       "`nearest` says how near is near, but the balance is another; write "
                       "`balance: nearest`");
        return false;
    }
    if (!read_map(load, node, "`nearest`", keys, 1, at)) {
        return false;
    }
    if (at[0] == NULL) {
        return true;
    }
    if (!read_millionths(load, at[0], 1000000, 1000000000,
                         "how many times as far as the nearest is near enough, like 1.5, from 1 to "
                         "1000",
                         &within)) {
        return false;
    }
    pool->within_ppm = (uint32_t)within;
    return true;
}

static bool read_balance_word(struct load *load, const struct node *node, struct model_pool *pool)
{
    static const struct {
        const char *word;
        enum balance balance;
    } words[] = {{"weighted", BALANCE_WEIGHTED},
                 {"round-robin", BALANCE_ROUND_ROBIN},
                 {"hash", BALANCE_HASH},
                 {"nearest", BALANCE_NEAREST}};
    static const char *const keys[] = {"hash"};
    const struct node *at[1];
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (node_is_word(node, words[i].word)) {
            pool->balance = words[i].balance;
            return true;
        }
    }
    if (node->kind != NODE_MAP || node->count != 1) {
        return read_refuse(load, node, "weighted, round-robin, hash, {hash: KEY} or nearest");
    }
    pool->balance = BALANCE_HASH;
    return read_map(load, node, "`balance`", keys, 1, at) && at[0] != NULL &&
           read_key(load, at[0], pool);
}

static bool read_sticky(struct load *load, const struct node *node, struct model_pool *pool)
{
    static const char *const keys[] = {"cookie", "ttl"};
    const struct node *at[2];
    uint32_t ms = day_ms;
    if (!read_map(load, node, "`sticky`", keys, 2, at)) {
        return false;
    }
    if (at[0] == NULL || at[0]->kind != NODE_SCALAR || at[0]->text.len > cookie_bytes_max ||
        !token_valid(at[0]->text)) {
        problems_error(load->problems, at[0] != NULL ? at[0]->place : node->place,
                       "`sticky` needs the name of a cookie, like {cookie: mirror, ttl: 1h}");
        return false;
    }
    if (at[1] != NULL && !read_duration_ms(load, at[1], 1000, ttl_max_ms, &ms)) {
        return false;
    }
    pool->sticky = load_copy(load, at[0]->text);
    pool->sticky_s = ms / 1000;
    return true;
}

bool read_balance(struct load *load, const struct node *const *at, struct model_pool *pool)
{
    const struct node *balance = at[POOL_BALANCE];
    bool good = balance == NULL || read_balance_word(load, balance, pool);
    if (good && balance != NULL && pool->balance == BALANCE_NEAREST &&
        load->model->geo_count == 0) {
        problems_error(load->problems, balance->place,
                       "`nearest` needs to know where clients are; add `geo: {file: "
                       "/var/lib/GeoIP/GeoLite2-City.mmdb}` to the file");
        good = false;
    }
    if (good && at[POOL_HASH] != NULL) {
        good = read_hash(load, at[POOL_HASH], pool);
    }
    if (good && at[POOL_NEAREST] != NULL) {
        good = read_nearest(load, at[POOL_NEAREST], pool);
    }
    good = (at[POOL_STICKY] == NULL || read_sticky(load, at[POOL_STICKY], pool)) && good;
    return read_number(load, at[POOL_MIN_HEALTHY], 1, servers_of_pool_max, &pool->min_healthy) &&
           good;
}
