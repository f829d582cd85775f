/* SPDX-License-Identifier: MIT */
/* Routes, detours and defaults: what matches, and what is done. */
#include "compile/parts.h"

#include "uri/escape.h"
#include "uri/location.h"

#include <assert.h>
#include <xxhash.h>

enum { beginning_bytes_max = 2048 };

static uint32_t group_index(const struct pattern *pattern, struct span name)
{
    size_t count = pattern != NULL ? pattern_group_count(pattern) : 0;
    for (size_t i = 0; i < count; i++) {
        if (span_eq(pattern_group_name(pattern, i), name)) {
            return (uint32_t)i;
        }
    }
    return SNAP_NONE;
}

/* Captures first, the path's before the host's; config/ has refused what is neither. */
static uint32_t source_of(const struct model_rule *rule, struct span name)
{
    static const struct {
        struct span name;
        uint32_t source;
    } builtins[] = {
        {{(const uint8_t *)"scheme", 6}, SNAP_SCHEME},
        {{(const uint8_t *)"host", 4}, SNAP_HOST},
        {{(const uint8_t *)"port", 4}, SNAP_PORT},
        {{(const uint8_t *)"path", 4}, SNAP_PATH},
        {{(const uint8_t *)"query", 5}, SNAP_QUERY},
        {{(const uint8_t *)"method", 6}, SNAP_METHOD},
    };
    uint32_t group = group_index(rule->path, name);
    if (group != SNAP_NONE) {
        return SNAP_PATH_GROUP + group;
    }
    group = group_index(rule->host, name);
    if (group != SNAP_NONE) {
        return SNAP_HOST_GROUP + group;
    }
    for (size_t i = 0; i < sizeof(builtins) / sizeof(*builtins); i++) {
        if (span_eq(builtins[i].name, name)) {
            return builtins[i].source;
        }
    }
    return SNAP_QUERY; /* not reached: see above */
}

static struct snap_list compile_labels(struct compile *compile, const struct template *to,
                                       const struct model_rule *rule)
{
    struct snap_labels labels[template_vars_max];
    size_t count = 0;
    for (size_t v = 0; v < template_var_count(to); v++) {
        for (size_t i = 0; i < rule->label_count; i++) {
            const struct model_labels *from = &rule->labels[i];
            if (span_eq(from->variable, template_var_name(to, v))) {
                labels[count++] = (struct snap_labels){
                    .variable = (uint32_t)v,
                    .values = block_texts(&compile->block, from->values, from->value_count)};
                break;
            }
        }
    }
    return block_list(&compile->block, labels, count, sizeof(*labels));
}

static void compile_target(struct compile *compile, const struct template *to,
                           const struct model_rule *rule, struct snap_action *out)
{
    uint32_t sources[template_vars_max];
    size_t count = template_var_count(to);
    for (size_t i = 0; i < count; i++) {
        sources[i] = source_of(rule, template_var_name(to, i));
    }
    out->to = block_put(&compile->block, span_of(to, template_size(to)));
    out->sources = block_list(&compile->block, sources, count, sizeof(*sources));
    out->labels = compile_labels(compile, to, rule);
    if (location_authority_vars(to) == 0) {
        struct span source = template_source(to);
        size_t brace = span_find(source, 0, '{');
        struct span literal = span_slice(source, 0, brace);
        out->authority = block_text(&compile->block, location_authority(literal));
    }
}

static enum snap_action_kind action_kind(enum action_kind kind)
{
    switch (kind) {
    case ACTION_NEXT:
        return SNAP_ACTION_NEXT;
    case ACTION_TO:
        return SNAP_ACTION_TO;
    case ACTION_POOL:
        return SNAP_ACTION_POOL;
    case ACTION_PAGE:
        return SNAP_ACTION_PAGE;
    case ACTION_WAIT:
        return SNAP_ACTION_WAIT;
    case ACTION_RESPOND:
        return SNAP_ACTION_RESPOND;
    case ACTION_ORIGIN:
        return SNAP_ACTION_ORIGIN;
    case ACTION_PASS:
        break;
    }
    return SNAP_ACTION_PASS;
}

