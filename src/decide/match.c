/* SPDX-License-Identifier: MIT */
/* Whether a rule matches a request, and the first one of a set that does. */
#include "decide/internal.h"

#include "http/field.h"

#include <xxhash.h>

uint64_t client_hash(const struct client *client, uint64_t salt)
{
    return XXH3_64bits_withSeed(client->address, sizeof(client->address), salt);
}

/* Whether value is what pattern says, '*' standing for any run of bytes. Greedy with one
 * place to come back to: linear in practice, quadratic at worst in what is short. */
static bool glob_matches(struct span pattern, struct span value)
{
    size_t p = 0;
    size_t v = 0;
    size_t star = SIZE_MAX;
    size_t resume = 0;
    while (v < value.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            resume = v;
        } else if (p < pattern.len && pattern.ptr[p] == value.ptr[v]) {
            p++;
            v++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            v = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') {
        p++;
    }
    return p == pattern.len;
}

static bool test_holds(const struct snapshot *snapshot, const struct snap_test *test,
                       struct span value)
{
    bool present = value.ptr != NULL;
    switch ((enum snap_test_kind)test->kind) {
    case SNAP_TEST_PRESENT:
        return present;
    case SNAP_TEST_ABSENT:
        return !present;
    case SNAP_TEST_EQUAL:
        return present && span_eq(value, snapshot_text(snapshot, test->value));
    case SNAP_TEST_GLOB:
        return present && glob_matches(snapshot_text(snapshot, test->value), value);
    }
    return false;
}

enum test_place { IN_HEADERS, IN_COOKIES, IN_QUERY };

static struct span value_of(const struct request *request, enum test_place place, struct span name)
{
    switch (place) {
    case IN_HEADERS:
        return field_find(request, name);
    case IN_COOKIES:
        return cookie_find(request->known.cookie, name);
    case IN_QUERY:
        return query_find(request->query, name);
    }
    return (struct span){0};
}

static bool tests_hold(const struct asked *asked, struct snap_list list, enum test_place place)
{
    const struct snap_test *tests = snapshot_at(asked->snapshot, list.off);
    for (uint32_t i = 0; i < list.count; i++) {
        struct span name = snapshot_text(asked->snapshot, tests[i].name);
        struct span value = value_of(asked->request, place, name);
        if (!test_holds(asked->snapshot, &tests[i], value)) {
            return false;
        }
    }
    return true;
}

static bool any_cookie_holds(const struct asked *asked, struct snap_list list)
{
    for (uint32_t i = 0; i < list.count; i++) {
        struct snap_list one = {.off = list.off + i * (uint32_t)sizeof(struct snap_test),
                                .count = 1};
        if (tests_hold(asked, one, IN_COOKIES)) {
            return true;
        }
    }
    return false;
}

static bool client_in(const struct asked *asked, struct snap_list list)
{
    return list.count > 0 && cidr_any_holds(snapshot_at(asked->snapshot, list.off), list.count,
                                            asked->decision->client.address);
}

static bool method_allowed(const struct asked *asked, const struct snap_conditions *conditions)
{
    const struct request *request = asked->request;
    if (conditions->methods == 0 && conditions->methods_other.count == 0) {
        return true;
    }
    if (request->method != METHOD_OTHER) {
        return conditions->methods & (1u << request->method);
    }
    const struct snap_ref *names = snapshot_at(asked->snapshot, conditions->methods_other.off);
    for (uint32_t i = 0; i < conditions->methods_other.count; i++) {
        if (span_eq(snapshot_text(asked->snapshot, names[i]), request->method_name)) {
            return true;
        }
    }
    return false;
}

/* Notes which parts of the request have a say in the answer, for Vary and `private`. */
static void note_dependence(struct asked *asked, const struct snap_rule *rule)
{
    struct decision *out = asked->decision;
    const struct snap_conditions *conditions = &rule->conditions;
    if (conditions->cookies.count + rule->bypass_cookies.count > 0 ||
        rule->flags & SNAP_BYPASS_LINK) {
        out->vary |= VARY_COOKIE;
    }
    if (conditions->clients.count + rule->bypass_clients.count > 0 || rule->share_ppm < 1000000 ||
        rule->reach_ppm < 1000000) {
        out->depends_on_client = true;
    }
    if (conditions->headers.count > 0) {
        if (out->vary_rule_count < decision_vary_rules_max) {
            const struct snap_rule *first = snapshot_rule(asked->snapshot, 0);
            out->vary_rules[out->vary_rule_count++] = (uint32_t)(rule - first);
        } else {
            out->depends_on_client = true;
        }
    }
}

