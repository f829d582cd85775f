/* SPDX-License-Identifier: MIT */
/* The set of origins, over snapshots: what a snapshot says of one is copied, so that no exchange
 * holds on to it. */
#include "origin/internal.h"

#include "base/log.h"

#include <assert.h>
#include <stdlib.h>

enum { tell_pause_ms = 10000 };

enum err origins_new(struct ev_loop *loop, struct counters_worker *counters, struct origins **out)
{
    struct origins *set = calloc(1, sizeof(*set));
    uint8_t *room = malloc(encode_bytes_max);
    if (set == NULL || room == NULL) {
        free(set);
        free(room);
        return ERR_MEMORY;
    }
    set->loop = loop;
    set->counters = counters;
    set->out = buffer_over(room, encode_bytes_max);
    set->wires_max = SIZE_MAX;
    sweep_init(set);
    *out = set;
    return ERR_NONE;
}

void origins_set_limit(struct origins *set, uint32_t connections_max)
{
    set->wires_max = connections_max;
}

void origin_tell(struct origin *origin, const char *what, const char *why)
{
    uint64_t now_ms = origin->set->now_ms;
    if (origin->told_ms == 0 || now_ms - origin->told_ms >= tell_pause_ms) {
        origin->told_ms = now_ms;
        log_error("%s the origin %.*s: %s", what, SPAN_ARG(origin->name), why);
    }
}

static void origin_free(struct origin *origin)
{
    tls_client_free(&origin->tls);
    free(origin->texts);
    free(origin);
}

static void unlink_origin(struct origin *origin)
{
    struct origin **at = &origin->set->first;
    while (*at != origin) {
        at = &(*at)->next;
    }
    *at = origin->next;
}

void origin_release(struct origin *origin)
{
    if (!origin->listed && !origin->serving && origin->wire_count == 0 && origin->pass_count == 0) {
        unlink_origin(origin);
        origin_free(origin);
    }
}

/* Two records of one snapshot may have the same key, and other timeouts: each gets its own. */
static struct origin *find(const struct origins *set, uint64_t key)
{
    struct origin *origin = set->first;
    while (origin != NULL && (origin->key != key || origin->round == set->round)) {
        origin = origin->next;
    }
    return origin;
}

/* Of the certificates that are trusted: those of the origin before this one, if they are the
 * same, as they mostly are. */
struct trusted {
    struct span pem;
    struct tls_trust *trust;
};

static enum err trust(struct trusted *trusted, struct span pem)
{
    if (trusted->trust != NULL && span_eq(trusted->pem, pem)) {
        return ERR_NONE;
    }
    tls_trust_free(&trusted->trust);
    trusted->pem = pem;
    return tls_trust_new(pem, &trusted->trust);
}

static enum err set_up_tls(struct origin *origin, const struct snapshot *snapshot,
                           const struct snap_origin *from, struct trusted *trusted)
{
    bool verify = (from->flags & SNAP_ORIGIN_VERIFY) != 0;
    struct span pem = snapshot_text(snapshot, from->authorities);
    origin->tls_wanted = (from->flags & SNAP_ORIGIN_TLS) != 0;
    if (!origin->tls_wanted) {
        return ERR_NONE;
    }
    enum err err = verify ? trust(trusted, pem) : ERR_NONE;
    if (err == ERR_SYNTAX) {
        return ERR_NONE; /* nobody can be verified, and each connection says so */
    }
    struct span name = snapshot_text(snapshot, from->tls_name);
    return err == ERR_NONE ? tls_client_new(verify ? trusted->trust : NULL, name, &origin->tls)
                           : err;
}

static struct span copy_text(uint8_t **at, struct span text)
{
    struct span copy = span_of(*at, text.len);
    if (text.len > 0) {
        memcpy(*at, text.ptr, text.len);
    }
    *at += text.len;
    return copy;
}

static enum err set_texts(struct origin *origin, const struct snapshot *snapshot,
                          const struct snap_origin *from)
{
    struct span name = snapshot_text(snapshot, from->name);
    struct span authority = snapshot_text(snapshot, from->authority);
    uint8_t *at = malloc(name.len + authority.len + 1);
    if (at == NULL) {
        return ERR_MEMORY;
    }
    free(origin->texts);
    origin->texts = at;
    origin->name = copy_text(&at, name);
    origin->authority = copy_text(&at, authority);
    bool own = (from->flags & SNAP_ORIGIN_OWN_HOST) != 0;
    origin->own_host = own ? origin->authority : (struct span){0};
    return ERR_NONE;
}

