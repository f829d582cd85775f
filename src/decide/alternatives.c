/* SPDX-License-Identifier: MIT */
/* Where else a client of a pool could go (RFC 6249), and whether it is told where to go instead of
 * being sent there. */
#include "decide/internal.h"

#include "http/accept.h"

bool wants_to_be_told(struct asked *asked, const struct snap_pool *pool)
{
    if (pool->json == 0 || asked->context->for_proxy) {
        return false;
    }
    asked->decision->vary |= VARY_ACCEPT | VARY_SAID;
    return accept_prefers_json(asked->request);
}

/* "<URL>; rel=duplicate; pri=2". False: there is no such URL, or no room for it. */
static bool put_link(const struct pooled *pooled, uint32_t server, uint32_t priority,
                     struct buffer *out, struct decide_alternative *alternative)
{
    size_t from = out->len;
    struct span authority;
    buffer_byte(out, '<');
    if (pool_location(pooled, server, out, &authority) != LOCATION_OK) {
        return false;
    }
    struct span url = span_slice(buffer_span(out), from + 1, out->len);
    if (!location_check(url, authority)) {
        return false;
    }
    buffer_put(out, SPAN(">; rel=duplicate; pri="));
    buffer_decimal(out, priority);
    *alternative = (struct decide_alternative){
        .url = url,
        .link = span_slice(buffer_span(out), from, out->len),
        .priority = priority,
        .server = server,
    };
    return !out->full;
}

/* How many of them are wanted. A copy of what was asked for is one of what is there: what is sent
 * to a server has none. */
static uint32_t wanted(const struct asked *asked, const struct snap_pool *pool)
{
    bool reads = asked->request->method == METHOD_GET || asked->request->method == METHOD_HEAD;
    if (asked->decision->json) {
        return pool->link_max > 0 ? pool->link_max : decide_alternatives_told;
    }
    return reads ? pool->link_max : 0;
}

void name_alternatives(const struct pooled *pooled, uint32_t chosen)
{
    const struct asked *asked = pooled->asked;
    struct decide_context *context = asked->context;
    uint32_t pool = pooled->action->pool;
    uint32_t max = wanted(asked, snapshot_pool(asked->snapshot, pool));
    uint32_t servers[decide_alternatives_max];
    struct decide_alternatives *out = &context->alternatives;
    struct buffer text = buffer_over(
        out->text, asked->decision->json ? decide_alternatives_bytes_max : decide_links_bytes_max);
    uint32_t named = 0;
    if (max == 0 || asked->decision->location.len == 0) {
        return;
    }
    size_t count = pool_alternatives(context->pools, pool, &pooled->client, chosen, max, servers);
    for (size_t i = 0; i < count; i++) {
        struct buffer before = text;
        if (put_link(pooled, servers[i], named + alternative_priority, &text, &out->at[named])) {
            named++;
        } else {
            text = before;
        }
    }
    asked->decision->alternative_count = named;
}
