/* SPDX-License-Identifier: MIT */
/* A client's memory: what may be kept of an answer, what has to go, what fits a request (RFC 9111).
 */
#include <detour/store.h>

#include "client/freshness.h"
#include "client/keep.h"
#include "client/known.h"
#include "client/record.h"
#include "client/view.h"
#include "http/field.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define BYTES_MAX_DEFAULT (UINT64_C(16) << 20)
#define BYTES_MAX_MOST (UINT64_C(1) << 30)

enum { entries_max_default = 10000, entries_max_most = 1000000 };

struct detour_store {
    pthread_mutex_t lock;
    bool shared;
    struct keep *keep;
    struct arena arena; /* of a call */
    uint8_t old[record_bytes_max];
    uint8_t new[record_bytes_max];
};

/* ---- life ---- */

static const struct detour_store_options options_default = {
    .size = sizeof(struct detour_store_options),
    .entries_max = entries_max_default,
    .bytes_max = BYTES_MAX_DEFAULT,
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

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
           out->bytes_max >= record_bytes_max && out->bytes_max <= BYTES_MAX_MOST;
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

static void lock(struct detour_store *store)
{
    pthread_mutex_lock(&store->lock);
    arena_reset(&store->arena);
}

static enum detour_error unlock(struct detour_store *store, enum detour_error error)
{
    pthread_mutex_unlock(&store->lock);
    return error;
}

/* ---- what a request is about ---- */

/* The URL as records are found by: neither fragment nor userinfo. */
static enum detour_error key_of(struct detour_store *store, struct span text, struct url *url,
                                struct span *out)
{
    if (text.len > DETOUR_URL_BYTES_MAX) {
        return DETOUR_ERROR_USAGE;
    }
    enum err err = url_parse(text, NULL, &store->arena, url);
    if (err != ERR_NONE || !view_is_http(url)) {
        return err == ERR_MEMORY ? DETOUR_ERROR_MEMORY : DETOUR_ERROR_USAGE;
    }
    url->username = span_of(NULL, 0);
    url->password = span_of(NULL, 0);
    const struct detour_url *view = view_new(url, &store->arena);
    if (view == NULL) {
        return DETOUR_ERROR_MEMORY;
    }
    *out = span_of_text(view->target);
    return DETOUR_OK;
}

/* All lines of a name, as one (RFC 9110, 5.3). ptr NULL: none; or no memory, which *failed tells.
 */
static struct span value_of(struct arena *arena, const struct detour_request *request,
                            struct span name, bool *failed)
{
    struct span value = {0};
    for (size_t i = 0; i < request->field_count; i++) {
        const struct detour_field *field = &request->fields[i];
        if (!span_eq_ci(span_of_text(field->name), name)) {
            continue;
        }
        struct span line = field->value.len > 0 ? span_of_text(field->value) : SPAN("");
        if (value.ptr != NULL) {
            char *both = arena_printf(arena, "%.*s, %.*s", SPAN_ARG(value), SPAN_ARG(line));
            *failed = *failed || both == NULL;
            line = span_cstr(both);
        }
        value = line;
    }
    return value;
}

/* Whether what was asked for then is what is asked for now (RFC 9111, 4.1). */
static bool fits(struct detour_store *store, const struct variant *variant,
                 const struct detour_request *request, bool *failed)
{
    for (size_t i = 0; i < variant->asked.count; i++) {
        const struct record_field *asked = &variant->asked.items[i];
        struct span value = value_of(&store->arena, request, asked->name, failed);
        if ((value.ptr == NULL) != (asked->value.ptr == NULL) || !span_eq(value, asked->value)) {
            return false;
        }
    }
    return true;
}

/* The record of a URL, decoded out of store->old. */
static enum detour_error find_record(struct detour_store *store, struct span key,
                                     struct record *out, bool *found)
{
    struct buffer bytes = buffer_over(store->old, sizeof(store->old));
    enum detour_error error = store->keep->methods->find(store->keep, key, &bytes, found);
    if (error != DETOUR_OK || !*found) {
        return error;
    }
    if (bytes.full || !record_decode(buffer_span(&bytes), out)) {
        return DETOUR_ERROR_DAMAGED;
    }
    *found = span_eq(out->url, key); /* or another URL has the same hash */
    return DETOUR_OK;
}

/* ---- learning ---- */

static bool is_kept(enum known known)
{
    return known == KNOWN_LOCATION || known == KNOWN_CACHE_CONTROL || known == KNOWN_EXPIRES ||
           known == KNOWN_DATE || known == KNOWN_VARY || known == KNOWN_REFERRER_POLICY;
}

static bool field_add(struct record_fields *fields, struct span name, struct span value)
{
    if (fields->count == record_fields_max) {
        return false;
    }
    fields->items[fields->count++] = (struct record_field){name, value};
    return true;
}

static bool vary_take(struct detour_store *store, const struct detour_request *request,
                      struct span names, struct variant *out, bool *failed)
{
    struct span name;
    while (field_list_next(&names, &name)) {
        if (!field_add(&out->asked, name, value_of(&store->arena, request, name, failed))) {
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

static void variant_remove(struct record *record, size_t index)
{
    record->count--;
    memmove(&record->variants[index], &record->variants[index + 1],
            (record->count - index) * sizeof(record->variants[0]));
}

/* What a new answer replaces: what was for such a request, and what is over. */
static void make_room(struct detour_store *store, const struct detour_request *request,
                      int64_t now_s, struct record *record, bool *failed)
{
    for (size_t i = record->count; i > 0; i--) {
        const struct variant *variant = &record->variants[i - 1];
        if (variant->fresh_until_s <= now_s || fits(store, variant, request, failed)) {
            variant_remove(record, i - 1);
        }
    }
    if (record->count == DETOUR_VARIANTS_MAX) {
        variant_remove(record, 0);
    }
}

/* The oldest variants go until the rest fits. */
static bool encode(struct detour_store *store, struct record *record, struct span *out)
{
    while (record->count > 0) {
        struct buffer bytes = buffer_over(store->new, sizeof(store->new));
        record_encode(record, &bytes);
        if (!bytes.full) {
            *out = buffer_span(&bytes);
            return true;
        }
        variant_remove(record, 0);
    }
    return false;
}

static enum detour_error forget(struct detour_store *store, struct span key)
{
    return store->keep->methods->remove(store->keep, key);
}

static enum detour_error learn_redirect(struct detour_store *store, struct span key,
                                        const struct detour_request *request,
                                        const struct detour_answer *answer,
                                        const struct detour_freshness *freshness,
                                        enum detour_learnt *learnt)
{
    struct record record;
    struct span bytes;
    struct variant variant;
    bool failed = false;
    bool found;
    *learnt = DETOUR_LEARNT_LIMIT;
    if (!variant_make(store, request, answer, freshness, &variant, &failed)) {
        return forget(store, key);
    }
    enum detour_error error = find_record(store, key, &record, &found);
    if (error != DETOUR_OK && error != DETOUR_ERROR_DAMAGED) {
        return error;
    }
    if (error == DETOUR_ERROR_DAMAGED || !found) {
        record = (struct record){.url = key};
    }
    make_room(store, request, answer->received_s, &record, &failed);
    record.variants[record.count++] = variant;
    if (failed) {
        return DETOUR_ERROR_MEMORY;
    }
    if (!encode(store, &record, &bytes)) {
        return forget(store, key);
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
    return view != NULL ? forget(store, span_of_text(view->target)) : DETOUR_ERROR_MEMORY;
}

static enum detour_error invalidate(struct detour_store *store, const struct url *url,
                                    struct span key, const struct detour_answer *answer)
{
    enum detour_error error = forget(store, key);
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
    enum detour_error error = key_of(store, span_of_text(request->url), &url, &key);
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
               : forget(store, key);
}

/* Interim answers say nothing about the resource. */
static bool is_final(const struct detour_answer *answer)
{
    return answer->status >= 200 && answer->status < 600;
}

static bool request_is_sound(const struct detour_request *request)
{
    return request != NULL && SIZE_IS_KNOWN(request, body) &&
           (request->fields != NULL || request->field_count == 0) &&
           request->field_count <= DETOUR_FIELDS_MAX;
}

enum detour_error detour_store_learn(struct detour_store *store,
                                     const struct detour_request *request,
                                     const struct detour_answer *answer, enum detour_learnt *learnt)
{
    enum detour_learnt what = DETOUR_LEARNT_NOTHING;
    struct detour_request full_request = {0};
    struct detour_answer full = {0};
    if (store == NULL || !request_is_sound(request) || answer == NULL ||
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
        lock(store);
        error = unlock(store, learn(store, &full_request, &full, &what));
    }
    if (learnt != NULL && error == DETOUR_OK) {
        *learnt = what;
    }
    return error;
}

/* ---- finding ---- */

/* What is given out, in one piece of memory with its texts. */
struct hit {
    struct detour_hit hit;
    struct detour_answer answer;
    struct detour_field fields[record_fields_max + 1]; /* with Age */
    char age[24];
    uint8_t bytes[];
};

static int64_t age_now(const struct variant *variant, int64_t now_s)
{
    int64_t resident_s = now_s - variant->stored_s;
    return variant->age_s + (resident_s > 0 ? resident_s : 0);
}

/* RFC 9111, 5.2.1: what the request asks of a stored answer. */
static bool is_wanted(const struct variant *variant, const struct directives *asked, int64_t now_s)
{
    bool young = !asked->max_age.present || age_now(variant, now_s) <= asked->max_age.value;
    bool lasts =
        !asked->min_fresh.present || variant->fresh_until_s - now_s >= asked->min_fresh.value;
    return variant->fresh_until_s > now_s && young && lasts;
}

static struct detour_text hit_copy(struct buffer *bytes, struct span text)
{
    size_t from = bytes->len;
    buffer_put(bytes, text);
    return text_of_span(span_slice(buffer_span(bytes), from, bytes->len));
}

static enum detour_error hit_make(const struct variant *variant, int64_t now_s,
                                  struct detour_hit **out)
{
    const struct record_fields *fields = &variant->answer;
    size_t size = 0;
    for (size_t i = 0; i < fields->count; i++) {
        size += fields->items[i].name.len + fields->items[i].value.len;
    }
    struct hit *hit = malloc(sizeof(*hit) + size);
    if (hit == NULL) {
        return DETOUR_ERROR_MEMORY;
    }
    struct buffer bytes = buffer_over(hit->bytes, size);
    for (size_t i = 0; i < fields->count; i++) {
        hit->fields[i] = (struct detour_field){.name = hit_copy(&bytes, fields->items[i].name),
                                               .value = hit_copy(&bytes, fields->items[i].value)};
    }
    int64_t age_s = age_now(variant, now_s);
    snprintf(hit->age, sizeof(hit->age), "%lld", (long long)age_s);
    hit->fields[fields->count] =
        (struct detour_field){.name = detour_text_of("Age"), .value = detour_text_of(hit->age)};
    hit->answer = (struct detour_answer){.size = sizeof(hit->answer),
                                         .status = variant->status,
                                         .fields = hit->fields,
                                         .field_count = fields->count + 1,
                                         .from_store = true,
                                         .received_s = now_s};
    hit->hit = (struct detour_hit){
        .answer = &hit->answer, .age_s = age_s, .fresh_until_s = variant->fresh_until_s};
    *out = &hit->hit;
    return DETOUR_OK;
}

static enum detour_error find(struct detour_store *store, const struct detour_request *request,
                              const struct directives *asked, int64_t now_s,
                              struct detour_hit **out)
{
    struct record record;
    struct span key;
    struct url url;
    bool failed = false;
    bool found = false;
    enum detour_error error = key_of(store, span_of_text(request->url), &url, &key);
    if (error == DETOUR_OK) {
        error = find_record(store, key, &record, &found);
    }
    if (error != DETOUR_OK || !found) {
        return error;
    }
    for (size_t i = record.count; i > 0; i--) { /* the newest that fits (RFC 9111, 4) */
        const struct variant *variant = &record.variants[i - 1];
        if (fits(store, variant, request, &failed) && !failed) {
            return is_wanted(variant, asked, now_s) ? hit_make(variant, now_s, out) : DETOUR_OK;
        }
    }
    return failed ? DETOUR_ERROR_MEMORY : DETOUR_OK;
}

enum detour_error detour_store_find(struct detour_store *store,
                                    const struct detour_request *request, int64_t now_s,
                                    struct detour_hit **out)
{
    struct detour_request full = {0};
    struct directives asked;
    if (store == NULL || out == NULL || !request_is_sound(request) || now_s <= 0 ||
        now_s > TIME_MAX_S) {
        return DETOUR_ERROR_USAGE;
    }
    memcpy(&full, request, smaller(request->size, sizeof(full)));
    struct span method = span_of_text(full.method);
    *out = NULL;
    directives_read(full.fields, full.field_count, &asked);
    if (asked.no_cache || asked.no_store ||
        (!span_eq(method, SPAN("GET")) && !span_eq(method, SPAN("HEAD")))) {
        return DETOUR_OK;
    }
    lock(store);
    return unlock(store, find(store, &full, &asked, now_s, out));
}

void detour_hit_free(struct detour_hit **hit)
{
    free(*hit); /* the first member of what was allocated */
    *hit = NULL;
}

/* ---- looking after it ---- */

enum detour_error detour_store_forget(struct detour_store *store, struct detour_text url)
{
    struct url parsed;
    struct span key;
    if (store == NULL || url.ptr == NULL) {
        return DETOUR_ERROR_USAGE;
    }
    lock(store);
    enum detour_error error = key_of(store, span_of_text(url), &parsed, &key);
    return unlock(store, error == DETOUR_OK ? forget(store, key) : error);
}

enum detour_error detour_store_clear(struct detour_store *store)
{
    if (store == NULL) {
        return DETOUR_ERROR_USAGE;
    }
    lock(store);
    return unlock(store, store->keep->methods->clear(store->keep));
}

/* A record goes when all of its variants are over. What is damaged goes, too. */
static enum keep_answer sweep(void *context, struct span bytes)
{
    const int64_t *now_s = context;
    struct record record;
    if (!record_decode(bytes, &record)) {
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
    lock(store);
    return unlock(store, store->keep->methods->walk(store->keep, sweep, &now_s));
}

enum detour_error detour_store_count(struct detour_store *store, size_t *out)
{
    if (store == NULL || out == NULL) {
        return DETOUR_ERROR_USAGE;
    }
    lock(store);
    return unlock(store, store->keep->methods->count(store->keep, out));
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
    struct record record;
    if (!record_decode(bytes, &record)) {
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
    lock(store);
    enum detour_error error = unlock(store, store->keep->methods->walk(store->keep, show, &each));
    return error == DETOUR_OK && each.damaged ? DETOUR_ERROR_DAMAGED : error;
}
