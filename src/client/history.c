/* SPDX-License-Identifier: MIT */
/* Where a chain has been. The key of a loop is method, URL and cookies: a server that sets a cookie
 * and sends the client to the same URL means it. */
#include "client/chain.h"

#include "client/hash.h"

/* The cookies that were set on the way, in whatever order: each counts by what it says last. */
static uint64_t key_of(const struct detour_chain *chain, struct span method, struct span target)
{
    return hash_bytes(target, hash_bytes(method, chain->cookie_state));
}

void history_add(struct detour_chain *chain, const struct detour_url *view)
{
    struct hop *hops = arena_grow(&chain->kept, chain->hops, chain->hop_count, &chain->hop_capacity,
                                  sizeof(*hops));
    struct span url = arena_copy(&chain->kept, span_of_text(view->href));
    if (hops == NULL || url.ptr == NULL) {
        chain->out_of_memory = true;
        return;
    }
    chain->hops = hops;
    hops[chain->hop_count++] = (struct hop){
        .hop = {.method = text_of_span(chain->method), .url = text_of_span(url)},
        .target_len = view->target.len,
        .key = key_of(chain, chain->method, span_of_text(view->target)),
    };
}

size_t history_find(const struct detour_chain *chain, struct span method, struct span target)
{
    uint64_t key = key_of(chain, method, target);
    for (size_t i = 0; i < chain->hop_count; i++) {
        const struct hop *hop = &chain->hops[i];
        struct span visited = span_of(hop->hop.url.ptr, hop->target_len);
        if (hop->key == key && span_eq(visited, target) &&
            span_eq(span_of_text(hop->hop.method), method)) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* Name, domain and path make one cookie (RFC 6265, 5.3); without Domain it is the host's own. The
 * attributes are compared as they were written: where that tells two apart that are one, a loop is
 * found one round later. */
static uint64_t cookie_identity(const struct detour_chain *chain, struct span name,
                                struct span attributes)
{
    uint64_t identity = hash_bytes(name, 0);
    bool domain = false;
    while (attributes.len > 0) {
        size_t end = span_find(attributes, 0, ';');
        struct span pair = span_trim(span_slice(attributes, 0, end));
        bool is_domain = pair.len > 7 && span_eq_ci(span_slice(pair, 0, 7), SPAN("domain="));
        bool is_path = pair.len > 5 && span_eq_ci(span_slice(pair, 0, 5), SPAN("path="));
        if (is_domain || is_path) {
            identity ^= hash_bytes(pair, 1);
        }
        domain = domain || is_domain;
        attributes = span_from(attributes, end < attributes.len ? end + 1 : end);
    }
    return domain ? identity : identity ^ hash_bytes(chain->url.host, 2);
}

static uint64_t weight(struct cookie cookie)
{
    return hash_bytes(span_of(&cookie, sizeof(cookie)), 3);
}

void history_cookie_lost(struct detour_chain *chain)
{
    chain->cookie_state = hash_bytes(SPAN("lost"), chain->cookie_state);
}

void history_cookie_take(struct detour_chain *chain, struct span set_cookie)
{
    size_t end = span_find(set_cookie, 0, ';');
    struct span pair = span_slice(set_cookie, 0, end);
    size_t equals = span_find(pair, 0, '=');
    struct cookie cookie = {
        .name = cookie_identity(chain, span_trim(span_slice(pair, 0, equals)),
                                span_from(set_cookie, end)),
        .value = hash_bytes(span_from(pair, equals), 0),
    };
    for (size_t i = 0; i < chain->cookie_count; i++) {
        if (chain->cookies[i].name == cookie.name) {
            chain->cookie_state ^= weight(chain->cookies[i]) ^ weight(cookie);
            chain->cookies[i] = cookie;
            return;
        }
    }
    if (chain->cookie_count == cookies_max) {
        /* Too many to keep apart: each is taken for a new one, and no loop is found with it. */
        chain->cookie_state = hash_bytes(set_cookie, chain->cookie_state);
        return;
    }
    chain->cookie_state ^= weight(cookie);
    chain->cookies[chain->cookie_count++] = cookie;
}
