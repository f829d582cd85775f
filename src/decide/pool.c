/* SPDX-License-Identifier: MIT */
/* A server of a pool for a request: who asks, which one it is, and its URL as the Location. */
#include "decide/internal.h"

#include "http/field.h"

#include <xxhash.h>

static uint64_t key_hash(const struct asked *asked, const struct snap_pool *pool)
{
    struct span name = snapshot_text(asked->snapshot, pool->hash_name);
    struct span key = {0};
    switch ((enum snap_hash_key)pool->hash_key) {
    case SNAP_KEY_PATH:
        key = asked->path.norm;
        break;
    case SNAP_KEY_HEADER:
        key = field_find(asked->request, name);
        break;
    case SNAP_KEY_COOKIE:
        key = cookie_find(asked->request->known.cookie, name);
        break;
    case SNAP_KEY_CLIENT:
        break;
    }
    if (key.ptr == NULL) {
        return client_hash(&asked->decision->client, 0);
    }
    return XXH3_64bits(key.ptr, key.len);
}

/* Who asks, for the choice of a server. */
static void client_init(const struct asked *asked, uint32_t pool, struct pool_client *out)
{
    const struct snap_pool *from = snapshot_pool(asked->snapshot, pool);
    const struct client *client = &asked->decision->client;
    *out = (struct pool_client){.address = client->address, .secure = client->secure};
    if (from->balance == SNAP_HASH) {
        out->key = key_hash(asked, from);
    } else if (from->balance == SNAP_NEAREST) {
        out->place = geo_find(asked->context->geo, client->address);
    }
    if (from->sticky.len > 0) {
        out->held =
            cookie_find(asked->request->known.cookie, snapshot_text(asked->snapshot, from->sticky));
    }
}

struct span pool_path(const struct pooled *pooled)
{
    const struct asked *asked = pooled->asked;
    const struct snap_action *action = pooled->action;
    size_t from = action->strip < asked->path.norm.len ? action->strip : asked->path.norm.len;
    return path_sent(&asked->path, from, asked->path.norm.len);
}

enum location_result pool_location(const struct pooled *pooled, uint32_t server, struct buffer *out,
                                   struct span *authority_out)
{
    const struct asked *asked = pooled->asked;
    const struct snap_action *action = pooled->action;
    size_t from = out->len;
    bool signs = snapshot_pool(asked->snapshot, action->pool)->sign_param.len > 0;
    if (signs && path_hides_dots(asked->path.norm)) {
        return LOCATION_ESCAPES; /* its ticket would be good for a path that no rule has seen */
    }
    struct span url = pool_server_url(asked->snapshot, snapshot_server(asked->snapshot, server),
                                      pooled->client.secure, authority_out);
    struct span query = avoid_query(pooled, kept_query(asked, pooled->matched));
    enum location_result result = location_append(url, pool_path(pooled), query, out);
    if (result == LOCATION_OK && !avoid_carry(pooled, server, from, out)) {
        result = LOCATION_LONG;
    }
    if (result == LOCATION_OK && !sign_url(asked, snapshot_pool(asked->snapshot, action->pool),
                                           (uint16_t)action->status, from, out)) {
        result = LOCATION_LONG;
    }
    return result;
}

bool pool_holds(const struct pooled *pooled, uint32_t server)
{
    const struct snapshot *snapshot = pooled->asked->snapshot;
    uint8_t text[pool_held_bytes];
    if (snapshot_pool(snapshot, pooled->action->pool)->sticky.len == 0) {
        return true;
    }
    pool_held_text(snapshot_server(snapshot, server), text);
    return span_eq(pooled->client.held, span_of(text, sizeof(text)));
}

/* The action of the fallback, which knows nothing of what the rule captured, nor of whom the client
 * cannot reach. */
