/* SPDX-License-Identifier: MIT */
/* Sample requests, matched and redirected with the functions that a worker uses. */
#include "config/hop.h"

#include "uri/url.h"

enum { sample_bytes_max = 2048, step_of_regex = 100 };

/* ---- matching ---- */

static bool spend(struct search *search, size_t steps)
{
    if (search->steps_left < steps) {
        search->steps_left = 0;
        return false;
    }
    search->steps_left -= steps;
    return true;
}

static enum match match_pattern(struct search *search, const struct pattern *pattern,
                                struct span subject, struct pattern_groups *groups)
{
    struct regex *regex = NULL;
    const char *reason;
    struct regex_budget budget = {.steps = regex_steps_per_request};
    struct span source = pattern_regex(pattern);
    if (!spend(search, source.len > 0 ? step_of_regex : 1)) {
        return MATCH_LIMIT;
    }
    if (source.len > 0 && regex_compile(source, &regex, &reason) != ERR_NONE) {
        return MATCH_LIMIT;
    }
    enum match match = pattern_match(pattern, regex, subject, &budget, groups);
    regex_free(&regex);
    return match;
}

static bool prefix_matches(struct span prefix, struct span path)
{
    return span_starts(path, prefix) && (path.len == prefix.len || path.ptr[prefix.len] == '/');
}

enum match hop_match(struct search *search, const struct model_rule *rule, struct span host,
                     struct span path, struct found *found)
{
    *found = (struct found){0};
    if (!spend(search, 1)) {
        return MATCH_LIMIT;
    }
    if (rule->path == NULL && !prefix_matches(rule->prefix, path)) {
        return MATCH_NO;
    }
    enum match match =
        rule->path == NULL ? MATCH_YES : match_pattern(search, rule->path, path, &found->path);
    if (match == MATCH_YES && rule->host != NULL) {
        match = match_pattern(search, rule->host, host, &found->host);
    }
    return match;
}

bool hop_is_excepted(struct search *search, const struct model_detour *detour, struct span path)
{
    struct pattern_groups groups;
    for (size_t i = 0; i < detour->except_count; i++) {
        if (match_pattern(search, detour->except[i], path, &groups) != MATCH_NO) {
            return true;
        }
    }
    return false;
}

/* ---- a sample request for a rule ---- */

static bool sample_of_pattern(const struct pattern *pattern, struct span source, struct buffer *out)
{
    for (size_t i = 0; i < sample_bytes_max; i++) {
        struct span text;
        switch (pattern_segment(pattern, i, &text)) {
        case SEGMENT_END:
            if (i == 0) {
                buffer_byte(out, '/');
            }
            return !out->full;
        case SEGMENT_LITERAL:
            buffer_byte(out, '/');
            buffer_put(out, text);
            break;
        case SEGMENT_ANY:
            buffer_put(out, SPAN("/sample"));
            break;
        case SEGMENT_REST:
            /* A guess; whether it matches is tried. */
            buffer_put(out, span_ends(source, SPAN("*")) ? SPAN("/sample") : SPAN(""));
            return !out->full;
        }
    }
    return false;
}

bool hop_sample_path(struct walk *walk, const struct model_rule *rule, struct span *out)
{
    uint8_t text[sample_bytes_max];
    struct buffer sample = buffer_over(text, sizeof(text));
    if (rule->path != NULL) {
        if (!sample_of_pattern(rule->path, rule->path_source, &sample)) {
            return false;
        }
    } else {
        buffer_put(&sample, rule->prefix);
        buffer_put(&sample, SPAN("/sample"));
    }
    if (sample.len == 0) {
        buffer_byte(&sample, '/');
    }
    *out = arena_copy(walk->arena, buffer_span(&sample));
    return !sample.full && out->ptr != NULL;
}

static struct span sample_host(struct walk *walk, struct span host)
{
    if (!span_starts(host, SPAN("*."))) {
        return host;
    }
    char *text = arena_printf(walk->arena, "sample%.*s", SPAN_ARG(span_from(host, 1)));
    return span_cstr(text);
}

bool hop_sample_host(struct search *search, struct walk *walk, const struct model_rule *rule,
                     const struct model_site *site, struct span path, struct found *found,
                     struct span *out)
{
    for (size_t i = 0; i < site->host_count && i < 16; i++) {
        struct span host = sample_host(walk, site->hosts[i]);
        if (hop_match(search, rule, host, path, found) == MATCH_YES) {
            *out = host;
            return true;
        }
    }
    return false;
}

/* ---- whose host it is ---- */

static bool port_is_ours(const struct model *model, int32_t port)
{
    if (port < 0) {
        return true; /* what stands in front may well pass it on to us */
    }
    for (size_t i = 0; i < model->listener_count; i++) {
        const struct listener *l = &model->listeners[i];
        bool same =
            (l->address.any.sa_family == AF_INET && ntohs(l->address.v4.sin_port) == port) ||
            (l->address.any.sa_family == AF_INET6 && ntohs(l->address.v6.sin6_port) == port);
        if (same) {
            return true;
        }
    }
    return false;
}

/* Only hosts that are named: under a catch-all everything would be ours. */
static bool site_of_host(struct walk *walk, struct span host, uint32_t *out)
{
    if (names_find(&walk->load->hosts, host, out)) {
        return true;
    }
    for (size_t dot = span_find(host, 0, '.'); dot < host.len;
         dot = span_find(host, dot + 1, '.')) {
        char wildcard[256];
        int len = snprintf(wildcard, sizeof(wildcard), "*%.*s", SPAN_ARG(span_from(host, dot)));
        if (len > 0 && (size_t)len < sizeof(wildcard) &&
            names_find(&walk->load->hosts, span_of(wildcard, (size_t)len), out)) {
            return true;
        }
    }
    return false;
}

