/* SPDX-License-Identifier: MIT */
/* The set of servers, and questions in their turn. */
#include "exists/internal.h"

#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <xxhash.h>

static void pump(struct exists *exists);

/* ---- turns ---- */

static uint32_t at_once_of(const struct server *server)
{
    return server->silent ? 1 : exists_at_once_of_server_max;
}

static void make_ready(struct exists *exists, struct server *server)
{
    if (server->ready || server->waiting == 0 || server->running >= at_once_of(server)) {
        return;
    }
    struct ready *list = server->silent ? &exists->ready_silent : &exists->ready;
    server->ready = true;
    server->next = NULL;
    *(list->last != NULL ? &list->last->next : &list->first) = server;
    list->last = server;
}

static struct server *take_first(struct ready *list)
{
    struct server *server = list->first;
    list->first = server->next;
    list->last = list->first != NULL ? list->last : NULL;
    server->ready = false;
    return server;
}

/* Whose turn it is; NULL: there is nobody, or no room. */
static struct server *take_ready(struct exists *exists)
{
    if (exists->running >= exists_at_once_max) {
        return NULL;
    }
    if (exists->ready.first != NULL) {
        return take_first(&exists->ready);
    }
    bool room = exists->running_silent < exists_at_once_silent_max;
    return room && exists->ready_silent.first != NULL ? take_first(&exists->ready_silent) : NULL;
}

void inquiry_wait(struct inquiry *inquiry)
{
    struct server *server = inquiry->asked;
    inquiry->next = NULL;
    *(server->last != NULL ? &server->last->next : &server->first) = inquiry;
    server->last = inquiry;
    server->waiting++;
    inquiry->exists->waiting++;
    make_ready(inquiry->exists, server);
}

static struct inquiry *take_waiting(struct exists *exists, struct server *server)
{
    struct inquiry *inquiry = server->first;
    server->first = inquiry->next;
    server->last = server->first != NULL ? server->last : NULL;
    server->waiting--;
    exists->waiting--;
    return inquiry;
}

static bool is_down(const struct exists *exists, const struct server *server)
{
    enum server_state state =
        server_live_state(&servers_live(exists->setting.servers)[server->target.slot]);
    return state == SERVER_DOWN || state == SERVER_MAINT;
}

/* ---- a question's end ---- */

static struct inquiry **bucket_of(struct exists *exists, uint64_t key)
{
    return &exists->buckets[(key >> 40) % exists_buckets];
}

static void forget(struct inquiry *inquiry)
{
    struct inquiry **at = bucket_of(inquiry->exists, inquiry->key);
    while (*at != inquiry) {
        at = &(*at)->chain;
    }
    *at = inquiry->chain;
    free(inquiry);
}

static void count(struct exists *exists, const struct server *server, enum fact fact)
{
    struct exists_counts *counts = &exists->counts[server->target.slot];
    counts->yes += fact == FACT_YES;
    counts->no += fact == FACT_NO;
    counts->failed += fact == FACT_TRIED;
}

/* A yes that still holds is worth more than an answer that says nothing. */
static void write_fact(struct exists *exists, const struct inquiry *inquiry, enum fact fact)
{
    const struct exists_target *target = &inquiry->about->target;
    struct facts *facts = exists->setting.facts;
    uint32_t now_s = exists_now_s(exists, clock_monotonic_ns());
    uint32_t left_s;
    uint32_t life_s = fact == FACT_YES ? target->yes_s : target->no_s;
    if (fact == FACT_TRIED) {
        if (facts_find(facts, inquiry->key, now_s, &left_s) == FACT_YES) {
            return;
        }
        life_s = life_s < exists_tried_s ? life_s : exists_tried_s;
    }
    exists->evicted += facts_set(facts, inquiry->key, fact, now_s, life_s);
}

