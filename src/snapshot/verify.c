/* SPDX-License-Identifier: MIT */
/* Looks at every offset, count, kind and index of a block, and believes nothing: what
 * passes can be read without further checks. */
#include "snapshot/snapshot.h"

#include "http/forwarded.h"
#include "http/status.h"
#include "uri/escape.h"
#include "uri/location.h"

struct check {
    const struct snapshot *snapshot;
    uint64_t size;
    bool bad; /* sticky */
};

static void require(struct check *check, bool holds)
{
    check->bad = check->bad || !holds;
}

static bool inside(const struct check *check, uint64_t off, uint64_t bytes)
{
    return off <= check->size && bytes <= check->size - off;
}

static void check_ref(struct check *check, struct snap_ref ref)
{
    require(check, ref.len == 0 || inside(check, ref.off, ref.len));
}

/* The items of a list that is inside the block, else NULL (and bad is set, or it is empty). */
static const void *check_list(struct check *check, struct snap_list list, size_t item_bytes)
{
    if (list.count == 0) {
        return NULL;
    }
    require(check, list.off % 8 == 0 && inside(check, list.off, (uint64_t)list.count * item_bytes));
    return check->bad ? NULL : snapshot_at(check->snapshot, list.off);
}

static void check_refs(struct check *check, struct snap_list list)
{
    const struct snap_ref *refs = check_list(check, list, sizeof(*refs));
    for (uint32_t i = 0; refs != NULL && i < list.count; i++) {
        check_ref(check, refs[i]);
    }
}

static void check_tests(struct check *check, struct snap_list list)
{
    const struct snap_test *tests = check_list(check, list, sizeof(*tests));
    for (uint32_t i = 0; tests != NULL && i < list.count; i++) {
        require(check, tests[i].kind <= SNAP_TEST_GLOB);
        check_ref(check, tests[i].name);
        check_ref(check, tests[i].value);
    }
}

static void check_fields(struct check *check, struct snap_list list)
{
    const struct snap_field *fields = check_list(check, list, sizeof(*fields));
    for (uint32_t i = 0; fields != NULL && i < list.count; i++) {
        check_ref(check, fields[i].name);
        check_ref(check, fields[i].value);
    }
}

static void check_cidrs(struct check *check, struct snap_list list)
{
    const struct cidr *blocks = check_list(check, list, sizeof(*blocks));
    for (uint32_t i = 0; blocks != NULL && i < list.count; i++) {
        require(check, blocks[i].prefix_bits <= 128);
    }
}

/* A flat block of its own: a pattern or a template. */
static void check_block(struct check *check, struct snap_ref block)
{
    check_ref(check, block);
    require(check, block.len == 0 || block.off % 8 == 0);
}

/* How many groups the pattern has; 0 for none. */
static size_t check_pattern(struct check *check, struct snap_pattern pattern)
{
    check_block(check, pattern.block);
    if (pattern.block.len == 0 || check->bad) {
        return 0;
    }
    const struct pattern *block = snapshot_at(check->snapshot, pattern.block.off);
    require(check, pattern_verify(block, pattern.block.len));
    if (check->bad) {
        return 0;
    }
    struct span regex = pattern_regex(block);
    if (regex.len == 0) {
        require(check, pattern.regex == SNAP_NONE);
    } else {
        require(check, pattern.regex < check->snapshot->regexes.count);
        require(check,
                check->bad || span_eq(snapshot_regex(check->snapshot, pattern.regex), regex));
    }
    return check->bad ? 0 : pattern_group_count(block);
}

static void check_patterns(struct check *check, struct snap_list list)
{
    const struct snap_pattern *patterns = check_list(check, list, sizeof(*patterns));
    for (uint32_t i = 0; patterns != NULL && i < list.count; i++) {
        check_pattern(check, patterns[i]);
    }
}

/* How many groups the patterns of an action's rule have. */
struct groups {
    size_t path;
    size_t host;
};

static bool source_exists(uint32_t source, struct groups groups)
{
    if (source >= SNAP_SCHEME) {
        return source <= SNAP_METHOD;
    }
    return source >= SNAP_HOST_GROUP ? source - SNAP_HOST_GROUP < groups.host
                                     : source < groups.path;
}

static bool has_labels(const struct snap_action *action, const struct snap_labels *labels,
                       uint32_t variable)
{
    for (uint32_t i = 0; labels != NULL && i < action->labels.count; i++) {
        if (labels[i].variable == variable) {
            return true;
        }
    }
    return false;
}

