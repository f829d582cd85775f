/* SPDX-License-Identifier: MIT */
/* What the operator wants of a server: that it is drained, or not used at all, or gets less than
 * its weight. */
#include "config/pool.h"

#include "config/time.h"

enum { drain_max_ms = 86400000 };

static bool read_state(struct load *load, const struct node *node, enum server_wish *out)
{
    static const char *const names[] = {
        [WISH_READY] = "ready", [WISH_DRAIN] = "drain", [WISH_MAINT] = "maint"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (node_is_word(node, names[i])) {
            *out = (enum server_wish)i;
            return true;
        }
    }
    return read_refuse(load, node, "ready, drain or maint");
}

static bool read_since(struct load *load, const struct node *node, struct model_server *server)
{
    struct time_result result;
    if (server->wish == WISH_READY) {
        problems_error(load->problems, node->key->place,
                       "`since` says when a drain began, and this server is not drained; take it "
                       "away");
        return false;
    }
    if (node->kind != NODE_SCALAR ||
        time_parse_in(node->text, &load->zones, NULL, &result) != ERR_NONE) {
        return read_refuse(load, node, "a time like 2026-12-01T02:00:00Z");
    }
    server->since_ns = result.ns;
    return true;
}

bool read_wish(struct load *load, const struct node *state, const struct node *since,
               const struct node *share, struct model_server *out)
{
    bool good = state == NULL || read_state(load, state, &out->wish);
    good = (share == NULL || read_percent_ppm(load, share, &out->share_ppm)) && good;
    return (since == NULL || !good || read_since(load, since, out)) && good;
}

bool read_drain(struct load *load, const struct node *node, struct model_pool *pool)
{
    return read_duration_ms(load, node, 0, drain_max_ms, &pool->drain_ms);
}