static void stop_running(struct inquiry *inquiry)
{
    struct exists *exists = inquiry->exists;
    inquiry->asked->running--;
    exists->running--;
    exists->running_silent -= inquiry->of_silent;
    inquiry->of_silent = false;
    make_ready(exists, inquiry->asked);
}

static void conclude(struct inquiry *inquiry, enum fact fact)
{
    count(inquiry->exists, inquiry->about, fact);
    write_fact(inquiry->exists, inquiry, fact);
    forget(inquiry);
}

void server_fell_silent(struct exists *exists, struct server *server)
{
    server->silent = true;
    while (server->waiting > exists_waiting_of_silent_max) {
        struct inquiry *inquiry = take_waiting(exists, server);
        exists->counts[inquiry->about->target.slot].dropped++;
        forget(inquiry);
    }
}

void inquiry_end(struct inquiry *inquiry, enum fact fact)
{
    struct exists *exists = inquiry->exists;
    stop_running(inquiry);
    conclude(inquiry, fact);
    pump(exists);
}

void inquiry_move(struct inquiry *inquiry)
{
    struct exists *exists = inquiry->exists;
    stop_running(inquiry);
    inquiry->asked = inquiry->about;
    inquiry_wait(inquiry);
    pump(exists);
}

/* The next question of a server whose turn it is. */
static void begin_one(struct exists *exists, struct server *server)
{
    if (server->waiting == 0 || server->running >= at_once_of(server)) {
        return; /* it has fallen silent since it was made ready */
    }
    struct inquiry *inquiry = take_waiting(exists, server);
    uint32_t now_s = exists_now_s(exists, clock_monotonic_ns());
    const struct original *original =
        server != inquiry->about
            ? original_find(exists, facts_key(inquiry->path_hash, server->target.key), now_s)
            : NULL;
    if (original != NULL && original->absent) {
        conclude(inquiry, FACT_NO);
    } else if (original != NULL) { /* it was asked for another's sake meanwhile */
        inquiry->asked = inquiry->about;
        inquiry_wait(inquiry);
    } else if (!is_down(exists, server) && inquiry_send(inquiry)) {
        server->running++;
        exists->running++;
        inquiry->of_silent = server->silent;
        exists->running_silent += server->silent;
    } else {
        conclude(inquiry, FACT_TRIED);
    }
    make_ready(exists, server);
}

static void pump(struct exists *exists)
{
    struct server *server;
    while ((server = take_ready(exists)) != NULL) {
        begin_one(exists, server);
    }
}

/* ---- asking ---- */

static struct server *find_server(const struct exists *exists, uint64_t key)
{
    size_t from = 0;
    size_t to = exists->server_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (exists->servers[middle].target.key < key) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    bool found = from < exists->server_count && exists->servers[from].target.key == key;
    return found ? &exists->servers[from] : NULL;
}

static bool is_asked(struct exists *exists, uint64_t key)
{
    const struct inquiry *inquiry = *bucket_of(exists, key);
    while (inquiry != NULL && inquiry->key != key) {
        inquiry = inquiry->chain;
    }
    return inquiry != NULL;
}

/* What is known is asked again only towards its end, and a no when it is over. */
static bool is_known(const struct exists *exists, const struct server *server, uint64_t key)
{
    uint32_t left_s;
    uint32_t now_s = exists_now_s(exists, clock_monotonic_ns());
    enum fact fact = facts_find(exists->setting.facts, key, now_s, &left_s);
    return fact != FACT_UNKNOWN && !(fact == FACT_YES && fact_is_due(left_s, server->target.yes_s));
}

static struct inquiry *inquiry_new(struct exists *exists, struct server *server, uint64_t key,
                                   uint64_t path_hash, struct span path)
{
    struct inquiry *inquiry = calloc(1, sizeof(*inquiry) + path.len);
    if (inquiry == NULL) {
        return NULL;
    }
    if (path.len > 0) {
        memcpy(inquiry->bytes, path.ptr, path.len);
    }
    inquiry->exists = exists;
    inquiry->about = server;
    inquiry->asked = server->original != NULL ? server->original : server;
    inquiry->key = key;
    inquiry->path_hash = path_hash;
    inquiry->path = span_of(inquiry->bytes, path.len);
    inquiry->chain = *bucket_of(exists, key);
    *bucket_of(exists, key) = inquiry;
    return inquiry;
}

