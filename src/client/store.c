/* SPDX-License-Identifier: MIT */
/* A client's memory: its life, and how it is looked after. */
#include "client/stock.h"

#include "client/known.h"

#include <stdlib.h>

#define BYTES_MAX_DEFAULT (UINT64_C(16) << 20)
#define BYTES_MAX_MOST (UINT64_C(1) << 30)

enum { entries_max_default = 10000, entries_max_most = 1000000 };

/* ---- life ---- */

static const struct detour_store_options options_default = {
    .size = sizeof(struct detour_store_options),
    .entries_max = entries_max_default,
    .bytes_max = BYTES_MAX_DEFAULT,
};

void detour_store_options_init(struct detour_store_options *options, size_t size)
{
    memcpy(options, &options_default, smaller(size, sizeof(options_default)));
    memcpy(options, &size, smaller(size, sizeof(size)));
}

/* False: out of range. */
static bool options_take(const struct detour_store_options *options,
                         struct detour_store_options *out)
{
    *out = options_default;
    if (options == NULL) {
        return true;
    }
    if (!SIZE_IS_KNOWN(options, bytes_max)) {
        return false;
    }
    memcpy(out, options, smaller(options->size, sizeof(*out)));
    return out->entries_max > 0 && out->entries_max <= entries_max_most &&
           out->bytes_max >= memo_bytes_max && out->bytes_max <= BYTES_MAX_MOST;
}

static enum detour_error store_around(struct keep *keep, bool shared, struct detour_store **out)
{
    struct detour_store *store = malloc(sizeof(*store));
    if (store == NULL || pthread_mutex_init(&store->lock, NULL) != 0) {
        free(store);
        keep->methods->free(keep);
        return DETOUR_ERROR_MEMORY;
    }
    store->shared = shared;
    store->keep = keep;
    arena_init(&store->arena, 0);
    *out = store;
    return DETOUR_OK;
}

enum detour_error detour_store_new(const struct detour_store_options *options,
                                   struct detour_store **out)
{
    struct detour_store_options full;
    if (out == NULL || !options_take(options, &full)) {
        return DETOUR_ERROR_USAGE;
    }
    struct keep *keep = memory_new(full.entries_max, full.bytes_max);
    return keep != NULL ? store_around(keep, full.shared, out) : DETOUR_ERROR_MEMORY;
}

enum detour_error detour_store_open(const char *path, const struct detour_store_options *options,
                                    char *why, struct detour_store **out)
{
    char nobody_asks[DETOUR_WHY_BYTES];
    struct detour_store_options full;
    struct keep *keep;
    if (path == NULL || out == NULL || !options_take(options, &full)) {
        return DETOUR_ERROR_USAGE;
    }
    why = why != NULL ? why : nobody_asks;
    why[0] = '\0';
    enum detour_error error = file_new(path, full.entries_max, full.bytes_max, why, &keep);
    return error == DETOUR_OK ? store_around(keep, full.shared, out) : error;
}

void detour_store_free(struct detour_store **store)
{
    if (*store != NULL) {
        (*store)->keep->methods->free((*store)->keep);
        arena_fini(&(*store)->arena);
        pthread_mutex_destroy(&(*store)->lock);
        free(*store);
        *store = NULL;
    }
}

void store_lock(struct detour_store *store)
{
    pthread_mutex_lock(&store->lock);
    arena_reset(&store->arena);
}

enum detour_error store_unlock(struct detour_store *store, enum detour_error error)
{
    pthread_mutex_unlock(&store->lock);
    return error;
}

/* ---- looking after it ---- */

enum detour_error detour_store_forget(struct detour_store *store, struct detour_text url)
{
    struct url parsed;
    struct span key;
    if (store == NULL || url.ptr == NULL) {
        return DETOUR_ERROR_USAGE;
    }
    store_lock(store);
    enum detour_error error = stock_key(store, span_of_text(url), &parsed, &key);
    return store_unlock(store, error == DETOUR_OK ? stock_forget(store, key) : error);
}

enum detour_error detour_store_clear(struct detour_store *store)
{
    if (store == NULL) {
        return DETOUR_ERROR_USAGE;
    }
    store_lock(store);
    return store_unlock(store, store->keep->methods->clear(store->keep));
}

/* A record goes when all of its variants are over. What is damaged goes, too. */
static enum keep_answer sweep(void *context, struct span bytes)
{
    const int64_t *now_s = context;
    struct memo record;
    if (!memo_decode(bytes, &record)) {
        return KEEP_REMOVE;
    }
    for (size_t i = 0; i < record.count; i++) {
        if (record.variants[i].fresh_until_s > *now_s) {
            return KEEP_GO_ON;
        }
    }
    return KEEP_REMOVE;
}

enum detour_error detour_store_sweep(struct detour_store *store, int64_t now_s)
{
    if (store == NULL) {
        return DETOUR_ERROR_USAGE;
    }
    store_lock(store);
    return store_unlock(store, store->keep->methods->walk(store->keep, sweep, &now_s));
}

enum detour_error detour_store_count(struct detour_store *store, size_t *out)
{
    if (store == NULL || out == NULL) {
        return DETOUR_ERROR_USAGE;
    }
    store_lock(store);
    return store_unlock(store, store->keep->methods->count(store->keep, out));
}

struct visit {
    detour_entry_fn *visit;
    void *context;
    bool damaged;
};

static struct detour_text kept_value(const struct variant *variant, enum known known)
{
    for (size_t i = 0; i < variant->answer.count; i++) {
        if (known_find(variant->answer.items[i].name) == known) {
            return text_of_span(variant->answer.items[i].value);
        }
    }
    return (struct detour_text){0};
}

static enum keep_answer show(void *context, struct span bytes)
{
    struct visit *visit = context;
    struct memo record;
    if (!memo_decode(bytes, &record)) {
        visit->damaged = true;
        return KEEP_STOP;
    }
    for (size_t i = 0; i < record.count; i++) {
        const struct variant *variant = &record.variants[i];
        struct detour_entry entry = {
            .url = text_of_span(record.url),
            .status = variant->status,
            .location = kept_value(variant, KNOWN_LOCATION),
            .vary = kept_value(variant, KNOWN_VARY),
            .stored_s = variant->stored_s,
            .fresh_until_s = variant->fresh_until_s,
        };
        if (!visit->visit(visit->context, &entry)) {
            return KEEP_STOP;
        }
    }
    return KEEP_GO_ON;
}

enum detour_error detour_store_walk(struct detour_store *store, detour_entry_fn *visit,
                                    void *context)
{
    struct visit each = {.visit = visit, .context = context};
    if (store == NULL || visit == NULL) {
        return DETOUR_ERROR_USAGE;
    }
    store_lock(store);
    enum detour_error error =
        store_unlock(store, store->keep->methods->walk(store->keep, show, &each));
    return error == DETOUR_OK && each.damaged ? DETOUR_ERROR_DAMAGED : error;
}