static enum lost conditions_lost(const struct asked *asked,
                                 const struct snap_conditions *conditions)
{
    if (!method_allowed(asked, conditions)) {
        return LOST_METHOD;
    }
    if (!tests_hold(asked, conditions->headers, IN_HEADERS)) {
        return LOST_HEADER;
    }
    if (!tests_hold(asked, conditions->cookies, IN_COOKIES)) {
        return LOST_COOKIE;
    }
    if (!tests_hold(asked, conditions->query, IN_QUERY)) {
        return LOST_QUERY;
    }
    if (conditions->clients.count > 0 && !client_in(asked, conditions->clients)) {
        return LOST_CLIENT;
    }
    return LOST_NOT;
}

static enum match match_pattern(struct asked *asked, const struct snap_pattern *pattern,
                                struct span subject, struct pattern_groups *groups)
{
    const struct pattern *block = snapshot_pattern(asked->snapshot, pattern);
    if (block == NULL) {
        groups->count = 0;
        return MATCH_YES;
    }
    const struct regex *regex = NULL;
    if (pattern->regex != SNAP_NONE) {
        regex = regex_set_at(asked->context->regexes, pattern->regex);
        if (regex == NULL) {
            return MATCH_LIMIT; /* nobody may take "cannot tell" for "no" */
        }
    }
    return pattern_match(block, regex, subject, &asked->budget, groups);
}

static bool prefix_matches(struct span prefix, struct span path)
{
    return span_starts(path, prefix) && (path.len == prefix.len || path.ptr[prefix.len] == '/');
}

/* LOST_PATH or LOST_HOST; *limit is set when the budget is spent. */
static enum lost patterns_lost(struct asked *asked, struct matched *matched, bool *limit)
{
    const struct snap_rule *rule = matched->rule;
    struct span prefix = snapshot_text(asked->snapshot, rule->prefix);
    if (prefix.len > 0 && !prefix_matches(prefix, asked->path.norm)) {
        return LOST_PATH;
    }
    enum match path = match_pattern(asked, &rule->path, asked->path.norm, &matched->path_groups);
    *limit = path == MATCH_LIMIT;
    if (path != MATCH_YES) {
        return LOST_PATH;
    }
    enum match host =
        match_pattern(asked, &rule->host, asked->decision->host, &matched->host_groups);
    *limit = host == MATCH_LIMIT;
    return host == MATCH_YES ? LOST_NOT : LOST_HOST;
}

static enum match match_except(struct asked *asked, const struct snap_rule *rule)
{
    const struct snap_pattern *except = snapshot_at(asked->snapshot, rule->except.off);
    struct pattern_groups ignored;
    for (uint32_t i = 0; i < rule->except.count; i++) {
        enum match match = match_pattern(asked, &except[i], asked->path.norm, &ignored);
        if (match != MATCH_NO) {
            return match;
        }
    }
    return MATCH_NO;
}

enum match match_path(struct asked *asked, const struct snap_rule *rule)
{
    struct span prefix = snapshot_text(asked->snapshot, rule->prefix);
    struct pattern_groups ignored;
    if (rule->host.block.len > 0 || (prefix.len > 0 && !prefix_matches(prefix, asked->path.norm))) {
        return MATCH_NO;
    }
    enum match path = match_pattern(asked, &rule->path, asked->path.norm, &ignored);
    if (path != MATCH_YES) {
        return path;
    }
    enum match except = match_except(asked, rule);
    return except == MATCH_NO ? MATCH_YES : except == MATCH_YES ? MATCH_NO : except;
}

static enum lost exemptions_lost(struct asked *asked, const struct snap_rule *rule, bool *limit)
{
    enum match except = match_except(asked, rule);
    if (except != MATCH_NO) {
        *limit = except == MATCH_LIMIT;
        return LOST_EXCEPT;
    }
    if (client_in(asked, rule->bypass_clients) || any_cookie_holds(asked, rule->bypass_cookies) ||
        (rule->flags & SNAP_BYPASS_LINK && link_bypasses(asked, rule))) {
        return LOST_BYPASS;
    }
    return LOST_NOT;
}

static struct span group_text(const struct asked *asked, const struct matched *matched,
                              uint32_t source)
{
    if (source >= SNAP_SCHEME) {
        return source == SNAP_HOST ? asked->decision->host : (struct span){0};
    }
    bool in_host = source >= SNAP_HOST_GROUP;
    const struct pattern_groups *groups = in_host ? &matched->host_groups : &matched->path_groups;
    uint32_t group = in_host ? source - SNAP_HOST_GROUP : source;
    if (!pattern_group_found(groups, group)) {
        return (struct span){0};
    }
    return span_slice(in_host ? asked->decision->host : asked->path.norm, groups->at[group].from,
                      groups->at[group].to);
}

