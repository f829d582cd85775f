/* SPDX-License-Identifier: MIT */
/* What a rule does: to, pool, page, origin or respond, and the fields that it adds. */
#include "config/rule.h"

#include "http/field.h"
#include "http/status.h"

static const enum rule_key action_keys[] = {KEY_TO, KEY_POOL, KEY_PAGE, KEY_ORIGIN, KEY_RESPOND};
static const char *const action_names[] = {"to", "pool", "page", "origin", "respond"};
enum { action_key_count = 5, body_bytes_max = 1 << 20 };

/* ---- status of a redirect ---- */

static bool status_fits(struct load *load, const struct node *node, uint64_t status,
                        const struct scope *scope, bool page)
{
    bool permanent = status == 301 || status == 308;
    if (permanent && scope->detour) {
        problems_error(load->problems, node->place,
                       "a detour is temporary and cannot be a %u; leave `status` out for 307, or "
                       "write a route",
                       (unsigned)status);
        return false;
    }
    if (permanent && (scope->rest || scope->fallback || page)) {
        problems_error(load->problems, node->place,
                       "%s cannot be permanent; write 307, 302 or 303 instead of %u",
                       page          ? "a page"
                       : scope->rest ? "the rest of a share"
                                     : "a fallback",
                       (unsigned)status);
        return false;
    }
    return true;
}

static bool read_redirect_status(struct load *load, const struct node *node,
                                 const struct scope *scope, bool page, uint16_t *out)
{
    uint64_t status = 307;
    if (node != NULL) {
        if (node->kind != NODE_SCALAR || !span_decimal(node->text, 999, &status) ||
            !status_redirects((uint16_t)status)) {
            return read_refuse(load, node,
                               "the status of a redirect: 307 (the default), 308, 303, 302 or 301");
        }
        if (!status_fits(load, node, status, scope, page)) {
            return false;
        }
    }
    *out = (uint16_t)status;
    return true;
}

/* ---- respond ---- */

enum respond_key { RESPOND_STATUS, RESPOND_BODY, RESPOND_HEADERS, RESPOND_TYPE, RESPOND_KEYS };
static const char *const respond_keys[RESPOND_KEYS] = {"status", "body", "headers", "content_type"};

static bool read_response_status(struct load *load, const struct node *node, uint16_t *out)
{
    uint64_t status;
    if (!read_integer(load, node, 200, 599, &status)) {
        return false;
    }
    if (status >= 300 && status < 400) {
        problems_error(load->problems, node->place,
                       "%u is no status of an answer of its own; a redirect is written `to: URL`, "
                       "with `status: 307` (the default), 308, 303, 302 or 301",
                       (unsigned)status);
        return false;
    }
    *out = (uint16_t)status;
    return true;
}

static const struct node *content_type_in(const struct node *headers)
{
    if (!node_is(headers, NODE_MAP)) {
        return NULL;
    }
    for (const struct node *item = headers->first; item != NULL; item = item->next) {
        if (span_eq_ci(item->key->text, SPAN("Content-Type"))) {
            return item;
        }
    }
    return NULL;
}

static bool read_content_type(struct load *load, const struct node *node, struct span *out)
{
    struct span type;
    if (node == NULL) {
        *out = SPAN("text/plain; charset=utf-8");
        return true;
    }
    if (!read_string(load, node, &type)) {
        return false;
    }
    if (!field_value_valid(type)) {
        return read_refuse(load, node, "a media type like text/html; charset=utf-8");
    }
    *out = type;
    return true;
}

static bool read_respond(struct load *load, const struct node *node, struct model_action *out,
                         const struct node **headers)
{
    const struct node *at[RESPOND_KEYS];
    if (!read_map(load, node, "`respond`", respond_keys, RESPOND_KEYS, at)) {
        return false;
    }
    out->kind = ACTION_RESPOND;
    out->status = 200;
    bool good =
        at[RESPOND_STATUS] == NULL || read_response_status(load, at[RESPOND_STATUS], &out->status);
    const struct node *type =
        at[RESPOND_TYPE] != NULL ? at[RESPOND_TYPE] : content_type_in(at[RESPOND_HEADERS]);
    if (at[RESPOND_BODY] != NULL) {
        good = read_text(load, at[RESPOND_BODY], &out->body) && good;
        if (out->body.len > body_bytes_max) {
            good = read_refuse(load, at[RESPOND_BODY], "a body of at most 1 MiB");
        }
    }
    if (at[RESPOND_BODY] != NULL && out->body.len > 0 && !status_has_content(out->status)) {
        problems_error(load->problems, at[RESPOND_BODY]->place,
                       "a response with status %u has no body; take `body` away", out->status);
        good = false;
    }
    if (at[RESPOND_BODY] != NULL || type != NULL) {
        good = read_content_type(load, type, &out->content_type) && good;
    }
    *headers = at[RESPOND_HEADERS];
    return good;
}

