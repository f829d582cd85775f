/* SPDX-License-Identifier: MIT */
/* A pool's tickets on the URLs that its clients are given. */
#include "decide/internal.h"

#include "signing/ticket.h"

bool sign_url(const struct asked *asked, const struct snap_pool *pool, uint16_t status, size_t from,
              struct buffer *url)
{
    if (pool->sign_param.len == 0) {
        return true;
    }
    const struct signing_ticket ticket = {
        .key = signing_keys_find(asked->context->signing, pool->sign_key),
        .method = signing_method_after(asked->request->method_name, status),
        .param = snapshot_text(asked->snapshot, pool->sign_param),
        .expires_s = asked->now_ns / 1000000000 + pool->sign_ttl_s,
    };
    if (ticket.key == NULL) {
        signing_remove(ticket.param, from, url);
        return true;
    }
    asked->decision->expires_s = ticket.expires_s;
    return signing_add(&ticket, from, url);
}

int64_t sign_max_age_s(const struct snap_pool *pool, int64_t max_age_s)
{
    int64_t latest = pool->sign_ttl_s / 2;
    return pool->sign_param.len > 0 && max_age_s > latest ? latest : max_age_s;
}
