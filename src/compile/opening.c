/* SPDX-License-Identifier: MIT */
/* When a detour opens, or takes more clients, that could take requests which a rule answers
 * now.
 *
 * That is all the clock can do to the answer of a rule, but for a detour that lets its own
 * clients go: who closes was not the one that answered. Asked is whether two rules could match
 * the same path on the same host, by the literal segments at their beginning and by hosts
 * that are written out. What is not that simple counts as yes: freshness may end too early,
 * never too late.
 *
 * Detours to come hang in a trie of segments, of which each node knows the soonest one: so
 * a rule costs a look for each segment that it shares with one of them. */
#include "compile/parts.h"

/* How a detour takes paths, seen from a node. */
enum reach {
    REACH_OPEN,  /* this one and all below */
    REACH_EXACT, /* this one */
    REACH_BELOW, /* what its own node says, somewhere below */
    REACH_COUNT,
};

/* A place in the hash table. The table does not grow, so its number names the node. */
struct opening {
    bool used;
    uint32_t parent; /* of a root: above_roots */
    struct span segment;
    int64_t soonest_ns[REACH_COUNT];
};

/* The literal segments at the beginning of what a rule matches. */
struct literals {
    const struct model_rule *rule;
    size_t at;  /* in the prefix, or the number of the pattern's segment */
    bool exact; /* after the last one: nothing follows */
};

static bool next_literal(struct literals *literals, struct span *segment)
{
    const struct model_rule *rule = literals->rule;
    if (rule->path != NULL) {
        enum segment_kind kind = pattern_segment(rule->path, literals->at++, segment);
        literals->exact = kind == SEGMENT_END;
        return kind == SEGMENT_LITERAL;
    }
    if (literals->at >= rule->prefix.len) {
        return false;
    }
    size_t from = literals->at + 1;
    literals->at = span_find(rule->prefix, from, '/');
    *segment = span_slice(rule->prefix, from, literals->at);
    return true;
}

/* A site has a root for each host that is written out, one for detours of
 * any host, and one for all detours. */
static const struct span any_host = {(const uint8_t *)"", 0};
static const struct span all_hosts = {(const uint8_t *)"*", 1};

/* A host pattern that matches this very name: nothing but lower-case labels, and none that
 * could be read as a number of an address. */
static bool is_written_out(struct span host)
{
    size_t label = 0;
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.ptr[i];
        bool fits = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
        if (!fits) {
            return false;
        }
        label = c == '.' ? i + 1 : label;
    }
    return label < host.len && host.ptr[label] >= 'a' && host.ptr[label] <= 'z';
}

static struct span host_of(const struct model_rule *rule)
{
    bool one = rule->host != NULL && is_written_out(rule->host_source);
    return one ? rule->host_source : any_host;
}

/* What is remembered answers GET and HEAD alone (RFC 9111, 4; RFC 9110, 9.3). Of methods that
 * we do not know nobody can say that. */
static bool takes_remembered(const struct model_conditions *conditions)
{
    const uint32_t reads = 1u << METHOD_GET | 1u << METHOD_HEAD;
    return conditions->methods_other_count > 0 || conditions->methods == 0 ||
           (conditions->methods & reads) != 0;
}

/* ---- the table ---- */

/* Numbers from the far end belong to no place of the table. */
static uint32_t above_roots(uint32_t site)
{
    return UINT32_MAX - site;
}

/* The node, or the empty place where it would be. */
static struct opening *find(const struct openings *openings, uint32_t parent, struct span segment)
{
    uint32_t at = snapshot_edge_hash(parent, segment) & openings->mask;
    while (openings->places[at].used && (openings->places[at].parent != parent ||
                                         !span_eq(openings->places[at].segment, segment))) {
        at = (at + 1) & openings->mask;
    }
    return &openings->places[at];
}

static uint32_t number_of(const struct openings *openings, const struct opening *node)
{
    return (uint32_t)(node - openings->places);
}