/* ---- pool ---- */

static bool read_pool_name(struct load *load, const struct node *node, struct model_action *out)
{
    struct span name;
    uint32_t index;
    if (!read_string(load, node, &name)) {
        return false;
    }
    if (!names_find(&load->pool_names, name, &index)) {
        struct span *names = load_scratch(load, load->pool_count, sizeof(*names));
        for (size_t i = 0; names != NULL && i < load->pool_count; i++) {
            names[i] = load->pools[i].name;
        }
        const char *hint = names != NULL ? load_hint(load, name, names, load->pool_count) : "";
        problems_error(load->problems, node->place, "there is no pool `%.*s`%s", SHOW(name),
                       hint[0] != 0 ? hint : "; declare it under `pools:`");
        return false;
    }
    out->pool = index;
    out->pool_strip = load->pools[index].strip;
    return true;
}

/* ---- one action ---- */

static bool has_action(const struct node *const *at)
{
    for (size_t i = 0; i < action_key_count; i++) {
        if (at[action_keys[i]] != NULL) {
            return true;
        }
    }
    return false;
}

/* The index into action_keys; action_key_count when there is not exactly one. */
static size_t choose_action(struct load *load, const struct node *const *at, struct place place,
                            const struct scope *scope)
{
    size_t chosen = action_key_count;
    for (size_t i = 0; i < action_key_count; i++) {
        if (at[action_keys[i]] == NULL) {
            continue;
        }
        if (chosen != action_key_count) {
            problems_error(load->problems, at[action_keys[i]]->key->place,
                           "`%s` and `%s` exclude each other; keep one of them",
                           action_names[chosen], action_names[i]);
            return action_key_count;
        }
        chosen = i;
    }
    if (chosen == action_key_count) {
        problems_error(load->problems, place, "%s",
                       scope->fallback
                           ? "a fallback says what clients get; add one of `status`, `to`, `page` "
                             "or `respond`, or write `fallback: all`"
                           : "it says what matches, but not where to go; add one of `to`, "
                             "`pool`, `page`, `origin` or `respond`");
    }
    return chosen;
}

static bool read_retry_after(struct load *load, const struct node *node, struct model_action *out)
{
    if (node == NULL) {
        return true;
    }
    if (out->kind != ACTION_PAGE && out->kind != ACTION_WAIT && out->kind != ACTION_RESPOND) {
        problems_error(load->problems, node->key->place,
                       "`retry_after` on a redirect would make clients wait before they follow it "
                       "(RFC 9110, 10.2.3); it belongs to `page` and `respond`");
        return false;
    }
    return read_duration_s(load, node, &out->retry_after_s);
}

/* Its answer is its own. */
static bool leaves_answer(struct load *load, const struct node *const *at)
{
    static const enum rule_key keys[] = {KEY_STATUS,  KEY_MAX_AGE, KEY_NOTE,
                                         KEY_HEADERS, KEY_LABELS,  KEY_RETRY_AFTER};
    bool good = true;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct node *node = at[keys[i]];
        if (node != NULL) {
            problems_error(load->problems, node->key->place,
                           "`%s` does nothing with `origin`, whose answer goes to the client as "
                           "it is; take it away",
                           rule_keys[keys[i]]);
            good = false;
        }
    }
    const struct node *query = at[KEY_QUERY];
    if (query != NULL && query->kind == NODE_SCALAR && !node_is_word(query, "keep")) {
        problems_error(load->problems, query->key->place,
                       "an `origin` gets the query as it was sent; take `query` away");
        good = false;
    }
    return good;
}

