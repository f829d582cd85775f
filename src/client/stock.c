/* SPDX-License-Identifier: MIT */
/* What a request is about: which URL, which variant of it (RFC 9111, 4 and 4.1). */
#include "client/stock.h"

#include "client/view.h"

bool stock_request_is_sound(const struct detour_request *request)
{
    return request != NULL && SIZE_IS_KNOWN(request, body) &&
           (request->fields != NULL || request->field_count == 0) &&
           request->field_count <= DETOUR_FIELDS_MAX;
}

enum detour_error stock_key(struct detour_store *store, struct span text, struct url *url,
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

struct span stock_value(struct arena *arena, const struct detour_request *request, struct span name,
                        bool *failed)
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

bool stock_fits(struct detour_store *store, const struct variant *variant,
                const struct detour_request *request, bool *failed)
{
    for (size_t i = 0; i < variant->asked.count; i++) {
        const struct memo_field *asked = &variant->asked.items[i];
        struct span value = stock_value(&store->arena, request, asked->name, failed);
        bool both = value.ptr != NULL && asked->value.ptr != NULL;
        bool neither = value.ptr == NULL && asked->value.ptr == NULL;
        if (!neither && !(both && span_eq(value, asked->value))) {
            return false;
        }
    }
    return true;
}

enum detour_error stock_find(struct detour_store *store, struct span key, struct memo *out,
                             bool *found)
{
    struct buffer bytes = buffer_over(store->old, sizeof(store->old));
    enum detour_error error = store->keep->methods->find(store->keep, key, &bytes, found);
    if (error != DETOUR_OK || !*found) {
        return error;
    }
    if (bytes.full || !memo_decode(buffer_span(&bytes), out)) {
        return DETOUR_ERROR_DAMAGED;
    }
    *found = span_eq(out->url, key); /* or another URL has the same hash */
    return DETOUR_OK;
}

enum detour_error stock_forget(struct detour_store *store, struct span key)
{
    return store->keep->methods->remove(store->keep, key);
}