static bool has_room(const struct exists *exists, const struct server *server)
{
    size_t used = exists->waiting < exists_waiting_max ? exists->waiting : exists_waiting_max;
    size_t share = (exists_waiting_max - used) / 8;
    size_t most = server->silent ? exists_waiting_of_silent_max : exists_waiting_of_server_max;
    bool at_once = server->waiting == 0 && server->running < at_once_of(server) &&
                   exists->running < exists_at_once_max;
    return at_once || (server->waiting < most && server->waiting < share);
}

void exists_ask(struct exists *exists, uint64_t server_key, struct span path)
{
    struct server *server = find_server(exists, server_key);
    uint64_t path_hash = facts_path(exists->setting.facts, path);
    uint64_t key = facts_key(path_hash, server_key);
    assert(question_fits(path));
    if (server == NULL || is_asked(exists, key) || is_known(exists, server, key)) {
        return;
    }
    const struct server *asked = server->original != NULL ? server->original : server;
    struct inquiry *inquiry = NULL;
    if (has_room(exists, server) && (asked == server || has_room(exists, asked))) {
        inquiry = inquiry_new(exists, server, key, path_hash, path);
    }
    if (inquiry == NULL) {
        exists->counts[server->target.slot].dropped++;
        return;
    }
    inquiry_wait(inquiry);
    pump(exists);
}

/* ---- the set of servers ---- */

static uint64_t hash_text(struct span text, uint64_t hash)
{
    return XXH3_64bits_withSeed(text.ptr, text.len, hash);
}

static uint64_t fingerprint_of(const struct exists_target *targets, size_t count)
{
    uint64_t hash = count;
    for (size_t i = 0; i < count; i++) {
        const struct exists_target *t = &targets[i];
        const uint64_t numbers[] = {hash,          t->key,         t->original, t->same_size,
                                    t->same_date,  t->is_original, t->slot,     t->port,
                                    t->yes_s,      t->no_s,        t->signs,    t->sign_key,
                                    t->sign_ttl_s, t->unverified};
        hash = XXH3_64bits(numbers, sizeof(numbers));
        hash = hash_text(t->url, hash);
        hash = hash_text(t->authority, hash);
        hash = hash_text(t->ca_file, hash);
        hash = hash_text(t->sign_param, hash);
    }
    return hash | 1; /* 0: there was no set yet */
}

static bool copy_text(struct arena *arena, struct span *text)
{
    if (text->len == 0) {
        return true;
    }
    const char *copy = arena_printf(arena, "%.*s", SPAN_ARG(*text));
    *text = span_of((const uint8_t *)copy, copy != NULL ? text->len : 0);
    return copy != NULL;
}

static bool server_init(struct arena *arena, const struct exists_target *from, struct server *out)
{
    *out = (struct server){.target = *from};
    struct exists_target *target = &out->target;
    if (!copy_text(arena, &target->url) || !copy_text(arena, &target->host) ||
        !copy_text(arena, &target->ca_file) || !copy_text(arena, &target->sign_param)) {
        return false;
    }
    out->ca_file = target->ca_file.len > 0 ? (const char *)target->ca_file.ptr : NULL;
    if (from->authority.len > 0) {
        out->host_field = arena_printf(arena, "Host: %.*s", SPAN_ARG(from->authority));
        target->authority = (struct span){0};
        return out->host_field != NULL;
    }
    return true;
}

static int compare_servers(const void *left, const void *right)
{
    uint64_t a = ((const struct server *)left)->target.key;
    uint64_t b = ((const struct server *)right)->target.key;
    return a < b ? -1 : a > b;
}