/* The path that a rule begins with, as a Location can say it. */
static struct snap_ref compile_beginning(struct compile *compile, const struct model_rule *rule)
{
    uint8_t room[beginning_bytes_max];
    struct buffer path = buffer_over(room, sizeof(room));
    if (rule->path == NULL) {
        escape_put(&path, rule->prefix, ESCAPE_PATH, PERCENT_KEEP);
    } else {
        struct span text;
        for (size_t at = 0; pattern_segment(rule->path, at, &text) == SEGMENT_LITERAL; at++) {
            buffer_byte(&path, '/');
            escape_put(&path, text, ESCAPE_PATH, PERCENT_KEEP);
        }
    }
    bool usable = !path.full && path.len > 0 && !span_starts(buffer_span(&path), SPAN("//"));
    return block_text(&compile->block, usable ? buffer_span(&path) : SPAN("/"));
}

struct snap_action compile_action(struct compile *compile, const struct model_action *action,
                                  const struct model_rule *rule)
{
    struct snap_action out = {
        .kind = action_kind(action->kind),
        .status = action->status,
        .pool = action->kind == ACTION_POOL ? action->pool : SNAP_NONE,
        .page = action->kind == ACTION_WAIT ? action->page : SNAP_NONE,
        .origin = action->kind == ACTION_ORIGIN ? action->origin : SNAP_NONE,
        .body = block_text(&compile->block, action->body),
        .content_type = block_text(&compile->block, action->content_type),
        .retry_after_s = action->retry_after_s,
    };
    if (action->to != NULL) {
        compile_target(compile, action->to, rule, &out);
    }
    if (action->kind == ACTION_POOL && compile->model->pools[action->pool].strip) {
        out.strip = (uint32_t)model_literal_bytes(rule);
    }
    if (action->kind == ACTION_WAIT) {
        out.body = compile_beginning(compile, rule);
    }
    return out;
}

/* HEAD is answered as GET is (RFC 9110, 9.3.2), so who asks for GET means both. */
static uint32_t with_head(uint32_t methods)
{
    return (methods & (1u << METHOD_GET)) != 0 ? methods | 1u << METHOD_HEAD : methods;
}

static struct snap_conditions compile_conditions(struct compile *compile,
                                                 const struct model_conditions *from)
{
    struct block *block = &compile->block;
    return (struct snap_conditions){
        .methods = with_head(from->methods),
        .methods_other = block_texts(block, from->methods_other, from->methods_other_count),
        .headers = block_tests(block, from->headers),
        .cookies = block_tests(block, from->cookies),
        .query = block_tests(block, from->query),
        .clients = block_cidrs(block, from->clients, from->client_count),
    };
}

static bool has_conditions(const struct model_conditions *from)
{
    return from->methods != 0 || from->methods_other_count + from->headers.count +
                                         from->cookies.count + from->query.count +
                                         from->client_count >
                                     0;
}

static struct snap_list compile_headers(struct compile *compile, const struct model_rule *rule)
{
    struct block *block = &compile->block;
    struct snap_list list = block_array(block, rule->header_count, sizeof(struct snap_field));
    for (size_t i = 0; i < rule->header_count; i++) {
        struct snap_field field = {.name = block_text(block, rule->headers[i].name),
                                   .value = block_text(block, rule->headers[i].value)};
        block_set(block, list, i, &field, sizeof(field));
    }
    return list;
}

static struct snap_list compile_except(struct compile *compile, const struct model_detour *detour)
{
    struct block *block = &compile->block;
    struct snap_list list = block_array(block, detour->except_count, sizeof(struct snap_pattern));
    for (size_t i = 0; i < detour->except_count; i++) {
        struct snap_pattern pattern = block_pattern(block, detour->except[i]);
        block_set(block, list, i, &pattern, sizeof(pattern));
    }
    return list;
}