/* Where the target leads is said in it, or chosen from a list, or the request's own host. */
static void check_authority(struct check *check, const struct snap_action *action,
                            const struct template *to, const uint32_t *sources,
                            const struct snap_labels *labels)
{
    struct template_error error;
    require(check, !check->bad && location_target_check(to, &error) == ERR_NONE);
    if (check->bad) {
        return;
    }
    uint32_t variables = location_authority_vars(to);
    if (variables == 0) {
        struct span source = template_source(to);
        struct span literal = span_slice(source, 0, span_find(source, 0, '{'));
        require(check, span_eq(snapshot_text(check->snapshot, action->authority),
                               location_authority(literal)));
    }
    for (uint32_t i = 0; sources != NULL && i < action->sources.count; i++) {
        require(check, (variables >> i & 1) == 0 || sources[i] == SNAP_HOST ||
                           has_labels(action, labels, i));
    }
}

static void check_target(struct check *check, const struct snap_action *action,
                         struct groups groups)
{
    check_block(check, action->to);
    if (check->bad) {
        return;
    }
    const struct template *to = snapshot_at(check->snapshot, action->to.off);
    require(check, template_verify(to, action->to.len));
    require(check, !check->bad && action->sources.count == template_var_count(to));
    const uint32_t *sources = check_list(check, action->sources, sizeof(*sources));
    for (uint32_t i = 0; sources != NULL && i < action->sources.count; i++) {
        require(check, source_exists(sources[i], groups));
    }
    const struct snap_labels *labels = check_list(check, action->labels, sizeof(*labels));
    for (uint32_t i = 0; labels != NULL && i < action->labels.count; i++) {
        require(check, labels[i].variable < action->sources.count);
        check_refs(check, labels[i].values);
    }
    check_authority(check, action, to, sources, labels);
}

/* Statuses go to the wire as they are. */
static bool status_fits(const struct snap_action *action)
{
    switch (action->kind) {
    case SNAP_ACTION_TO:
    case SNAP_ACTION_POOL:
    case SNAP_ACTION_PAGE:
    case SNAP_ACTION_WAIT:
        return status_redirects(action->status < 600 ? (uint16_t)action->status : 0);
    case SNAP_ACTION_RESPOND:
        return action->status >= 200 && action->status < 600;
    default:
        return true; /* not looked at */
    }
}

/* It becomes a Location without a host. */
static bool is_local(struct span path)
{
    return path.len > 0 && path.ptr[0] == '/' &&
           (path.len == 1 || (path.ptr[1] != '/' && path.ptr[1] != '\\')) &&
           escape_run(path, 0, ESCAPE_LOCATION) == path.len;
}

static void check_action(struct check *check, const struct snap_action *action,
                         struct groups groups)
{
    require(check, action->kind <= SNAP_ACTION_ORIGIN && status_fits(action));
    check_ref(check, action->authority);
    check_ref(check, action->body);
    check_ref(check, action->content_type);
    if (action->kind == SNAP_ACTION_TO || action->kind == SNAP_ACTION_PAGE) {
        require(check, action->to.len > 0);
        check_target(check, action, groups);
    } else {
        require(check, action->labels.count == 0); /* what labels point to was not looked at */
    }
    if (action->kind == SNAP_ACTION_POOL) {
        require(check, action->pool < check->snapshot->pools.count);
    }
    if (action->kind == SNAP_ACTION_ORIGIN) {
        require(check, action->origin < check->snapshot->origins.count);
    }
    if (action->kind == SNAP_ACTION_WAIT) {
        require(check, action->page < check->snapshot->pages.count);
        require(check, !check->bad && is_local(snapshot_text(check->snapshot, action->body)));
    }
}

static void check_rule(struct check *check, const struct snap_rule *rule)
{
    struct groups groups = {.path = check_pattern(check, rule->path),
                            .host = check_pattern(check, rule->host)};
    require(check, rule->kind <= SNAP_DEFAULT && rule->slot < snap_rule_slots_max);
    check_ref(check, rule->identity);
    check_ref(check, rule->prefix);
    check_ref(check, rule->source);
    check_ref(check, rule->reason);
    check_ref(check, rule->owner);
    check_refs(check, rule->conditions.methods_other);
    check_tests(check, rule->conditions.headers);
    check_tests(check, rule->conditions.cookies);
    check_tests(check, rule->conditions.query);
    check_cidrs(check, rule->conditions.clients);
    check_patterns(check, rule->except);
    check_cidrs(check, rule->bypass_clients);
    check_tests(check, rule->bypass_cookies);
    check_fields(check, rule->headers);
    check_action(check, &rule->action, groups);
    check_action(check, &rule->rest, groups);
}

