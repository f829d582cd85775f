/* SPDX-License-Identifier: MIT */
/* URLs for the library's users. */
#include "client/view.h"

#include <stdlib.h>

static enum detour_error copy_out(const struct url *url, struct detour_url **out)
{
    size_t bytes = view_bytes(url);
    struct detour_url *view = malloc(sizeof(*view) + bytes);
    if (view == NULL) {
        return DETOUR_ERROR_MEMORY;
    }
    view_fill(url, (uint8_t *)(view + 1), view);
    if (view->href.len > DETOUR_URL_BYTES_MAX) {
        free(view);
        return DETOUR_ERROR_LIMIT;
    }
    *out = view;
    return DETOUR_OK;
}

static enum detour_error resolve(struct detour_text text, const struct detour_url *base,
                                 struct arena *arena, struct detour_url **out)
{
    struct url base_url;
    struct url url;
    enum err err = ERR_NONE;
    if (base != NULL) {
        err = url_parse(span_of_text(base->href), NULL, arena, &base_url);
    }
    if (err == ERR_NONE) {
        err = url_parse(span_of_text(text), base != NULL ? &base_url : NULL, arena, &url);
    }
    if (err != ERR_NONE) {
        return err == ERR_MEMORY ? DETOUR_ERROR_MEMORY : DETOUR_ERROR_SYNTAX;
    }
    return copy_out(&url, out);
}

enum detour_error detour_url_new(struct detour_text text, const struct detour_url *base,
                                 struct detour_url **out)
{
    if (text.ptr == NULL || out == NULL) {
        return DETOUR_ERROR_USAGE;
    }
    if (text.len > DETOUR_URL_BYTES_MAX) {
        return DETOUR_ERROR_LIMIT;
    }
    struct arena arena;
    arena_init(&arena, 0);
    enum detour_error error = resolve(text, base, &arena, out);
    arena_fini(&arena);
    return error;
}

void detour_url_free(struct detour_url **url)
{
    free(*url);
    *url = NULL;
}

bool detour_url_same_origin(const struct detour_url *a, const struct detour_url *b)
{
    struct span origin = span_of_text(a->origin);
    return !span_eq(origin, SPAN("null")) && span_eq(origin, span_of_text(b->origin));
}
