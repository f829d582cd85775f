/* SPDX-License-Identifier: MIT */
/* What a pool says beside its Location: `link` and `json`. */
#include "config/pool.h"

static bool read_link_max(struct load *load, const struct node *node, struct model_pool *pool)
{
    static const char *const keys[] = {"max"};
    const struct node *at[1];
    if (!read_map(load, node, "`link`", keys, 1, at)) {
        return false;
    }
    pool->link_max = link_default;
    return read_number(load, at[0], 1, model_link_max, &pool->link_max);
}

bool read_link(struct load *load, const struct node *node, struct model_pool *pool)
{
    if (node->kind == NODE_MAP) {
        return read_link_max(load, node, pool);
    }
    if (!node_is_word(node, "true") && !node_is_word(node, "false")) {
        return read_refuse(load, node, "true, or how many, like {max: 4}");
    }
    pool->link_max = node_is_word(node, "true") ? link_default : 0;
    return true;
}

void check_alternatives(struct load *load, const struct node *link, const struct model_pool *pool)
{
    if (pool->link_max > 0 && pool->server_count == 1) {
        problems_warning(load->problems, link->place,
                         "`link` names the other servers, but the pool `%.*s` has only one; add "
                         "a server, or take `link` away",
                         SHOW(pool->name));
    }
}