static void drop_all(struct exists *exists)
{
    for (size_t i = 0; i < exists_buckets; i++) {
        while (exists->buckets[i] != NULL) {
            struct inquiry *inquiry = exists->buckets[i];
            exists->buckets[i] = inquiry->chain;
            fetch_cancel(&inquiry->fetch);
            free(inquiry);
        }
    }
    arena_fini(&exists->arena);
    arena_init(&exists->arena, 0);
    exists->servers = NULL;
    exists->server_count = 0;
    exists->ready = (struct ready){0};
    exists->ready_silent = (struct ready){0};
    exists->running_silent = 0;
    exists->waiting = 0;
    exists->running = 0;
    exists->fingerprint = 0;
    memset(exists->known, 0, servers_max * sizeof(*exists->known));
}

enum err exists_set(struct exists *exists, const struct exists_target *targets, size_t count)
{
    uint64_t fingerprint = fingerprint_of(targets, count);
    if (fingerprint == exists->fingerprint) {
        return ERR_NONE;
    }
    drop_all(exists);
    exists->servers = arena_array(&exists->arena, count + 1, sizeof(*exists->servers));
    for (size_t i = 0; i < count && exists->servers != NULL; i++) {
        if (!server_init(&exists->arena, &targets[i], &exists->servers[i])) {
            exists->servers = NULL;
        }
    }
    if (exists->servers == NULL) {
        return ERR_MEMORY;
    }
    qsort(exists->servers, count, sizeof(*exists->servers), compare_servers);
    exists->server_count = count;
    for (size_t i = 0; i < count; i++) {
        struct server *server = &exists->servers[i];
        server->original =
            server->target.original != 0 ? find_server(exists, server->target.original) : NULL;
        exists->known[server->target.slot] = server->target.slot != servers_slot_overflow;
    }
    exists->fingerprint = fingerprint;
    return ERR_NONE;
}

enum err exists_new(const struct exists_setting *setting, struct exists **out)
{
    struct exists *exists = calloc(1, sizeof(*exists));
    if (exists == NULL) {
        return ERR_MEMORY;
    }
    exists->setting = *setting;
    arena_init(&exists->arena, 0);
    exists->counts = calloc(servers_max, sizeof(*exists->counts));
    exists->known = calloc(servers_max, sizeof(*exists->known));
    if (exists->counts == NULL || exists->known == NULL ||
        fetch_new(setting->loop, exists_at_once_max, &exists->fetch) != ERR_NONE) {
        exists_free(&exists);
        return ERR_MEMORY;
    }
    *out = exists;
    return ERR_NONE;
}

void exists_free(struct exists **exists)
{
    struct exists *freed = *exists;
    *exists = NULL;
    if (freed == NULL) {
        return;
    }
    if (freed->known != NULL) {
        drop_all(freed);
    }
    fetch_free(&freed->fetch);
    arena_fini(&freed->arena);
    free(freed->counts);
    free(freed->known);
    free(freed->originals);
    free(freed);
}

enum fact exists_known(const struct exists *exists, uint64_t server, struct span path,
                       uint32_t *left_s)
{
    *left_s = 0;
    if (exists == NULL) {
        return FACT_UNKNOWN;
    }
    const struct facts *facts = exists->setting.facts;
    uint32_t now_s = exists_now_s(exists, clock_monotonic_ns());
    return facts_find(facts, facts_key(facts_path(facts, path), server), now_s, left_s);
}

bool exists_look(const struct exists *exists, uint32_t slot, struct exists_counts *out)
{
    if (exists == NULL || !exists->known[slot]) {
        return false;
    }
    *out = exists->counts[slot];
    return true;
}

uint64_t exists_evicted(const struct exists *exists)
{
    return exists != NULL ? exists->evicted : 0;
}

size_t exists_pending(const struct exists *exists)
{
    return exists != NULL ? exists->waiting + exists->running : 0;
}