static bool read_chosen(struct load *load, size_t chosen, const struct node *const *at,
                        const struct scope *scope, struct model_action *out,
                        const struct node **headers)
{
    const struct node *node = at[action_keys[chosen]];
    bool origin = action_keys[chosen] == KEY_ORIGIN;
    bool redirect = action_keys[chosen] != KEY_RESPOND && !origin;
    bool good = true;
    out->place = node->key->place;
    if (origin) {
        good = leaves_answer(load, at);
    } else if (redirect) {
        good = read_redirect_status(load, at[KEY_STATUS], scope, action_keys[chosen] == KEY_PAGE,
                                    &out->status);
    } else if (at[KEY_STATUS] != NULL) {
        problems_error(load->problems, at[KEY_STATUS]->key->place,
                       "the status of a response stands in `respond: {status: …}`");
        good = false;
    }
    switch (action_keys[chosen]) {
    case KEY_TO:
        out->kind = ACTION_TO;
        return read_target(load, node, scope, &out->to) && good;
    case KEY_PAGE:
        return read_page(load, node, out) && good;
    case KEY_POOL:
        out->kind = ACTION_POOL;
        return read_pool_name(load, node, out) && good;
    case KEY_ORIGIN:
        out->kind = ACTION_ORIGIN;
        return read_passed_origin(load, node, scope, &out->origin) && good;
    default:
        return read_respond(load, node, out, headers) && good;
    }
}

bool read_action(struct load *load, const struct node *const *at, struct place place,
                 const struct scope *scope, struct model_action *out, const struct node **headers)
{
    *out = (struct model_action){.place = place, .retry_after_s = -1};
    size_t chosen = choose_action(load, at, place, scope);
    if (chosen == action_key_count) {
        return false;
    }
    bool good = read_chosen(load, chosen, at, scope, out, headers);
    if (action_keys[chosen] == KEY_ORIGIN) {
        return good;
    }
    return read_retry_after(load, at[KEY_RETRY_AFTER], out) && good;
}

bool read_action_or_status(struct load *load, const struct node *const *at, struct place place,
                           const struct scope *scope, struct model_action *out,
                           const struct node **headers)
{
    if (has_action(at) || at[KEY_STATUS] == NULL) {
        return read_action(load, at, place, scope, out, headers);
    }
    *out = (struct model_action){.kind = ACTION_RESPOND, .place = place, .retry_after_s = -1};
    return read_response_status(load, at[KEY_STATUS], &out->status) &&
           read_retry_after(load, at[KEY_RETRY_AFTER], out);
}

bool read_action_map(struct load *load, const struct node *node, const char *what,
                     const char *const *keys, const char *no_headers, const struct scope *scope,
                     struct model_action *out)
{
    const struct node *at[ROUTE_KEYS];
    const struct node *headers = NULL;
    if (!read_map(load, node, what, keys, ROUTE_KEYS, at)) {
        return false;
    }
    bool good = read_action_or_status(load, at, node->place, scope, out, &headers);
    if (headers != NULL) {
        problems_error(load->problems, headers->key->place, "%s", no_headers);
        return false;
    }
    return good;
}

/* ---- header fields to add ---- */

static const char *const refused_fields[] = {"Location", "Content-Length", "Date"};

/* RFC 9110, 7.6.1; most of them are errors in HTTP/2 (RFC 9113, 8.2.2). No answer has trailers
 * that Trailer could announce. */
static const char *const hop_fields[] = {"Connection", "Keep-Alive", "Proxy-Connection",
                                         "TE",         "Trailer",    "Transfer-Encoding",
                                         "Upgrade"};

static const char *const request_fields[] = {"User-Agent",       "Accept",          "Cookie",
                                             "Authorization",    "Referer",         "Host",
                                             "X-Requested-With", "Accept-Language", "Origin"};

static bool is_one_of(struct span name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_eq_ci(name, span_cstr(list[i]))) {
            return true;
        }
    }
    return false;
}

static bool field_name_fits(struct load *load, const struct node *key)
{
    if (!token_valid(key->text)) {
        problems_error(load->problems, key->place,
                       "\"%.*s\" is no name of a header field; letters, digits and '-' are",
                       SHOW(key->text));
        return false;
    }
    if (is_one_of(key->text, refused_fields, sizeof(refused_fields) / sizeof(char *))) {
        problems_error(load->problems, key->place,
                       "the field %.*s is written by Detour itself; take it away", SHOW(key->text));
        return false;
    }
    if (is_one_of(key->text, hop_fields, sizeof(hop_fields) / sizeof(char *))) {
        problems_error(load->problems, key->place,
                       "the field %.*s is about one connection (RFC 9110, 7.6.1), not about an "
                       "answer; take it away",
                       SHOW(key->text));
        return false;
    }
    return true;
}

