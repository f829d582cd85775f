/* SPDX-License-Identifier: MIT */
/* What a store has for a request (RFC 9111, 4). */
#include "client/stock.h"

#include "client/freshness.h"

#include <stdio.h>
#include <stdlib.h>

/* What is given out, in one piece of memory with its texts. */
struct hit {
    struct detour_hit hit;
    struct detour_answer answer;
    struct detour_field fields[memo_fields_max + 1]; /* with Age */
    char age[24];
    uint8_t bytes[];
};

static int64_t age_now(const struct variant *variant, int64_t now_s)
{
    int64_t resident_s = now_s - variant->stored_s;
    return variant->age_s + (resident_s > 0 ? resident_s : 0);
}

/* A clock that was set back would make what it was told for a minute last until that minute comes
 * again. */
static bool is_of_the_past(const struct variant *variant, int64_t now_s)
{
    return variant->stored_s <= now_s || variant->fresh_until_s == INT64_MAX;
}

/* RFC 9111, 5.2.1: what the request asks of a stored answer. */
static bool is_wanted(const struct variant *variant, const struct directives *asked, int64_t now_s)
{
    bool young = !asked->max_age.present || age_now(variant, now_s) <= asked->max_age.value;
    bool lasts =
        !asked->min_fresh.present || variant->fresh_until_s - now_s >= asked->min_fresh.value;
    return variant->fresh_until_s > now_s && is_of_the_past(variant, now_s) && young && lasts;
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
    const struct memo_fields *fields = &variant->answer;
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
    struct memo record;
    struct span key;
    struct url url;
    bool failed = false;
    bool found = false;
    enum detour_error error = stock_key(store, span_of_text(request->url), &url, &key);
    if (error == DETOUR_OK) {
        error = stock_find(store, key, &record, &found);
    }
    if (error != DETOUR_OK || !found) {
        return error;
    }
    for (size_t i = record.count; i > 0; i--) { /* the newest that fits (RFC 9111, 4) */
        const struct variant *variant = &record.variants[i - 1];
        if (stock_fits(store, variant, request, &failed) && !failed) {
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
    if (store == NULL || out == NULL || !stock_request_is_sound(request) || now_s <= 0 ||
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
    store_lock(store);
    return store_unlock(store, find(store, &full, &asked, now_s, out));
}

void detour_hit_free(struct detour_hit **hit)
{
    free(*hit); /* the first member of what was allocated */
    *hit = NULL;
}