static bool listed(const struct asked *asked, struct snap_list values, struct span value)
{
    const struct snap_ref *refs = snapshot_at(asked->snapshot, values.off);
    for (uint32_t i = 0; i < values.count; i++) {
        if (span_eq(snapshot_text(asked->snapshot, refs[i]), value)) {
            return true;
        }
    }
    return false;
}

bool labels_listed(const struct asked *asked, const struct matched *matched,
                   const struct snap_action *action)
{
    const struct snap_labels *labels = snapshot_at(asked->snapshot, action->labels.off);
    const uint32_t *sources = snapshot_at(asked->snapshot, action->sources.off);
    for (uint32_t i = 0; i < action->labels.count; i++) {
        struct span value = group_text(asked, matched, sources[labels[i].variable]);
        if (!listed(asked, labels[i].values, value)) {
            return false;
        }
    }
    return true;
}

/* Independent of the share: it says who has the detour at all, and share and rest divide
 * these. */
static bool is_reached(const struct asked *asked, const struct snap_rule *rule)
{
    if (rule->reach_ppm >= 1000000) {
        return true;
    }
    uint64_t salt = UINT64_C(1) << 32 | rule->share_salt;
    return client_hash(&asked->decision->client, salt) % 1000000 < rule->reach_ppm;
}

static enum lost rule_lost(struct asked *asked, struct matched *matched, bool *limit)
{
    const struct snap_rule *rule = matched->rule;
    enum lost lost = patterns_lost(asked, matched, limit);
    if (lost != LOST_NOT) {
        return lost;
    }
    note_dependence(asked, rule);
    if (rule->flags & SNAP_CONDITIONS) {
        lost = conditions_lost(asked, &rule->conditions);
    }
    if (lost == LOST_NOT && rule->flags & SNAP_EXEMPTIONS) {
        lost = exemptions_lost(asked, rule, limit);
    }
    if (lost == LOST_NOT && (!labels_listed(asked, matched, &rule->action) ||
                             !labels_listed(asked, matched, &rule->rest))) {
        lost = LOST_LABEL;
    }
    if (lost == LOST_NOT && !is_reached(asked, rule)) {
        lost = LOST_RAMP;
    }
    return lost;
}

static bool in_share(const struct asked *asked, const struct snap_rule *rule)
{
    if (rule->share_ppm >= 1000000) {
        return true;
    }
    uint64_t hash = client_hash(&asked->decision->client, rule->share_salt);
    return hash % 1000000 < rule->share_ppm;
}

static void trace(struct asked *asked, uint32_t rule, enum lost lost)
{
    struct decide_trace *out = asked->context->trace;
    if (out != NULL && out->row_count < out->row_max) {
        out->rows[out->row_count++] = (struct decide_trace_row){.rule = rule, .lost = lost};
    }
}

/* For explain: whether the rules after the winner would have matched too. */
static void trace_others(struct asked *asked, struct candidates *candidates)
{
    struct decision kept = *asked->decision;
    bool limit = false;
    for (uint32_t rule = candidates_next(candidates); rule != SNAP_NONE;
         rule = candidates_next(candidates)) {
        struct matched matched;
        matched_init(&matched, snapshot_rule(asked->snapshot, rule));
        enum lost lost = rule_lost(asked, &matched, &limit);
        trace(asked, rule, lost == LOST_NOT ? LOST_LATER : lost);
    }
    *asked->decision = kept;
}

enum match match_ruleset(struct asked *asked, const struct snap_ruleset *set,
                         struct matched *matched, uint32_t *rule_out, bool *rest_out)
{
    struct candidates candidates;
    bool linear = asked->context->trace != NULL;
    candidates_init(&candidates, asked->snapshot, set, asked->path.norm, linear);
    for (uint32_t rule = candidates_next(&candidates); rule != SNAP_NONE;
         rule = candidates_next(&candidates)) {
        bool limit = false;
        matched_init(matched, snapshot_rule(asked->snapshot, rule));
        enum lost lost = rule_lost(asked, matched, &limit);
        if (limit) {
            return MATCH_LIMIT;
        }
        bool rest = lost == LOST_NOT && !in_share(asked, matched->rule);
        if (rest && matched->rule->rest.kind == SNAP_ACTION_NEXT) {
            lost = LOST_SHARE;
        }
        trace(asked, rule, lost);
        if (lost == LOST_NOT) {
            *rule_out = rule;
            *rest_out = rest;
            if (linear) {
                trace_others(asked, &candidates);
            }
            return MATCH_YES;
        }
    }
    return MATCH_NO;
}