static void warn_of_field(struct load *load, const struct node *key, const struct model_rule *rule)
{
    if (is_one_of(key->text, request_fields, sizeof(request_fields) / sizeof(char *))) {
        problems_warning(load->problems, key->place,
                         "`headers` of a rule are added to its answer, and %.*s belongs to "
                         "requests; a condition on request fields stands under `when:`",
                         SHOW(key->text));
    }
    bool caching =
        span_eq_ci(key->text, SPAN("Cache-Control")) || span_eq_ci(key->text, SPAN("Expires"));
    if (caching && rule->action.kind != ACTION_RESPOND) {
        problems_warning(load->problems, key->place,
                         "%.*s is not clipped to the end of a detour; `max_age` is",
                         SHOW(key->text));
    }
}

/* `public` makes a 307 storable, and a cache may then invent its lifetime (RFC 9111, 4.2.2). */
static bool is_public_without_lifetime(struct span value)
{
    bool is_public = false, lifetime = false;
    struct span directive;
    while (field_list_next(&value, &directive)) {
        struct span name = span_trim(span_slice(directive, 0, span_find(directive, 0, '=')));
        is_public |= span_eq_ci(name, SPAN("public"));
        lifetime |= span_eq_ci(name, SPAN("max-age")) || span_eq_ci(name, SPAN("s-maxage"));
    }
    return is_public && !lifetime;
}

static bool field_is_cacheable_safely(struct load *load, const struct node *item,
                                      const struct model_rule *rule)
{
    if (rule->action.kind == ACTION_RESPOND ||
        !span_eq_ci(item->key->text, SPAN("Cache-Control")) ||
        !is_public_without_lifetime(item->text)) {
        return true;
    }
    problems_error(load->problems, item->place,
                   "with `public` and no lifetime a cache may keep a redirect for as long as it "
                   "likes (RFC 9111, 4.2.2); write `max_age` instead");
    return false;
}

enum { field_value_bytes_max = 4096, field_bytes_all_max = 8192 };

static bool read_field(struct load *load, const struct node *item, struct model_rule *rule,
                       struct field *out)
{
    if (!field_name_fits(load, item->key)) {
        return false;
    }
    warn_of_field(load, item->key, rule);
    if (!read_text(load, item, &out->value) || !field_is_cacheable_safely(load, item, rule)) {
        return false;
    }
    out->value = span_trim(out->value);
    if (!field_value_valid(out->value) || out->value.len > field_value_bytes_max) {
        return read_refuse(load, item,
                           "the value of a header field: one line without control characters, at "
                           "most 4096 bytes");
    }
    out->name = load_copy(load, item->key->text);
    return true;
}

static bool add_fields(struct load *load, const struct node *map, bool respond,
                       struct model_rule *rule, struct field *fields)
{
    bool good = true;
    size_t bytes = 0;
    if (map == NULL) {
        return true;
    }
    if (map->kind != NODE_MAP) {
        return read_refuse(load, map, "a map like `Strict-Transport-Security: max-age=3600`");
    }
    for (const struct node *item = map->first; item != NULL; item = item->next) {
        bool type = span_eq_ci(item->key->text, SPAN("Content-Type"));
        if (type && respond) {
            continue; /* read as the content type */
        }
        if (type) {
            problems_error(load->problems, item->key->place,
                           "Content-Type belongs to an answer's body; write `respond: "
                           "{content_type: …}`");
            good = false;
        } else if (rule->header_count == rule_headers_max) {
            return read_refuse(load, map, "at most 16 fields");
        } else if (read_field(load, item, rule, &fields[rule->header_count])) {
            bytes += fields[rule->header_count].name.len + fields[rule->header_count].value.len;
            rule->header_count++;
        } else {
            good = false;
        }
    }
    return good && (bytes <= field_bytes_all_max ||
                    read_refuse(load, map, "at most 8192 bytes of fields together"));
}

bool read_fields(struct load *load, const struct node *headers, const struct node *more,
                 struct model_rule *rule)
{
    if (headers == NULL && more == NULL) {
        return true;
    }
    struct field *fields = load_alloc(load, rule_headers_max, sizeof(*fields));
    if (fields == NULL) {
        return false;
    }
    rule->headers = fields;
    bool good = add_fields(load, headers, false, rule, fields);
    return add_fields(load, more, true, rule, fields) && good;
}
