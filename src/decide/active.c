/* SPDX-License-Identifier: MIT */
/* Detours that are active, looked at without a request. */
#include "decide/active.h"

#include "decide/internal.h"
#include "http/field.h"
#include "uri/escape.h"

enum { site_name_max = 256, path_max = request_target_bytes_max };

/* Of a query: %XX is a byte. '+' stays: it may stand in a path, and no name holds a space. */
static struct span decode(struct span value, uint8_t *room, size_t cap)
{
    struct buffer out = buffer_over(room, cap);
    for (size_t i = 0; i < value.len; i++) {
        bool escaped = escape_at(value, i);
        buffer_byte(&out, escaped ? escape_value(value, i) : value.ptr[i]);
        i += escaped ? 2 : 0;
    }
    return out.full ? span_of(NULL, 0) : buffer_span(&out);
}

static const struct snap_site *site_named(const struct snapshot *snapshot, struct span name)
{
    for (uint32_t i = 0; i < snapshot->sites.count; i++) {
        const struct snap_site *site = snapshot_site(snapshot, i);
        if (span_eq(snapshot_text(snapshot, site->name), name)) {
            return site;
        }
    }
    return NULL;
}

static bool takes_all(const struct snapshot *snapshot, const struct snap_rule *rule)
{
    bool any_path = rule->prefix.len == 0 && rule->path.block.len == 0;
    return rule->host.block.len == 0 &&
           (any_path || span_eq(snapshot_text(snapshot, rule->source), SPAN("/*")));
}

static enum active find(struct asked *asked, bool whole, uint32_t *rule_out)
{
    const struct snap_ruleset *detours = &asked->site->detours;
    for (uint32_t rule = detours->first; rule < detours->first + detours->count; rule++) {
        const struct snap_rule *at = snapshot_rule(asked->snapshot, rule);
        /* An expression that takes too long is no reason to send people away. */
        if (whole ? takes_all(asked->snapshot, at) : match_path(asked, at) == MATCH_YES) {
            *rule_out = rule;
            return ACTIVE_YES;
        }
    }
    return ACTIVE_NO;
}

enum active active_find(struct decide_context *context, struct span query, uint32_t *rule_out)
{
    uint8_t name[site_name_max];
    uint8_t path[path_max];
    struct asked asked = {.context = context, .snapshot = context->snapshot};
    asked.budget.steps = regex_steps_per_request;
    struct span wanted = query_find(query, SPAN("path"));
    asked.site =
        site_named(context->snapshot, decode(query_find(query, SPAN("site")), name, sizeof(name)));
    if (asked.site == NULL) {
        return ACTIVE_UNKNOWN;
    }
    if (wanted.ptr == NULL) {
        return find(&asked, true, rule_out);
    }
    struct span decoded = decode(wanted, path, sizeof(path));
    if (decoded.len == 0 || decoded.ptr[0] != '/' ||
        path_normalise(decoded, &context->path_scratch, &asked.path) != ERR_NONE) {
        return ACTIVE_UNKNOWN;
    }
    return find(&asked, false, rule_out);
}