static struct opening *find_or_add(struct openings *openings, uint32_t parent, struct span segment)
{
    struct opening *node = find(openings, parent, segment);
    if (!node->used) {
        *node = (struct opening){.used = true, .parent = parent, .segment = segment};
        for (int reach = 0; reach < REACH_COUNT; reach++) {
            node->soonest_ns[reach] = SNAP_NEVER;
        }
    }
    return node;
}

static void sooner(int64_t *soonest, int64_t joins_ns)
{
    *soonest = joins_ns < *soonest ? joins_ns : *soonest;
}

static void add(struct openings *openings, const struct model_detour *detour, int64_t joins_ns,
                struct span host)
{
    struct literals literals = {.rule = &detour->rule};
    struct opening *node = find_or_add(openings, above_roots(detour->site), host);
    struct span segment;
    while (next_literal(&literals, &segment)) {
        sooner(&node->soonest_ns[REACH_BELOW], joins_ns);
        node = find_or_add(openings, number_of(openings, node), segment);
    }
    sooner(&node->soonest_ns[literals.exact ? REACH_EXACT : REACH_OPEN], joins_ns);
}

/* ---- asking ---- */

static void ask(const struct openings *openings, uint32_t site, struct span host,
                const struct model_rule *rule, int64_t *soonest)
{
    struct literals literals = {.rule = rule};
    const struct opening *node = find(openings, above_roots(site), host);
    struct span segment;
    while (node->used) {
        sooner(soonest, node->soonest_ns[REACH_OPEN]);
        if (!next_literal(&literals, &segment)) {
            sooner(soonest, node->soonest_ns[REACH_EXACT]);
            if (!literals.exact) {
                sooner(soonest, node->soonest_ns[REACH_BELOW]);
            }
            return;
        }
        node = find(openings, number_of(openings, node), segment);
    }
}

int64_t openings_soonest(const struct openings *openings, uint32_t site,
                         const struct model_rule *rule)
{
    int64_t soonest = SNAP_NEVER;
    struct span host = host_of(rule);
    if (openings->places == NULL) {
        return SNAP_NEVER;
    }
    if (host.len > 0) {
        ask(openings, site, host, rule, &soonest);
        ask(openings, site, any_host, rule, &soonest);
    } else {
        ask(openings, site, all_hosts, rule, &soonest);
    }
    return soonest;
}

/* ---- life ---- */

static bool is_to_come(const struct model_detour *detour, const struct schedule_view *view)
{
    return view->joins_ns != SCHEDULE_NEVER && takes_remembered(&detour->rule.conditions);
}

static size_t count_nodes(const struct model *model, const struct schedule_view *views)
{
    size_t count = 0;
    struct span segment;
    for (size_t i = 0; i < model->detour_count; i++) {
        struct literals literals = {.rule = &model->detours[i].rule};
        if (is_to_come(&model->detours[i], &views[i])) {
            count += 2; /* it is added below all hosts and below its own */
            while (next_literal(&literals, &segment)) {
                count += 2;
            }
        }
    }
    return count;
}

enum err openings_init(struct openings *openings, const struct model *model,
                       const struct schedule_view *views)
{
    size_t count = count_nodes(model, views);
    size_t size = 8;
    *openings = (struct openings){0};
    if (count == 0) {
        return ERR_NONE;
    }
    while (size < count * 2) {
        size *= 2;
    }
    openings->places = calloc(size, sizeof(*openings->places));
    if (openings->places == NULL) {
        return ERR_MEMORY;
    }
    openings->mask = (uint32_t)(size - 1);
    for (size_t i = 0; i < model->detour_count; i++) {
        const struct model_detour *detour = &model->detours[i];
        if (is_to_come(detour, &views[i])) {
            add(openings, detour, views[i].joins_ns, all_hosts);
            add(openings, detour, views[i].joins_ns, host_of(&detour->rule));
        }
    }
    return ERR_NONE;
}

void openings_fini(struct openings *openings)
{
    free(openings->places);
    openings->places = NULL;
}
