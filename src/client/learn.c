/* SPDX-License-Identifier: MIT */
/* What a store makes of an answer: what may be kept, and what has to go (RFC 9111, 3 and 4.4). */
#include "client/stock.h"

#include "client/freshness.h"
#include "client/known.h"
#include "client/view.h"
#include "http/field.h"

static bool is_kept(enum known known)
{
    return known == KNOWN_LOCATION || known == KNOWN_CACHE_CONTROL || known == KNOWN_EXPIRES ||
           known == KNOWN_DATE || known == KNOWN_VARY || known == KNOWN_REFERRER_POLICY;
}

static bool field_add(struct memo_fields *fields, struct span name, struct span value)
{
    if (fields->count == memo_fields_max) {
        return false;
    }
    fields->items[fields->count++] = (struct memo_field){name, value};
    return true;
}

static bool vary_take(struct detour_store *store, const struct detour_request *request,
                      struct span names, struct variant *out, bool *failed)
{
    struct span name;
    while (field_list_next(&names, &name)) {
        if (!field_add(&out->asked, name, stock_value(&store->arena, request, name, failed))) {
            return false;
        }
    }
    return true;
}

/* False: it has more fields than are kept. */
static bool variant_make(struct detour_store *store, const struct detour_request *request,
                         const struct detour_answer *answer,
                         const struct detour_freshness *freshness, struct variant *out,
                         bool *failed)
{
    *out = (struct variant){
        .status = answer->status,
        .stored_s = answer->received_s,
        .age_s = freshness->age_s,
        .fresh_until_s = freshness->fresh_until_s,
    };
    for (size_t i = 0; i < answer->field_count; i++) {
        struct span name = span_of_text(answer->fields[i].name);
        struct span value = span_of_text(answer->fields[i].value);
        value = value.ptr != NULL ? value : SPAN("");
        enum known known = known_find(name);
        if (is_kept(known) && !field_add(&out->answer, name, value)) {
            return false;
        }
        if (known == KNOWN_VARY && !vary_take(store, request, value, out, failed)) {
            return false;
        }
    }
    return true;
}

static void variant_remove(struct memo *record, size_t index)
{
    record->count--;
    for (size_t i = index; i < record->count; i++) {
        record->variants[i] = record->variants[i + 1];
    }
}

/* What a new answer replaces: what was for such a request, and what is over. */
static void make_room(struct detour_store *store, const struct detour_request *request,
                      int64_t now_s, struct memo *record, bool *failed)
{
    for (size_t i = record->count; i > 0; i--) {
        const struct variant *variant = &record->variants[i - 1];
        if (variant->fresh_until_s <= now_s || stock_fits(store, variant, request, failed)) {
            variant_remove(record, i - 1);
        }
    }
    if (record->count == DETOUR_VARIANTS_MAX) {
        variant_remove(record, 0);
    }
}

/* The oldest variants go until the rest fits. */
static bool encode(struct detour_store *store, struct memo *record, struct span *out)
{
    while (record->count > 0) {
        struct buffer bytes = buffer_over(store->new, sizeof(store->new));
        memo_encode(record, &bytes);
        if (!bytes.full) {
            *out = buffer_span(&bytes);
            return true;
        }
        variant_remove(record, 0);
    }
    return false;
}

static enum detour_error learn_redirect(struct detour_store *store, struct span key,
                                        const struct detour_request *request,
                                        const struct detour_answer *answer,
                                        const struct detour_freshness *freshness,
                                        enum detour_learnt *learnt)
{
    struct memo record;
    struct span bytes;
    struct variant variant;
    bool failed = false;
    bool found;
    *learnt = DETOUR_LEARNT_LIMIT;
    if (!variant_make(store, request, answer, freshness, &variant, &failed)) {
        return stock_forget(store, key);
    }
    enum detour_error error = stock_find(store, key, &record, &found);
    if (error != DETOUR_OK && error != DETOUR_ERROR_DAMAGED) {
        return error;
    }
    if (error == DETOUR_ERROR_DAMAGED || !found) {
        record = (struct memo){.url = key};
    }
    make_room(store, request, answer->received_s, &record, &failed);
    record.variants[record.count++] = variant;
    if (failed) {
        return DETOUR_ERROR_MEMORY;
    }
    if (!encode(store, &record, &bytes)) {
        return stock_forget(store, key);
    }
    *learnt = DETOUR_LEARNT_STORED;
    return store->keep->methods->put(store->keep, key, bytes);
}