static void apply_fallback(const struct pooled *pooled, const struct snap_action *fallback)
{
    struct asked *asked = pooled->asked;
    const struct request *sent = asked->request;
    struct request clean = *sent;
    struct matched nobody;
    matched_init(&nobody, pooled->matched->rule);
    clean.query = avoid_query(pooled, sent->query);
    asked->request = &clean;
    apply_action(asked, &nobody, fallback);
    asked->request = sent;
}

/* Who says that the last resort cannot be reached is not sent there; where it leads back here,
 * that is noticed. */
static void settle_fallback(const struct pooled *pooled)
{
    struct asked *asked = pooled->asked;
    struct decision *out = asked->decision;
    struct buffer built = buffer_over(asked->context->location, location_bytes_max);
    built.len = out->location.len;
    if (avoid_names(pooled, out->location)) {
        decision_refuse(out, REASON_POOL_EMPTY, 503);
        out->retry_after_s = retry_after(asked, pooled->matched, out->action);
    } else if (!avoid_carry(pooled, SNAP_NONE, 0, &built)) {
        decision_refuse(out, REASON_LOCATION_LONG, 414);
    } else {
        out->location = buffer_span(&built);
    }
}

static void fall_back(const struct pooled *pooled, const struct snap_action *fallback, bool told)
{
    struct asked *asked = pooled->asked;
    struct decision *out = asked->decision;
    bool page = fallback->kind == SNAP_ACTION_PAGE || fallback->kind == SNAP_ACTION_WAIT;
    if (told && page) {
        refuse_others(asked, pooled->matched, fallback); /* a page is for people to look at */
        out->html = false;
    } else {
        apply_fallback(pooled, fallback);
    }
    if (out->location.len > 0 && fallback->kind != SNAP_ACTION_WAIT) {
        settle_fallback(pooled);
    }
    out->json = told && out->location.len > 0;
    out->max_age_s = -1; /* somebody may be back in a moment */
    if (out->reason != REASON_LOCATION_LONG && out->reason != REASON_LOCATION_ESCAPES) {
        out->reason = REASON_POOL_EMPTY;
    }
}

static void note_choice(const struct pooled *pooled)
{
    struct decide_trace *trace = pooled->asked->context->trace;
    if (trace != NULL) {
        trace->pooled = true;
        trace->pool = pooled->action->pool;
        trace->pool_client = pooled->client;
        trace->pool_path = pool_path(pooled);
    }
}

static void send_to(const struct pooled *pooled, uint32_t chosen)
{
    struct asked *asked = pooled->asked;
    struct decision *out = asked->decision;
    struct span authority = {0};
    struct buffer built = buffer_over(asked->context->location, location_bytes_max);
    enum location_result result = pool_location(pooled, chosen, &built, &authority);
    out->status = (uint16_t)pooled->action->status;
    out->server = chosen;
    const struct snap_pool *pool = snapshot_pool(asked->snapshot, pooled->action->pool);
    out->max_age_s = sign_max_age_s(pool, out->max_age_s);
    out->hold = !pooled->stays && !pool_holds(pooled, chosen);
    accept_location(asked, result, &built, authority);
}

void apply_pool(struct asked *asked, const struct matched *matched,
                const struct snap_action *action)
{
    struct pooled pooled = {.asked = asked, .matched = matched, .action = action};
    asked->decision->depends_on_client = true;
    asked->decision->vary |= VARY_AVOID;
    client_init(asked, action->pool, &pooled.client);
    if (!avoid_heed(&pooled)) {
        return;
    }
    const struct snap_pool *pool = snapshot_pool(asked->snapshot, action->pool);
    bool told = wants_to_be_told(asked, pool);
    uint32_t chosen = choose_existing(&pooled);
    note_choice(&pooled);
    if (chosen == SNAP_NONE) {
        fall_back(&pooled, &pool->fallback, told);
        tell_lack(&pooled);
    } else {
        send_to(&pooled, chosen);
        asked->decision->json = told && asked->decision->location.len > 0;
        name_alternatives(&pooled, chosen);
    }
}
