/* SPDX-License-Identifier: MIT */
/* Redirects that lead back. From each rule that sends clients to a host of this very file
 * a sample request is followed, hop by hop, with the functions that a worker uses; a loop
 * is reported only when the sample certainly runs into it, with its hops.
 *
 * A rule with conditions on the way ends the search, since nobody knows whether it will
 * match; but the one that the search began with has matched once, and will again. */
#include "config/hop.h"

enum {
    walk_bytes_max = 1 << 20,
    steps_max = 3000000, /* comparisons of one search: bounds the time at about a second */
};

static bool is_conditional(const struct model_rule *rule)
{
    return !conditions_ask_nothing(&rule->conditions) || rule->share_ppm != share_ppm_full;
}

/* What the answer itself may change: a target brings another query, a field a cookie. */
static bool may_change(const struct model_rule *rule)
{
    return rule->conditions.query.count > 0 || rule->conditions.cookies.count > 0;
}

/* ---- the rule that answers ---- */

/* While its first window takes everybody. */
static int64_t full_from(const struct model_detour *detour)
{
    const struct schedule *s = &detour->schedule;
    int64_t opens_ns = s->repeat != NULL ? recurrence_first_ns(s->repeat) : s->from_ns;
    return opens_ns + s->ramp_ns;
}

static int64_t full_until(const struct model_detour *detour)
{
    const struct schedule *s = &detour->schedule;
    int64_t late_ns = s->repeat != NULL ? recurrence_first_ns(s->repeat) - s->from_ns : 0;
    return s->hold ? TIME_NEVER : s->until_ns + late_ns;
}

/* True: rule answers, or nobody knows, and then *out is NULL. */
static bool answers(struct search *search, const struct walk *walk, const struct model_rule *rule,
                    const struct hop *hop, struct found *found, const struct model_rule **out)
{
    enum match match = hop_match(search, rule, hop->host, hop->path, found);
    if (match == MATCH_NO) {
        return false;
    }
    bool known = match == MATCH_YES && (!is_conditional(rule) || rule == walk->hops[0].rule);
    *out = known ? rule : NULL;
    return true;
}

static const struct model_rule *answering(struct search *search, struct walk *walk,
                                          const struct hop *hop, struct found *found)
{
    const struct model *model = walk->load->model;
    const struct model_site *site = &walk->load->sites[hop->site];
    const struct model_rule *rule = NULL;
    struct chains_walk near = {0};
    if (walk->detour != NULL) {
        near = chains_begin(&search->detours, hop->site, hop->path);
    }
    for (uint32_t i = chains_end; walk->detour != NULL && (i = chains_next(&near)) != chains_end;) {
        const struct model_detour *d = &model->detours[i];
        bool open = full_from(d) < walk->until_ns && walk->from_ns < full_until(d);
        if (!open || hop_is_excepted(search, d, hop->path)) {
            continue;
        }
        if (answers(search, walk, &d->rule, hop, found, &rule)) {
            walk->from_ns = full_from(d) > walk->from_ns ? full_from(d) : walk->from_ns;
            walk->until_ns = full_until(d) < walk->until_ns ? full_until(d) : walk->until_ns;
            return rule;
        }
    }
    near = chains_begin(&search->routes, hop->site, hop->path);
    for (uint32_t i; (i = chains_next(&near)) != chains_end;) {
        const struct model_rule *route = &site->routes[i - search->first_routes[hop->site]];
        if (answers(search, walk, route, hop, found, &rule)) {
            return rule;
        }
    }
    *found = (struct found){0};
    return site->fallback.kind == RULE_DEFAULT ? &site->fallback : NULL;
}

/* ---- following ---- */

static bool same_hop(const struct hop *a, const struct hop *b)
{
    return a->rule == b->rule && span_eq(a->host, b->host) && span_eq(a->path, b->path);
}

/* The first hop of the cycle that the last hop closes; SIZE_MAX: none. A path that grows
 * from hop to hop comes by the same rules again and again. */
static size_t cycle_start(const struct walk *walk)
{
    const struct hop *last = &walk->hops[walk->count - 1];
    size_t times = 0;
    size_t first = SIZE_MAX;
    for (size_t i = 0; i + 1 < walk->count; i++) {
        if (same_hop(&walk->hops[i], last)) {
            return i;
        }
        if (walk->hops[i].rule == last->rule) {
            first = first == SIZE_MAX ? i : first;
            times++;
        }
    }
    return walk->count > hops_max && times >= 3 ? first : SIZE_MAX;
}