static enum err origin_new(struct origins *set, const struct snapshot *snapshot,
                           const struct snap_origin *from, struct trusted *trusted,
                           struct origin **out)
{
    struct origin *origin = calloc(1, sizeof(*origin));
    if (origin == NULL) {
        return ERR_MEMORY;
    }
    origin->set = set;
    origin->key = from->key;
    chain_init(&origin->idle);
    chain_init(&origin->busy);
    chain_init(&origin->waiting);
    chain_init(&origin->passes);
    enum err err = set_texts(origin, snapshot, from);
    if (err == ERR_NONE) {
        err = set_up_tls(origin, snapshot, from, trusted);
    }
    if (err != ERR_NONE) {
        origin_free(origin);
        return err;
    }
    origin->next = set->first;
    set->first = origin;
    *out = origin;
    return ERR_NONE;
}

/* What may differ under the same key. */
static void update(struct origin *origin, const struct snapshot *snapshot,
                   const struct snap_origin *from)
{
    uint32_t count = 0;
    const struct snap_address *addresses = snapshot_addresses(snapshot, from, &count);
    size_t bytes = count * sizeof(addresses[0]);
    assert(count <= snap_addresses_max);
    set_texts(origin, snapshot, from); /* without memory it goes by its old name */
    if (count != origin->address_count || memcmp(addresses, origin->addresses, bytes) != 0) {
        memcpy(origin->addresses, addresses, bytes);
        origin->address_count = count;
        origin->good = 0;
        origin->moves++;
        pool_drop_idle(origin);
    }
    origin->connect_timeout_ms = from->connect_timeout_ms;
    origin->response_timeout_ms = from->response_timeout_ms;
    origin->idle_timeout_ms = from->idle_timeout_ms;
    origin->tunnel_timeout_ms = from->tunnel_timeout_ms;
    origin->keep_alive_ms = from->keep_alive_ms;
    origin->connections_max = from->connections_max;
    origin->listed = true;
}

/* Finds or makes each origin of the snapshot. */
static enum err gather(struct origins *set, const struct snapshot *snapshot,
                       struct origin **by_index)
{
    struct trusted trusted = {0};
    enum err err = ERR_NONE;
    set->round++;
    for (uint32_t i = 0; i < snapshot->origins.count && err == ERR_NONE; i++) {
        const struct snap_origin *from = snapshot_origin(snapshot, i);
        by_index[i] = find(set, from->key);
        if (by_index[i] == NULL) {
            err = origin_new(set, snapshot, from, &trusted, &by_index[i]);
        }
        if (by_index[i] != NULL) {
            by_index[i]->round = set->round;
        }
    }
    tls_trust_free(&trusted.trust);
    return err;
}

static void release_unlisted(struct origins *set)
{
    struct origin *next;
    for (struct origin *origin = set->first; origin != NULL; origin = next) {
        next = origin->next;
        if (!origin->listed) {
            pool_drop_idle(origin);
            origin_release(origin);
        }
    }
}

enum err origins_prepare(struct origins *set, const struct snapshot *snapshot)
{
    struct origin **by_index = calloc(snapshot->origins.count + 1, sizeof(struct origin *));
    enum err err = by_index != NULL ? gather(set, snapshot, by_index) : ERR_MEMORY;
    free(set->prepared);
    set->prepared = by_index;
    if (err != ERR_NONE) {
        free(by_index);
        set->prepared = NULL;
        release_unlisted(set);
    }
    return err;
}

void origins_adopt(struct origins *set, const struct snapshot *snapshot)
{
    assert(set->prepared != NULL);
    for (struct origin *origin = set->first; origin != NULL; origin = origin->next) {
        origin->listed = false;
    }
    for (uint32_t i = 0; i < snapshot->origins.count; i++) {
        update(set->prepared[i], snapshot, snapshot_origin(snapshot, i));
    }
    free(set->by_index);
    set->by_index = set->prepared;
    set->prepared = NULL;
    set->count = snapshot->origins.count;
    release_unlisted(set);
}

/* The exchanges are gone with the server, and nobody is told. */
static void end_passes(struct chain *list)
{
    while (!chain_empty(list)) {
        pass_over(pass_of_chain(list->next), ORIGIN_GONE);
    }
}

void origins_free(struct origins **owner)
{
    struct origins *set = *owner;
    *owner = NULL;
    if (set == NULL) {
        return;
    }
    while (set->first != NULL) {
        struct origin *origin = set->first;
        origin->listed = true; /* so that it stays until here */
        end_passes(&origin->waiting);
        end_passes(&origin->passes);
        pool_drop_idle(origin);
        set->first = origin->next;
        origin_free(origin);
    }
    ev_timer_stop(set->loop, &set->sweep);
    free(set->by_index);
    free(set->prepared);
    free(set->out.ptr);
    free(set);
}
