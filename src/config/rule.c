/* SPDX-License-Identifier: MIT */
/* A whole rule: what routes, detours and defaults have in common. */
#include "config/rule.h"

#include "http/method.h"

const char *const rule_keys[DETOUR_KEYS] = {
    [KEY_NAME] = "name",       [KEY_HOST] = "host",
    [KEY_PATH] = "path",       [KEY_PREFIX] = "path_prefix",
    [KEY_METHODS] = "methods", [KEY_COOKIES] = "cookies",
    [KEY_CLIENTS] = "clients", [KEY_WHEN] = "when",
    [KEY_SHARE] = "share",     [KEY_REST] = "rest",
    [KEY_TO] = "to",           [KEY_POOL] = "pool",
    [KEY_PAGE] = "page",       [KEY_ORIGIN] = "origin",
    [KEY_RESPOND] = "respond", [KEY_STATUS] = "status",
    [KEY_QUERY] = "query",     [KEY_MAX_AGE] = "max_age",
    [KEY_NOTE] = "note",       [KEY_HEADERS] = "headers",
    [KEY_LABELS] = "labels",   [KEY_RETRY_AFTER] = "retry_after",
    [KEY_SITE] = "site",       [KEY_FROM] = "from",
    [KEY_UNTIL] = "until",     [KEY_FOR] = "for",
    [KEY_REPEAT] = "repeat",   [KEY_ZONE] = "zone",
    [KEY_RAMP] = "ramp",       [KEY_RETURN_OVER] = "return_over",
    [KEY_AT_END] = "at_end",   [KEY_BYPASS] = "bypass",
    [KEY_EXCEPT] = "except",   [KEY_REASON] = "reason",
    [KEY_OWNER] = "owner",     [KEY_UNTIL_HEALTHY] = "until_healthy",
};

static const char *const default_keys[ROUTE_KEYS] = {
    [KEY_TO] = "to",           [KEY_POOL] = "pool",       [KEY_PAGE] = "page",
    [KEY_ORIGIN] = "origin",   [KEY_RESPOND] = "respond", [KEY_STATUS] = "status",
    [KEY_QUERY] = "query",     [KEY_MAX_AGE] = "max_age", [KEY_NOTE] = "note",
    [KEY_HEADERS] = "headers", [KEY_LABELS] = "labels",   [KEY_RETRY_AFTER] = "retry_after",
};

static const char *const rest_keys[ROUTE_KEYS] = {
    [KEY_TO] = "to",
    [KEY_POOL] = "pool",
    [KEY_PAGE] = "page",
    [KEY_ORIGIN] = "origin",
    [KEY_RESPOND] = "respond",
    [KEY_STATUS] = "status",
    [KEY_RETRY_AFTER] = "retry_after",
};

enum { permanent_max_age_s = 3600 };

/* ---- what matches ---- */

static bool read_paths(struct load *load, const struct node *const *at, struct model_rule *rule)
{
    bool good = true;
    if (at[KEY_PATH] != NULL && at[KEY_PREFIX] != NULL) {
        problems_error(load->problems, at[KEY_PREFIX]->key->place,
                       "`path` and `path_prefix` exclude each other; keep one of them");
        good = false;
    }
    if (at[KEY_PATH] != NULL) {
        good = read_pattern(load, at[KEY_PATH], PATTERN_PATH, &rule->path) && good;
        if (rule->path != NULL) {
            rule->path_source = load_copy(load, at[KEY_PATH]->text);
        }
    }
    if (at[KEY_PREFIX] != NULL) {
        good = read_prefix(load, at[KEY_PREFIX], &rule->prefix) && good;
    }
    if (at[KEY_HOST] != NULL) {
        good = read_pattern(load, at[KEY_HOST], PATTERN_HOST, &rule->host) && good;
        if (rule->host != NULL) {
            rule->host_source = load_copy(load, at[KEY_HOST]->text);
        }
    }
    return good;
}

/* ---- share and rest ---- */