static bool is_ours(struct walk *walk, const struct url *url, uint32_t *site_out)
{
    return url->host.len > 0 && port_is_ours(walk->load->model, url->port) &&
           site_of_host(walk, url->host, site_out);
}

static void find_own(struct load *load, const struct model_pool *pool, struct own_servers *out)
{
    struct arena arena;
    struct walk walk = {.load = load, .arena = &arena};
    size_t room = pool->server_count < own_servers_max ? pool->server_count : own_servers_max;
    out->items = load_alloc(load, room + 1, sizeof(*out->items));
    arena_init(&arena, 0);
    for (uint32_t i = 0; out->items != NULL && i < pool->server_count && out->count < room; i++) {
        struct url url;
        uint32_t site;
        if (url_parse(pool->servers[i].url, NULL, &arena, &url) == ERR_NONE &&
            is_ours(&walk, &url, &site)) {
            out->items[out->count++] = i;
        }
    }
    arena_fini(&arena);
}

const struct own_servers *hop_own_servers(struct load *load, uint32_t pool)
{
    if (load->own == NULL) {
        load->own = load_alloc(load, load->pool_count, sizeof(*load->own));
        for (size_t i = 0; load->own != NULL && i < load->pool_count; i++) {
            find_own(load, &load->pools[i], &load->own[i]);
        }
    }
    return load->own != NULL ? &load->own[pool] : NULL;
}

bool hop_arrive(struct search *search, struct walk *walk, struct span location, struct hop *out)
{
    struct url url;
    struct path path;
    *out = (struct hop){0};
    if (url_parse(location, NULL, walk->arena, &url) != ERR_NONE ||
        !is_ours(walk, &url, &out->site)) {
        return false;
    }
    if (path_normalise(url.path, search->path_scratch, &path) != ERR_NONE) {
        return false;
    }
    out->host = url.host;
    out->path = arena_copy(walk->arena, path.norm);
    return out->path.ptr != NULL;
}

/* ---- where a rule sends ---- */

static struct span group_of(const struct pattern *pattern, const struct pattern_groups *groups,
                            struct span subject, struct span name, bool *found)
{
    for (size_t i = 0; pattern != NULL && i < pattern_group_count(pattern); i++) {
        if (i < groups->count && span_eq(pattern_group_name(pattern, i), name)) {
            *found = groups->at[i].from != UINT32_MAX;
            return *found ? span_slice(subject, groups->at[i].from, groups->at[i].to)
                          : (struct span){0};
        }
    }
    return (struct span){0};
}

static struct template_value value_of(const struct hop *hop, const struct found *found,
                                      struct span name)
{
    const struct model_rule *rule = hop->rule;
    struct template_value value = {.sent = true};
    if (span_eq(name, SPAN("host"))) {
        value.bytes = hop->host;
    } else if (span_eq(name, SPAN("path"))) {
        value.bytes = hop->path;
    } else if (span_eq(name, SPAN("scheme"))) {
        value.bytes = SPAN("http");
    } else if (span_eq(name, SPAN("method"))) {
        value.bytes = SPAN("GET");
    } else if (!variable_is_builtin(name)) {
        value.bytes = group_of(rule->path, &found->path, hop->path, name, &value.defined);
        if (!value.defined) {
            value.bytes = group_of(rule->host, &found->host, hop->host, name, &value.defined);
        }
        return value;
    }
    value.defined = value.bytes.len > 0;
    return value;
}

static bool expand_hop(struct search *search, const struct hop *hop, const struct found *found,
                       const struct model_action *action, struct span *out)
{
    struct template_value values[template_vars_max];
    const struct template *t = action->to;
    uint32_t authority = location_authority_vars(t);
    for (size_t i = 0; i < template_var_count(t); i++) {
        struct span name = template_var_name(t, i);
        values[i] = value_of(hop, found, name);
        for (size_t k = 0; (authority & UINT32_C(1) << i) && k < hop->rule->label_count; k++) {
            const struct model_labels *labels = &hop->rule->labels[k];
            if (span_eq(labels->variable, name) && labels->value_count > 0) {
                values[i] = (struct template_value){.bytes = labels->values[0], .defined = true};
            }
        }
    }
    struct buffer text = buffer_over(search->location, sizeof(search->location));
    if (location_build(t, values, (struct span){0}, &text) != LOCATION_OK) {
        return false;
    }
    *out = buffer_span(&text);
    return true;
}

static bool is_redirect(const struct model_action *action)
{
    return action->kind == ACTION_TO || action->kind == ACTION_PAGE;
}

static bool to_server(struct search *search, const struct hop *hop, const struct model_server *to,
                      bool strip, struct span *out)
{
    struct buffer text = buffer_over(search->location, sizeof(search->location));
    size_t from = strip ? model_literal_bytes(hop->rule) : 0;
    struct span path = from < hop->path.len ? span_from(hop->path, from) : (struct span){0};
    if (location_append(to->url, path, (struct span){0}, &text) != LOCATION_OK) {
        return false;
    }
    *out = buffer_span(&text);
    return true;
}

bool hop_location(struct search *search, const struct walk *walk, const struct hop *hop,
                  const struct found *found, size_t server, struct span *out)
{
    static const struct found nothing;
    const struct model_action *action = &hop->rule->action;
    if (is_redirect(action)) {
        return expand_hop(search, hop, found, action, out);
    }
    if (action->kind != ACTION_POOL) {
        return false;
    }
    const struct model_pool *pool = &walk->load->pools[action->pool];
    if (server < pool->server_count) {
        return to_server(search, hop, &pool->servers[server], pool->strip, out);
    }
    return server == pool->server_count && is_redirect(&pool->fallback) &&
           expand_hop(search, hop, &nothing, &pool->fallback, out);
}
