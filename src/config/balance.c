/* SPDX-License-Identifier: MIT */
/* How a pool chooses among its servers: `balance` and what belongs to it. */
#include "config/pool.h"

#include "http/field.h"

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

static bool read_hash(struct load *load, const struct node *node, struct model_pool *pool)
{
    if (pool->balance != BALANCE_HASH) {
        problems_error(load->problems, node->key->place,
                       "`hash` says what is hashed, but the balance is another; write `balance: "
                       "hash`");
        return false;
    }
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

bool read_balance(struct load *load, const struct node *const *at, struct model_pool *pool)
{
    static const struct {
        const char *word;
        enum balance balance;
    } words[] = {{"weighted", BALANCE_WEIGHTED},
                 {"round-robin", BALANCE_ROUND_ROBIN},
                 {"hash", BALANCE_HASH}};
    const struct node *node = at[POOL_BALANCE];
    bool good = node == NULL;
    for (size_t i = 0; i < 3 && node != NULL; i++) {
        if (node_is_word(node, words[i].word)) {
            pool->balance = words[i].balance;
            good = true;
        }
    }
    if (!good) {
        return read_refuse(load, node, "weighted, round-robin or hash");
    }
    return at[POOL_HASH] == NULL || read_hash(load, at[POOL_HASH], pool);
}