static bool read_rest(struct load *load, const struct node *node, struct scope *scope,
                      struct model_action *out)
{
    uint64_t status;
    *out = (struct model_action){.kind = ACTION_NEXT, .retry_after_s = -1};
    if (node == NULL || node_is_word(node, "next")) {
        return true;
    }
    if (node->kind == NODE_MAP) {
        struct scope of_rest = *scope;
        of_rest.rest = true;
        return read_action_map(load, node, "`rest`", rest_keys,
                               "fields for the rest alone are not possible; put `headers` into "
                               "the rule",
                               &of_rest, out);
    }
    bool plain_status = node->kind == NODE_SCALAR && span_decimal(node->text, 599, &status) &&
                        status >= 200 && (status < 300 || status >= 400);
    if (!plain_status) {
        return read_refuse(load, node, "`next`, a status like 503, or a map like `{to: URL}`");
    }
    out->kind = ACTION_RESPOND;
    out->status = (uint16_t)status;
    out->place = node->place;
    return true;
}

static bool read_share(struct load *load, const struct node *const *at, struct scope *scope,
                       struct model_rule *rule)
{
    bool good = at[KEY_SHARE] == NULL || read_percent_ppm(load, at[KEY_SHARE], &rule->share_ppm);
    if (at[KEY_REST] != NULL && at[KEY_SHARE] == NULL) {
        problems_error(
            load->problems, at[KEY_REST]->key->place,
            "`rest` says what the others get, but there is no `share`; add `share: 50%%` "
            "or take `rest` away");
        good = false;
    }
    return read_rest(load, at[KEY_REST], scope, &rule->rest) && good;
}

/* ---- the options of an answer ---- */

static bool is_permanent(uint16_t status)
{
    return status == 301 || status == 308;
}

static bool is_redirect(enum action_kind kind)
{
    return kind == ACTION_TO || kind == ACTION_POOL || kind == ACTION_PAGE || kind == ACTION_WAIT;
}

static bool read_max_age(struct load *load, const struct node *node, struct model_rule *rule)
{
    if (node == NULL) {
        bool guarded = is_redirect(rule->action.kind) && is_permanent(rule->action.status);
        rule->max_age_s = guarded ? permanent_max_age_s : -1;
        return true;
    }
    if (rule->action.kind == ACTION_POOL) {
        problems_warning(load->problems, node->key->place,
                         "`max_age` with a pool: a client would go back to a server that has died "
                         "meanwhile; take it away");
    }
    if (rule->action.kind == ACTION_WAIT) {
        problems_error(load->problems, node->key->place,
                       "`max_age` with a page of `pages`: a cache that still sends readers to "
                       "it when they are taken back would send them round in circles; take it "
                       "away");
        return false;
    }
    return read_duration_s(load, node, &rule->max_age_s);
}

static bool read_query(struct load *load, const struct node *node, struct model_rule *rule)
{
    if (node == NULL || node->kind == NODE_MAP) {
        return true; /* a map is a condition */
    }
    if (!node_is_word(node, "keep") && !node_is_word(node, "drop")) {
        return read_refuse(load, node,
                           "keep or drop; a condition on parameters is a map like `lang: de`");
    }
    rule->query_keep = node_is_word(node, "keep");
    return true;
}

static bool safe_methods_only(const struct model_conditions *conditions)
{
    uint32_t safe = UINT32_C(1) << METHOD_GET | UINT32_C(1) << METHOD_HEAD |
                    UINT32_C(1) << METHOD_OPTIONS | UINT32_C(1) << METHOD_TRACE;
    return conditions->methods != 0 && (conditions->methods & ~safe) == 0;
}

static void warn_of_lost_bodies(struct load *load, const struct node *const *at,
                                const struct model_rule *rule)
{
    if (at[KEY_STATUS] == NULL || !is_redirect(rule->action.kind) ||
        rule->action.kind == ACTION_PAGE || rule->action.kind == ACTION_WAIT ||
        safe_methods_only(&rule->conditions)) {
        return;
    }
    uint16_t status = rule->action.status;
    if (status == 301 || status == 302) {
        problems_warning(load->problems, at[KEY_STATUS]->key->place,
                         "with %u a POST becomes a GET and its body is lost; write %u, or limit "
                         "the rule with `methods: [GET, HEAD]`",
                         status, status == 301 ? 308 : 307);
    }
}