enum { hops_shown_max = 4 };

/* One of run time stands in no line: what is said of it begins with its name. */
static void say_server(const struct walk *walk, struct buffer *who, struct buffer *by)
{
    const struct model_action *action = &walk->hops[0].rule->action;
    if (action->kind != ACTION_POOL) {
        return;
    }
    const struct model_pool *pool = &walk->load->pools[action->pool];
    if (walk->server == pool->server_count) {
        buffer_printf(by, " by the fallback of the pool `%.*s`", SHOW(pool->name));
        return;
    }
    const struct model_server *server = &pool->servers[walk->server];
    buffer_printf(by, " by the server `%.*s` of the pool `%.*s`", SHOW(server->name),
                  SHOW(pool->name));
    if (server->live) {
        buffer_printf(who, "server %.*s of run time: ", SHOW(server->identity));
    }
}

static void report_loop(struct walk *walk)
{
    char text[1024];
    char who_text[512];
    char by_text[512];
    struct buffer hops = buffer_over(text, sizeof(text));
    struct buffer who = buffer_over(who_text, sizeof(who_text));
    struct buffer by = buffer_over(by_text, sizeof(by_text));
    for (size_t i = 0; i < walk->count && i < hops_shown_max; i++) {
        const struct hop *hop = &walk->hops[i];
        buffer_printf(&hops, "%s%.*s%.*s", i > 0 ? " -> " : "", SHOW(hop->host), SHOW(hop->path));
    }
    if (walk->count > hops_shown_max) {
        buffer_put(&hops, SPAN(" -> and so on"));
    }
    say_server(walk, &who, &by);
    const struct model_rule *rule = walk->hops[0].rule;
    problems_error(
        walk->load->problems, rule->action.place,
        "%.*s`%.*s` leads back to itself%.*s: %.*s; point elsewhere, or narrow what matches (from "
        "http to https it is `https_redirect: true` of the site)",
        (int)who.len, who_text, SPAN_ARG(rule->identity), (int)by.len, by_text, (int)hops.len,
        text);
}

/* Each cycle is reported once: by the rule that stands first in the file. */
static bool begins_first(const struct walk *walk)
{
    struct place place = walk->hops[0].rule->place;
    for (size_t i = 1; i < walk->count; i++) {
        struct place other = walk->hops[i].rule->place;
        if (other.line < place.line || (other.line == place.line && other.column < place.column)) {
            return false;
        }
    }
    return true;
}

/* Whether the rule that the walk began with is one of the cycle, and not only leads into it. Its
 * sample need not be: fixed targets have paths of their own. */
static bool comes_again(const struct walk *walk, size_t start)
{
    size_t i = start;
    while (i < walk->count && walk->hops[i].rule != walk->hops[0].rule) {
        i++;
    }
    return i < walk->count;
}

/* The server by which a walk goes on. Where a pool has none that does not leave this file: its
 * fallback, if the walk began with one, since then nobody is left there, too. */
static size_t next_server(const struct walk *walk, const struct hop *hop)
{
    const struct model_action *first = &walk->hops[0].rule->action;
    const struct model_action *action = &hop->rule->action;
    if (hop == &walk->hops[0] || action->kind != ACTION_POOL) {
        return walk->server;
    }
    const struct own_servers *own = hop_own_servers(walk->load, action->pool);
    if (own != NULL && own->count > 0) {
        return own->items[0];
    }
    bool nobody =
        first->kind == ACTION_POOL && walk->server == walk->load->pools[first->pool].server_count;
    return nobody ? walk->load->pools[action->pool].server_count : SIZE_MAX;
}

