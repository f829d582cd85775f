/* SPDX-License-Identifier: MIT */
/* The cors: map of a site (Fetch standard, 3.2). */
#include "config/rule.h"

#include "http/field.h"

enum cors_key {
    CORS_ORIGINS,
    CORS_METHODS,
    CORS_HEADERS,
    CORS_EXPOSE,
    CORS_CREDENTIALS,
    CORS_MAX_AGE,
    CORS_KEYS
};
static const char *const cors_keys[CORS_KEYS] = {"origins", "methods",     "headers",
                                                 "expose",  "credentials", "max_age"};

enum { joined_bytes_max = 4096 };

/* An origin is compared byte for byte with what browsers send: so it must be serialised as
 * they do it. */
static bool read_origin(struct load *load, const struct node *item, struct span *out)
{
    struct origin origin;
    struct span text;
    if (!read_string(load, item, &text)) {
        return false;
    }
    if (span_eq(text, SPAN("null"))) {
        *out = text;
        return true;
    }
    if (origin_of(text, load->scratch, &origin) != ERR_NONE) {
        return read_refuse(load, item, "an origin like https://app.example.com, or \"*\"");
    }
    struct span canonical =
        origin.port < 0
            ? load_printf(load, "%.*s://%.*s", SPAN_ARG(origin.scheme), SPAN_ARG(origin.host))
            : load_printf(load, "%.*s://%.*s:%d", SPAN_ARG(origin.scheme), SPAN_ARG(origin.host),
                          (int)origin.port);
    if (!span_eq(canonical, text)) {
        problems_error(load->problems, item->place,
                       "browsers send this origin as %.*s; write it so, without a path",
                       SHOW(canonical));
        return false;
    }
    *out = canonical;
    return true;
}

static bool read_origins(struct load *load, const struct node *node, struct model_cors *out)
{
    bool good = true;
    size_t count = 0;
    struct span *items = load_alloc(load, list_count(node), sizeof(*items));
    for (const struct node *item = list_first(node); item != NULL && items != NULL;
         item = list_next(node, item)) {
        if (node_is_word(item, "*")) {
            out->any_origin = true;
        } else if (read_origin(load, item, &items[count])) {
            count++;
        } else {
            good = false;
        }
    }
    out->origins = items;
    out->origin_count = count;
    return good && items != NULL;
}

/* Joins the tokens of a list as they will be sent: "GET, POST". */
static bool read_tokens(struct load *load, const struct node *node, struct span *out)
{
    char text[joined_bytes_max];
    struct buffer joined = buffer_over(text, sizeof(text));
    for (const struct node *item = list_first(node); item != NULL; item = list_next(node, item)) {
        if (item->kind != NODE_SCALAR || !token_valid(item->text)) {
            return read_refuse(load, item, "a name or a list of names");
        }
        if (joined.len > 0) {
            buffer_put(&joined, SPAN(", "));
        }
        buffer_put(&joined, item->text);
    }
    if (joined.full) {
        return read_refuse(load, node, "a shorter list");
    }
    *out = load_copy(load, buffer_span(&joined));
    return true;
}

static bool check_credentials(struct load *load, const struct node *const *at,
                              const struct model_cors *cors)
{
    static const struct {
        enum cors_key key;
        const char *name;
    } stars[] = {{CORS_METHODS, "methods"}, {CORS_HEADERS, "headers"}, {CORS_EXPOSE, "expose"}};
    if (!cors->credentials || at[CORS_CREDENTIALS] == NULL) {
        return true;
    }
    if (cors->any_origin) {
        problems_error(load->problems, at[CORS_CREDENTIALS]->key->place,
                       "browsers refuse `credentials` together with the origin \"*\"; list the "
                       "origins");
        return false;
    }
    for (size_t i = 0; i < sizeof(stars) / sizeof(stars[0]); i++) {
        const struct node *node = at[stars[i].key];
        if (node != NULL && node_is_word(list_first(node), "*")) {
            problems_error(load->problems, node->place,
                           "with `credentials` browsers take \"*\" in `%s` literally; list the "
                           "names",
                           stars[i].name);
            return false;
        }
    }
    return true;
}

bool read_cors(struct load *load, const struct node *node, struct model_cors *out)
{
    const struct node *at[CORS_KEYS];
    out->max_age_s = -1;
    if (!read_map(load, node, "`cors`", cors_keys, CORS_KEYS, at)) {
        return false;
    }
    if (list_count(at[CORS_ORIGINS]) == 0) {
        problems_error(load->problems, node->place,
                       "`cors` needs `origins`; add `origins: [https://app.example.com]` or \"*\"");
        return false;
    }
    bool good = read_origins(load, at[CORS_ORIGINS], out);
    good = (at[CORS_METHODS] == NULL || read_tokens(load, at[CORS_METHODS], &out->methods)) && good;
    good = (at[CORS_HEADERS] == NULL || read_tokens(load, at[CORS_HEADERS], &out->headers)) && good;
    good = (at[CORS_EXPOSE] == NULL || read_tokens(load, at[CORS_EXPOSE], &out->expose)) && good;
    if (at[CORS_CREDENTIALS] != NULL) {
        good = read_bool(load, at[CORS_CREDENTIALS], &out->credentials) && good;
    }
    if (at[CORS_MAX_AGE] != NULL) {
        good = read_duration_s(load, at[CORS_MAX_AGE], &out->max_age_s) && good;
    }
    out->enabled = good;
    return check_credentials(load, at, out) && good;
}