static void check_edges(struct check *check, struct snap_list list, uint32_t node_count)
{
    const struct snap_edge *edges = check_list(check, list, sizeof(*edges));
    uint32_t empty = 0;
    for (uint32_t i = 0; edges != NULL && i < list.count; i++) {
        empty += edges[i].node == SNAP_NONE;
        require(check, edges[i].node == SNAP_NONE ||
                           (edges[i].node < node_count && edges[i].child < node_count));
        check_ref(check, edges[i].segment);
    }
    /* An open hash table without an empty place would be searched for ever. */
    require(check, (list.count & (list.count - 1)) == 0 && empty > 0);
}

static void check_ruleset(struct check *check, const struct snap_ruleset *set)
{
    require(check, (uint64_t)set->first + set->count <= check->snapshot->rules.count);
    const struct snap_node *nodes = check_list(check, set->nodes, sizeof(*nodes));
    if (nodes == NULL) {
        return;
    }
    check_edges(check, set->edges, set->nodes.count);
    for (uint32_t i = 0; i < set->nodes.count; i++) {
        require(check, nodes[i].any == SNAP_NONE || nodes[i].any < set->nodes.count);
        const uint32_t *rules = check_list(check, nodes[i].rules, sizeof(*rules));
        for (uint32_t k = 0; rules != NULL && k < nodes[i].rules.count; k++) {
            require(check, rules[k] >= set->first && rules[k] - set->first < set->count);
        }
    }
}

static void check_site(struct check *check, const struct snap_site *site)
{
    check_ref(check, site->name);
    check_ruleset(check, &site->detours);
    check_ruleset(check, &site->routes);
    require(check, site->fallback < check->snapshot->rules.count);
    if (site->https_status != 0) {
        require(check, site->https_status < 600 && status_redirects((uint16_t)site->https_status));
        require(check, site->https_port > 0 && site->https_port <= UINT16_MAX);
    }
    check_refs(check, site->cors.origins);
    check_ref(check, site->cors.methods);
    check_ref(check, site->cors.headers);
    check_ref(check, site->cors.expose);
}

static void check_hosts(struct check *check)
{
    struct snap_list list = check->snapshot->hosts;
    const struct snap_host *hosts = check_list(check, list, sizeof(*hosts));
    uint32_t empty = 0;
    for (uint32_t i = 0; hosts != NULL && i < list.count; i++) {
        empty += hosts[i].host.len == 0;
        check_ref(check, hosts[i].host);
        require(check, hosts[i].host.len == 0 || hosts[i].site < check->snapshot->sites.count);
    }
    require(check, list.count == 0 || ((list.count & (list.count - 1)) == 0 && empty > 0));
    uint32_t catch_all = check->snapshot->catch_all;
    require(check, catch_all == SNAP_NONE || catch_all < check->snapshot->sites.count);
}

static void check_called(struct check *check, const struct snap_pool *pool)
{
    const struct snap_called *called = check_list(check, pool->called, sizeof(*called));
    for (uint32_t i = 0; called != NULL && i < pool->called.count; i++) {
        require(check, called[i].server < pool->server_count);
        require(check, i == 0 || called[i - 1].hash <= called[i].hash);
    }
}

static void check_pool(struct check *check, const struct snap_pool *pool, uint64_t first)
{
    check_ref(check, pool->name);
    check_ref(check, pool->hash_name);
    check_ref(check, pool->sticky);
    check_ref(check, pool->avoid_param);
    check_ref(check, pool->sign_param);
    require(check, pool->avoid_carry == 0 || pool->avoid_param.len > 0);
    require(check, pool->balance <= SNAP_NEAREST && pool->hash_key <= SNAP_KEY_COOKIE);
    require(check, pool->first_server == first &&
                       first + pool->server_count <= check->snapshot->servers.count);
    require(check, pool->server_count <= snap_pool_servers_max);
    require(check, pool->link_max <= snap_alternatives_max && pool->json <= 1);
    require(check, pool->min_healthy > 0 && pool->within_ppm >= 1000000);
    require(check, pool->fallback.kind != SNAP_ACTION_POOL);
    check_action(check, &pool->fallback, (struct groups){0});
    check_called(check, pool);
}

static void check_pools(struct check *check, const struct snap_pool *pools, uint32_t count)
{
    uint64_t first = 0;
    for (uint32_t i = 0; i < count && !check->bad; i++) {
        check_pool(check, &pools[i], first);
        first += pools[i].server_count;
    }
}