static void follow(struct search *search, struct walk *walk, struct found found)
{
    while (walk->count <= hops_max) {
        struct span location;
        struct hop next;
        const struct hop *last = &walk->hops[walk->count - 1];
        if (!hop_location(search, walk, last, &found, next_server(walk, last), &location) ||
            !hop_arrive(search, walk, location, &next)) {
            return;
        }
        next.rule = answering(search, walk, &next, &found);
        if (next.rule == NULL || search->steps_left == 0) {
            return;
        }
        walk->hops[walk->count++] = next;
        size_t start = cycle_start(walk);
        if (start != SIZE_MAX && comes_again(walk, start) &&
            (search->any_rule || begins_first(walk))) {
            report_loop(walk);
        }
        if (start != SIZE_MAX) {
            return;
        }
    }
}

/* Whether the sample really gets to the rule: an earlier one may take it. */
static bool is_reached(struct search *search, struct walk *walk, const struct model_detour *detour)
{
    struct found ignored;
    if (detour != NULL) {
        return !hop_is_excepted(search, detour, walk->hops[0].path);
    }
    return answering(search, walk, &walk->hops[0], &ignored) == walk->hops[0].rule;
}

/* Whether a sample for the walk's first rule is sent to a host of this file. */
static bool first_hop(struct search *search, struct walk *walk, struct found *found,
                      struct hop *next)
{
    struct hop *hop = &walk->hops[0];
    const struct model_site *site = &walk->load->sites[hop->site];
    struct span location;
    return hop_sample_path(walk, hop->rule, &hop->path) &&
           hop_sample_host(search, walk, hop->rule, site, hop->path, found, &hop->host) &&
           hop_location(search, walk, hop, found, walk->server, &location) &&
           hop_arrive(search, walk, location, next);
}

static void try_rule(struct search *search, const struct model_rule *rule, uint32_t site,
                     const struct model_detour *detour, size_t server)
{
    struct load *load = search->load;
    struct arena arena;
    struct found found;
    arena_init(&arena, walk_bytes_max);
    struct walk walk = {
        .load = load, .arena = &arena, .detour = detour, .server = server, .count = 1};
    walk.from_ns = detour != NULL ? full_from(detour) : INT64_MIN;
    walk.until_ns = detour != NULL ? full_until(detour) : TIME_NEVER;
    walk.hops[0] = (struct hop){.rule = rule, .site = site};
    struct hop next;
    if (first_hop(search, &walk, &found, &next) && is_reached(search, &walk, detour)) {
        follow(search, &walk, found);
    }
    arena_fini(&arena);
}

static void check_rule(struct search *search, const struct model_rule *rule, uint32_t site,
                       const struct model_detour *detour)
{
    const struct model_action *action = &rule->action;
    if (search->steps_left == 0 || may_change(rule)) {
        return;
    }
    if (action->kind == ACTION_TO || action->kind == ACTION_PAGE) {
        try_rule(search, rule, site, detour, 0);
        return;
    }
    if (action->kind != ACTION_POOL) {
        return;
    }
    size_t errors = search->load->problems->error_count;
    const struct own_servers *own = hop_own_servers(search->load, action->pool);
    for (size_t i = 0;
         own != NULL && i < own->count && search->load->problems->error_count == errors; i++) {
        try_rule(search, rule, site, detour, own->items[i]);
    }
    if (search->load->problems->error_count == errors) {
        try_rule(search, rule, site, detour, search->load->pools[action->pool].server_count);
    }
}

/* With as many steps as there are for one kind of rules. */
static struct search *begin_search(struct load *load)
{
    if (load->search == NULL) {
        load->search = load_alloc(load, 1, sizeof(*load->search));
    }
    if (load->search != NULL) {
        load->search->load = load;
        load->search->steps_left = steps_max;
        load->search->path_scratch = load->path_scratch;
    }
    return load->search;
}

static bool leads_here(struct search *search, const struct model_detour *detour, size_t server)
{
    struct found found;
    struct hop next;
    struct arena arena;
    arena_init(&arena, walk_bytes_max);
    struct walk walk = {.load = search->load, .arena = &arena, .server = server, .count = 1};
    walk.hops[0] = (struct hop){.rule = &detour->rule, .site = detour->site};
    bool here = first_hop(search, &walk, &found, &next);
    arena_fini(&arena);
    return here;
}