static bool read_options(struct load *load, const struct node *const *at,
                         const struct node *respond_headers, struct model_rule *rule)
{
    bool good = at[KEY_NOTE] == NULL || read_bool(load, at[KEY_NOTE], &rule->note);
    good = read_query(load, at[KEY_QUERY], rule) && good;
    good = read_max_age(load, at[KEY_MAX_AGE], rule) && good;
    good = read_fields(load, at[KEY_HEADERS], respond_headers, rule) && good;
    warn_of_lost_bodies(load, at, rule);
    return good;
}

static void rule_defaults(struct model_rule *rule, struct place place)
{
    rule->place = place;
    rule->share_ppm = share_ppm_full;
    rule->query_keep = true;
    rule->note = true;
    rule->max_age_s = -1;
    rule->rest.kind = ACTION_NEXT;
    rule->rest.retry_after_s = -1;
    rule->action.retry_after_s = -1;
}

static bool read_scope_labels(struct load *load, const struct node *node, struct scope *scope,
                              struct model_rule *rule)
{
    bool good = node == NULL || read_labels(load, node, &rule->labels, &rule->label_count);
    scope->labels = rule->labels;
    scope->label_count = rule->label_count;
    return good;
}

bool read_rule(struct load *load, const struct node *node, const struct node *const *at,
               struct scope *scope, struct model_rule *rule)
{
    const struct node *headers = NULL;
    rule_defaults(rule, node->place);
    bool good = read_paths(load, at, rule);
    bool matched = good;
    scope->path = rule->path;
    scope->host = rule->host;
    good = read_conditions(load, at, &rule->conditions) && good;
    good = read_scope_labels(load, at[KEY_LABELS], scope, rule) && good;
    /* Without its pattern a rule's variables would all be reported as unknown. */
    if (!matched && (at[KEY_TO] != NULL || at[KEY_REST] != NULL)) {
        return false;
    }
    good = read_action(load, at, node->place, scope, &rule->action, &headers) && good;
    good = read_share(load, at, scope, rule) && good;
    return read_options(load, at, headers, rule) && good;
}

/* ---- default ---- */

static bool read_default_map(struct load *load, const struct node *node, struct scope *scope,
                             struct model_rule *rule)
{
    const struct node *headers = NULL;
    const struct node *at[ROUTE_KEYS];
    if (!read_map(load, node, "`default`", default_keys, ROUTE_KEYS, at)) {
        return false;
    }
    bool good = read_scope_labels(load, at[KEY_LABELS], scope, rule);
    good = read_action_or_status(load, at, node->place, scope, &rule->action, &headers) && good;
    return read_options(load, at, headers, rule) && good;
}

static bool read_default_node(struct load *load, const struct node *node, struct scope *scope,
                              struct model_rule *rule)
{
    rule_defaults(rule, node != NULL ? node->place : scope->site->place);
    rule->action.place = rule->place;
    if (node == NULL) {
        rule->action.kind = ACTION_RESPOND;
        rule->action.status = 404;
        return true;
    }
    if (node_is_word(node, "pass")) {
        rule->action.kind = ACTION_PASS;
        rule->action.status = 204;
        return true;
    }
    if (node->kind != NODE_MAP) {
        return read_refuse(load, node, "`pass`, or a map like {status: 404} or {to: URL}");
    }
    return read_default_map(load, node, scope, rule);
}

/* One with a mistake is no RULE_DEFAULT, so that the search for loops does not follow it. */
bool read_default(struct load *load, const struct node *node, struct scope *scope,
                  struct model_rule *rule)
{
    bool good = read_default_node(load, node, scope, rule);
    rule->kind = good ? RULE_DEFAULT : RULE_ROUTE;
    return good;
}

size_t model_literal_bytes(const struct model_rule *rule)
{
    struct span text;
    size_t bytes = 0;
    if (rule->path == NULL) {
        return rule->prefix.len;
    }
    for (size_t i = 0; pattern_segment(rule->path, i, &text) == SEGMENT_LITERAL; i++) {
        bytes += 1 + text.len;
    }
    return bytes;
}