/* RFC 9111, 4.4: of the same origin alone, or anybody could make a client forget anything. */
static enum detour_error invalidate_named(struct detour_store *store, const struct url *url,
                                          struct span reference)
{
    struct url named;
    if (reference.len > DETOUR_URL_BYTES_MAX) {
        return DETOUR_OK;
    }
    enum err err = url_parse(reference, url, &store->arena, &named);
    if (err != ERR_NONE || !view_same_origin(url, &named)) {
        return err == ERR_MEMORY ? DETOUR_ERROR_MEMORY : DETOUR_OK;
    }
    named.username = span_of(NULL, 0);
    named.password = span_of(NULL, 0);
    const struct detour_url *view = view_new(&named, &store->arena);
    return view != NULL ? stock_forget(store, span_of_text(view->target)) : DETOUR_ERROR_MEMORY;
}

static enum detour_error invalidate(struct detour_store *store, const struct url *url,
                                    struct span key, const struct detour_answer *answer)
{
    enum detour_error error = stock_forget(store, key);
    for (size_t i = 0; i < answer->field_count && error == DETOUR_OK; i++) {
        enum known known = known_find(span_of_text(answer->fields[i].name));
        if (known == KNOWN_LOCATION || known == KNOWN_CONTENT_LOCATION) {
            error = invalidate_named(store, url, span_of_text(answer->fields[i].value));
        }
    }
    return error;
}

static enum detour_error learn(struct detour_store *store, const struct detour_request *request,
                               const struct detour_answer *answer, enum detour_learnt *learnt)
{
    struct detour_freshness freshness;
    struct span key;
    struct url url;
    bool guess;
    enum detour_error error = stock_key(store, span_of_text(request->url), &url, &key);
    if (error != DETOUR_OK) {
        return error;
    }
    if (!detour_method_is_safe(request->method)) {
        if (answer->status / 100 != 2 && answer->status / 100 != 3) {
            return DETOUR_OK;
        }
        *learnt = DETOUR_LEARNT_INVALIDATED;
        return invalidate(store, &url, key, answer);
    }
    if (!span_eq(span_of_text(request->method), SPAN("GET"))) {
        return DETOUR_OK;
    }
    freshness_judge(request, answer, store->shared, &freshness, &guess);
    return freshness.cache == DETOUR_CACHE_FRESH
               ? learn_redirect(store, key, request, answer, &freshness, learnt)
               : stock_forget(store, key);
}

/* Interim answers say nothing about the resource. */
static bool is_final(const struct detour_answer *answer)
{
    return answer->status >= 200 && answer->status < 600;
}

enum detour_error detour_store_learn(struct detour_store *store,
                                     const struct detour_request *request,
                                     const struct detour_answer *answer, enum detour_learnt *learnt)
{
    enum detour_learnt what = DETOUR_LEARNT_NOTHING;
    struct detour_request full_request = {0};
    struct detour_answer full = {0};
    if (store == NULL || !stock_request_is_sound(request) || answer == NULL ||
        !SIZE_IS_KNOWN(answer, requested_s) || answer->field_count > DETOUR_FIELDS_MAX ||
        (answer->fields == NULL && answer->field_count > 0)) {
        return DETOUR_ERROR_USAGE;
    }
    memcpy(&full_request, request, smaller(request->size, sizeof(full_request)));
    memcpy(&full, answer, smaller(answer->size, sizeof(full)));
    if (full.received_s <= 0 || full.received_s > TIME_MAX_S) {
        return DETOUR_ERROR_USAGE;
    }
    enum detour_error error = DETOUR_OK;
    if (!full.from_store && is_final(&full)) {
        store_lock(store);
        error = store_unlock(store, learn(store, &full_request, &full, &what));
    }
    if (learnt != NULL && error == DETOUR_OK) {
        *learnt = what;
    }
    return error;
}