static void check_server_authority(struct check *check, struct snap_ref url,
                                   struct snap_ref authority)
{
    if (!check->bad) {
        struct span text = snapshot_text(check->snapshot, authority);
        require(check, text.len > 0 &&
                           span_eq(location_authority(snapshot_text(check->snapshot, url)), text));
    }
}

static void check_server(struct check *check, const struct snap_server *server)
{
    check_ref(check, server->identity);
    check_ref(check, server->url);
    check_ref(check, server->authority);
    check_ref(check, server->plain_url);
    check_ref(check, server->plain_authority);
    check_list(check, server->areas, sizeof(struct snap_area));
    require(check, server->slot < snap_server_slots_max && server->weight <= snap_weight_max);
    check_server_authority(check, server->url, server->authority);
    if (server->plain_url.len > 0) {
        check_server_authority(check, server->plain_url, server->plain_authority);
    }
}

static void check_page(struct check *check, const struct snap_page *page)
{
    check_ref(check, page->name);
    check_ref(check, page->title);
    check_ref(check, page->before);
    check_ref(check, page->after);
    require(check, page->title.len <= snap_title_bytes_max);
    require(check, (uint64_t)page->before.len + page->after.len <= snap_html_bytes_max);
}

static void check_addresses(struct check *check, struct snap_list list)
{
    const struct snap_address *addresses = check_list(check, list, sizeof(*addresses));
    require(check, list.count <= snap_addresses_max);
    for (uint32_t i = 0; addresses != NULL && i < list.count; i++) {
        require(check, addresses[i].port > 0 && addresses[i].port <= UINT16_MAX);
    }
}

static void check_origin(struct check *check, const struct snap_origin *origin)
{
    const uint32_t flags = SNAP_ORIGIN_TLS | SNAP_ORIGIN_VERIFY | SNAP_ORIGIN_OWN_HOST;
    check_ref(check, origin->name);
    check_ref(check, origin->url);
    check_ref(check, origin->authority);
    check_ref(check, origin->tls_name);
    check_ref(check, origin->authorities);
    check_addresses(check, origin->addresses);
    require(check, (origin->flags & ~flags) == 0 && origin->authority.len > 0);
    require(check, (origin->flags & SNAP_ORIGIN_TLS) == 0 || origin->tls_name.len > 0);
    require(check, origin->authorities.len <= snap_authorities_bytes_max);
    require(check, origin->connect_timeout_ms > 0 && origin->response_timeout_ms > 0);
    require(check, origin->idle_timeout_ms > 0 && origin->tunnel_timeout_ms > 0);
    require(check, origin->connections_max > 0);
}

static void check_origins(struct check *check)
{
    struct snap_list list = check->snapshot->origins;
    const struct snap_origin *origins = check_list(check, list, sizeof(*origins));
    for (uint32_t i = 0; origins != NULL && i < list.count && !check->bad; i++) {
        check_origin(check, &origins[i]);
    }
}

static void check_all(struct check *check)
{
    const struct snapshot *snapshot = check->snapshot;
    check_refs(check, snapshot->regexes);
    require(check, snapshot->forwarded <= FORWARDED_RFC7239);
    check_cidrs(check, snapshot->trusted);
    const struct snap_rule *rules = check_list(check, snapshot->rules, sizeof(*rules));
    const struct snap_site *sites = check_list(check, snapshot->sites, sizeof(*sites));
    const struct snap_pool *pools = check_list(check, snapshot->pools, sizeof(*pools));
    const struct snap_server *servers = check_list(check, snapshot->servers, sizeof(*servers));
    for (uint32_t i = 0; rules != NULL && i < snapshot->rules.count && !check->bad; i++) {
        check_rule(check, &rules[i]);
    }
    const struct snap_page *pages = check_list(check, snapshot->pages, sizeof(*pages));
    for (uint32_t i = 0; pages != NULL && i < snapshot->pages.count && !check->bad; i++) {
        check_page(check, &pages[i]);
    }
    for (uint32_t i = 0; sites != NULL && i < snapshot->sites.count && !check->bad; i++) {
        check_site(check, &sites[i]);
    }
    if (pools != NULL) {
        check_pools(check, pools, snapshot->pools.count);
    }
    for (uint32_t i = 0; servers != NULL && i < snapshot->servers.count && !check->bad; i++) {
        check_server(check, &servers[i]);
    }
    check_hosts(check);
    check_origins(check);
}

const struct snapshot *snapshot_verify(struct span bytes)
{
    const struct snapshot *snapshot = snapshot_open(bytes);
    if (snapshot == NULL) {
        return NULL;
    }
    struct check check = {.snapshot = snapshot, .size = bytes.len};
    check_all(&check);
    return check.bad ? NULL : snapshot;
}