bool detour_leads_here(struct load *load, const struct model_detour *detour)
{
    const struct model_action *action = &detour->rule.action;
    struct search *search = begin_search(load);
    if (search == NULL ||
        (action->kind != ACTION_TO && action->kind != ACTION_PAGE && action->kind != ACTION_POOL)) {
        return false;
    }
    if (action->kind != ACTION_POOL) {
        return leads_here(search, detour, 0);
    }
    const struct own_servers *own = hop_own_servers(load, action->pool);
    bool here = leads_here(search, detour, load->pools[action->pool].server_count);
    for (size_t i = 0; own != NULL && i < own->count && !here; i++) {
        here = leads_here(search, detour, own->items[i]);
    }
    return here;
}

/* Numbers of routes go on from site to site. */
static bool chain_routes(struct search *search)
{
    struct load *load = search->load;
    uint32_t number = 0;
    size_t count = 0;
    for (size_t i = 0; i < load->site_count; i++) {
        count += load->sites[i].route_count;
    }
    search->first_routes = load_alloc(load, load->site_count, sizeof(*search->first_routes));
    bool good = search->first_routes != NULL && chains_init(&search->routes, load->arena, count);
    for (uint32_t i = 0; i < load->site_count && good; i++) {
        search->first_routes[i] = number;
        for (size_t k = 0; k < load->sites[i].route_count && good; k++) {
            good = chains_add(&search->routes, i, &load->sites[i].routes[k], number++);
        }
    }
    load->no_memory = load->no_memory || !good;
    return good;
}

static bool chain_detours(struct search *search)
{
    struct load *load = search->load;
    const struct model *model = load->model;
    bool good = chains_init(&search->detours, load->scratch, model->detour_count);
    for (uint32_t i = 0; i < model->detour_count && good; i++) {
        const struct model_detour *detour = &model->detours[i];
        good = chains_add(&search->detours, detour->site, &detour->rule, i);
    }
    load->no_memory = load->no_memory || !good;
    return good;
}

/* Whether run time says of its servers, too: then what was found of the file is not all. */
static bool is_restaffed(const struct load *load, const struct model_rule *rule)
{
    if (rule->action.kind != ACTION_POOL) {
        return false;
    }
    const struct model_pool *pool = &load->pools[rule->action.pool];
    size_t i = 0;
    while (i < pool->server_count && !pool->servers[i].live) {
        i++;
    }
    return i < pool->server_count;
}

static bool may_lead_here(const struct load *load, const struct model_detour *detour)
{
    return detour->leads_here || is_restaffed(load, &detour->rule);
}

static bool any_leads_here(const struct load *load)
{
    size_t i = 0;
    while (i < load->model->detour_count && !may_lead_here(load, &load->model->detours[i])) {
        i++;
    }
    return i < load->model->detour_count;
}

void check_loops_of_detours(struct load *load)
{
    struct search *search = begin_search(load);
    if (search == NULL || !any_leads_here(load) || !chain_detours(search)) {
        return;
    }
    for (size_t i = 0; i < load->model->detour_count; i++) {
        const struct model_detour *detour = &load->model->detours[i];
        if (may_lead_here(load, detour)) {
            check_rule(search, &detour->rule, detour->site, detour);
        }
    }
}

void check_loops_of_servers(struct load *load)
{
    struct search *search = begin_search(load);
    size_t errors = load->problems->error_count;
    if (search == NULL) {
        return;
    }
    search->any_rule = true;
    for (uint32_t i = 0; i < load->site_count; i++) {
        const struct model_site *site = &load->sites[i];
        for (size_t k = 0; k < site->route_count && load->problems->error_count == errors; k++) {
            if (is_restaffed(load, &site->routes[k])) {
                check_rule(search, &site->routes[k], i, NULL);
            }
        }
        if (site->fallback.kind == RULE_DEFAULT && is_restaffed(load, &site->fallback)) {
            check_rule(search, &site->fallback, i, NULL);
        }
    }
    search->any_rule = false;
}

void check_loops_of_routes(struct load *load)
{
    struct search *search = begin_search(load);
    if (search == NULL || !chain_routes(search)) {
        return;
    }
    for (size_t i = 0; i < load->site_count; i++) {
        const struct model_site *site = &load->sites[i];
        for (size_t k = 0; k < site->route_count; k++) {
            check_rule(search, &site->routes[k], (uint32_t)i, NULL);
        }
        if (site->fallback.kind == RULE_DEFAULT) {
            check_rule(search, &site->fallback, (uint32_t)i, NULL);
        }
    }
}