/* What carries no freshness needs none that is cut off. */
static int64_t change_of(const struct compile *compile, const struct model_rule *rule)
{
    return rule->max_age_s >= 0 ? openings_soonest(&compile->openings, compile->site, rule)
                                : SNAP_NEVER;
}

/* When clients can expect it to be over. */
static int64_t ends_ns(const struct schedule_view *view, int64_t now_ns)
{
    if (view->state == SCHEDULE_HELD) {
        return SNAP_NEVER;
    }
    return now_ns < view->closes_ns ? view->closes_ns : view->gone_ns;
}

static void add_detour(struct compile *compile, const struct model_detour *detour,
                       struct snap_rule *out)
{
    struct block *block = &compile->block;
    out->except = compile_except(compile, detour);
    out->bypass_clients = block_cidrs(block, detour->bypass_clients, detour->bypass_client_count);
    out->bypass_cookies = block_tests(block, detour->bypass_cookies);
    const struct schedule_view *view = &compile->views[detour - compile->model->detours];
    out->reach_ppm = view->share_ppm;
    out->opened_ns = view->opened_ns;
    out->until_ns = ends_ns(view, compile->now_ns);
    out->change_ns = view->leaves_ns < out->change_ns ? view->leaves_ns : out->change_ns;
    out->reason = block_text(block, detour->reason);
    out->owner = block_text(block, detour->owner);
    if (out->except.count + out->bypass_clients.count + out->bypass_cookies.count > 0) {
        out->flags |= SNAP_EXEMPTIONS;
    }
    if (detour->bypass_link) {
        out->flags |= SNAP_EXEMPTIONS | SNAP_BYPASS_LINK;
    }
}

static struct snap_rule make_rule(struct compile *compile, const struct model_rule *rule)
{
    struct block *block = &compile->block;
    struct snap_rule out = {
        .identity = block_put(block, rule->identity), /* no other text is the same */
        .kind = (uint32_t)rule->kind,
        .line = rule->place.line,
        .path = block_pattern(block, rule->path),
        .host = block_pattern(block, rule->host),
        .prefix = block_text(block, rule->prefix),
        .conditions = compile_conditions(compile, &rule->conditions),
        .share_ppm = rule->share_ppm,
        .reach_ppm = share_ppm_full,
        .share_salt = (uint32_t)XXH3_64bits(rule->identity.ptr, rule->identity.len),
        .action = compile_action(compile, &rule->action, rule),
        .rest = compile_action(compile, &rule->rest, rule),
        .headers = compile_headers(compile, rule),
        .max_age_s = rule->max_age_s,
        .opened_ns = INT64_MIN,
        .until_ns = SNAP_NEVER,
        .change_ns = change_of(compile, rule),
    };
    out.source = rule->path != NULL ? block_text(block, rule->path_source) : out.prefix;
    out.flags = (rule->query_keep ? SNAP_QUERY_KEEP : 0u) | (rule->note ? SNAP_NOTE : 0u) |
                (has_conditions(&rule->conditions) ? SNAP_CONDITIONS : 0u);
    return out;
}

static_assert((int)SNAP_ROUTE == (int)RULE_ROUTE && (int)SNAP_DETOUR == (int)RULE_DETOUR &&
                  (int)SNAP_DEFAULT == (int)RULE_DEFAULT,
              "the kinds of rules are the same in model and snapshot");

uint32_t compile_rule(struct compile *compile, const struct model_rule *rule,
                      const struct model_detour *detour)
{
    assert(compile->rule_count < compile->rule_max);
    struct snap_rule out = make_rule(compile, rule);
    if (detour != NULL) {
        add_detour(compile, detour, &out);
    }
    if (compile->slots != NULL) {
        out.slot = compile->slots->rule(compile->slots->context, rule->identity);
    }
    compile->rules[compile->rule_count] = out;
    compile->sources[compile->rule_count] = rule;
    return compile->rule_count++;
}
