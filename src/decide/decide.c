/* SPDX-License-Identifier: MIT */
/* The order of things: who asks, which site, detours, https, routes, the default. */
#include "decide/decide.h"

#include "decide/internal.h"
#include "http/field.h"
#include "http/forwarded.h"
#include "shared/counters.h"
#include "uri/host.h"

#include <assert.h>

/* What snapshot_verify holds slots to is what the pages have. */
static_assert((int)snap_rule_slots_max == (int)counters_rules_max, "slots of rules");
static_assert((int)snap_server_slots_max == (int)servers_max, "slots of servers");

void decision_refuse(struct decision *decision, enum reason reason, uint16_t status)
{
    decision->reason = reason;
    decision->status = status;
    decision->problem = true;
    decision->location = (struct span){0};
    decision->origin = SNAP_NONE;
    decision->max_age_s = -1;
}

/* A host that was forwarded comes with its own port or without one: the port of our own Host
 * field belongs to the name that the proxy has for us. X-Forwarded-Port is what the proxy
 * listens on; it counts where the client's own words name none. */
static bool hear_host(struct asked *asked, const struct forwarded *forwarded)
{
    struct decision *out = asked->decision;
    struct host_port host;
    if (forwarded->host.len > 0) {
        if (host_from_request(forwarded->host, asked->context->host_lower, &host) != ERR_NONE) {
            return false;
        }
        out->host = host.host;
        out->port = host.port;
    }
    if (forwarded->port >= 0 && (forwarded->host.len == 0 || out->port < 0)) {
        out->port = forwarded->port;
    }
    return true;
}

/* What stands in front of us knows better who the client is, if it is trusted. False: the
 * request was refused. */
static bool hear_proxies(struct asked *asked, const struct client *peer)
{
    const struct snapshot *snapshot = asked->snapshot;
    struct forwarded forwarded;
    if (snapshot->trusted.count == 0) {
        return true;
    }
    struct forwarded_trust trust = {.proxies = snapshot_at(snapshot, snapshot->trusted.off),
                                    .proxy_count = snapshot->trusted.count,
                                    .family = (enum forwarded_family)snapshot->forwarded};
    if (!forwarded_resolve(asked->request, peer, &trust, &forwarded)) {
        decision_refuse(asked->decision, REASON_FORWARDED_DIFFER, 400);
        return false;
    }
    asked->decision->client = forwarded.client;
    if (!hear_host(asked, &forwarded)) {
        decision_refuse(asked->decision, REASON_BAD_REQUEST, 400);
        return false;
    }
    return true;
}

/* RFC 9110, 7.4: https was asked for, but nobody encrypted anything. */
static bool is_misdirected(const struct asked *asked)
{
    return span_eq_ci(asked->request->absolute_scheme, SPAN("https")) &&
           !asked->decision->client.secure;
}

/* A look at one byte says no for nearly all paths. */
static inline bool is_below(const struct asked *asked, struct span well_known)
{
    struct span path = asked->path.norm;
    return path.len > 1 && path.ptr[1] == '.' && span_starts(path, well_known);
}

/* Certificates must be renewed while a site is under maintenance (RFC 8555, 8.3). */
static bool exempt_from_detours(const struct asked *asked)
{
    return is_below(asked, SPAN("/.well-known/acme-challenge/"));
}

/* A browser refuses a preflight that is redirected (Fetch, 4.8). */
static bool is_preflight(const struct asked *asked)
{
    return asked->site->cors.enabled && asked->request->method == METHOD_OPTIONS &&
           asked->request->known.origin.ptr != NULL &&
           field_find(asked->request, SPAN("Access-Control-Request-Method")).ptr != NULL;
}

/* Freshness that was asked for, cut off where the clock changes the answer. In the last second
 * before that there is none: a status that is remembered without a word says 0, the others
 * say nothing. */
static int64_t clipped_age(const struct asked *asked, int64_t wanted, int64_t change_ns,
                           uint32_t status)
{
    if (wanted < 0 || change_ns == SNAP_NEVER) {
        return wanted;
    }
    int64_t left = (change_ns - asked->now_ns) / 1000000000;
    if (left <= 0 && wanted > 0) {
        return status == 301 || status == 308 ? 0 : -1;
    }
    return left < wanted ? left : wanted;
}

/* An open end gets no freshness: nobody knows how long it lasts. */
static bool has_open_end(const struct snap_rule *rule)
{
    return rule->kind == SNAP_DETOUR && rule->until_ns == SNAP_NEVER;
}

static void carry_out(struct asked *asked, const struct matched *matched, uint32_t rule, bool rest)
{
    struct decision *out = asked->decision;
    static const enum reason reasons[] = {[SNAP_ROUTE] = REASON_ROUTE,
                                          [SNAP_DETOUR] = REASON_DETOUR,
                                          [SNAP_DEFAULT] = REASON_DEFAULT};
    const struct snap_rule *from = matched->rule;
    out->rule = rule;
    const struct snap_action *action = rest ? &from->rest : &from->action;
    out->max_age_s = has_open_end(from)
                         ? -1
                         : clipped_age(asked, from->max_age_s, from->change_ns, action->status);
    out->reason = rest ? REASON_REST : reasons[from->kind];
    apply_action(asked, matched, action);
}

static void carry_out_fallback(struct asked *asked)
{
    struct matched matched;
    matched_init(&matched, snapshot_rule(asked->snapshot, asked->site->fallback));
    carry_out(asked, &matched, asked->site->fallback, false);
}

/* True when the set has decided. */
static bool try_ruleset(struct asked *asked, const struct snap_ruleset *set)
{
    struct matched matched; /* large, and filled by whatever matches */
    uint32_t rule;
    bool rest;
    if (set->count == 0) {
        return false;
    }
    enum match match = match_ruleset(asked, set, &matched, &rule, &rest);
    if (match == MATCH_LIMIT) {
        decision_refuse(asked->decision, REASON_REGEX_LIMIT, 503);
        asked->decision->retry_after_s = 1;
    } else if (match == MATCH_YES) {
        carry_out(asked, &matched, rule, rest);
    }
    return match != MATCH_NO;
}

/* Even what is called permanent says how long it may be remembered. */
enum { permanent_age_s = 3600 };

/* The host is one that the site names, so it is declared; a catch-all cannot ask for this. */
static void redirect_to_https(struct asked *asked)
{
    struct decision *out = asked->decision;
    struct buffer built = buffer_over(asked->context->location, location_bytes_max);
    buffer_put(&built, SPAN("https://"));
    buffer_put(&built, out->host);
    if (asked->site->https_port != 443) {
        buffer_byte(&built, ':');
        buffer_decimal(&built, asked->site->https_port);
    }
    size_t authority = built.len;
    uint8_t base[300];
    if (authority > sizeof(base)) {
        decision_refuse(asked->decision, REASON_LOCATION_LONG, 414);
        return;
    }
    memcpy(base, built.ptr, authority);
    built.len = 0;
    enum location_result result =
        location_append(span_of(base, authority), path_sent(&asked->path, 0, asked->path.norm.len),
                        asked->request->query, &built);
    if (result != LOCATION_OK || !location_check(buffer_span(&built), span_of(base, authority))) {
        decision_refuse(asked->decision, REASON_LOCATION_ESCAPES, 400);
        return;
    }
    out->reason = REASON_HTTPS;
    out->status = (uint16_t)asked->site->https_status;
    if (out->status == 301 || out->status == 308) {
        out->max_age_s = clipped_age(asked, permanent_age_s, asked->site->change_ns, out->status);
    }
    out->location = buffer_span(&built);
}

/* Inline, since each request comes here once, and from one place nearly always. */
static inline __attribute__((always_inline)) void by_rules(struct asked *asked)
{
    if (!exempt_from_detours(asked) && try_ruleset(asked, &asked->site->detours)) {
        return;
    }
    if (asked->site->https_status != 0 && !asked->decision->client.secure &&
        !exempt_from_detours(asked)) {
        redirect_to_https(asked);
        return;
    }
    if (try_ruleset(asked, &asked->site->routes)) {
        return;
    }
    carry_out_fallback(asked);
}

void decide_by_rules(struct asked *asked)
{
    by_rules(asked);
}

static void decide_on_site(struct asked *asked)
{
    if (is_preflight(asked)) {
        asked->decision->reason = REASON_PREFLIGHT;
        asked->decision->status = 204;
        return;
    }
    if (is_below(asked, SPAN(WAIT_BASE))) {
        decide_wait(asked);
        return;
    }
    if (asked->request->query.len > link_text_bytes && decide_link(asked)) {
        return;
    }
    by_rules(asked);
}

static bool normalise(struct asked *asked)
{
    struct decide_context *context = asked->context;
    enum err err = path_normalise(asked->request->path, &context->path_scratch, &asked->path);
    if (err != ERR_NONE) {
        bool is_long = err == ERR_LIMIT;
        decision_refuse(asked->decision, is_long ? REASON_LOCATION_LONG : REASON_BAD_REQUEST,
                        is_long ? 414 : 400);
        return false;
    }
    if (context->trace != NULL) {
        context->trace->path = asked->path;
    }
    return true;
}

static bool find_site(struct asked *asked)
{
    uint32_t site = snapshot_site_for(asked->snapshot, asked->decision->host);
    if (site == SNAP_NONE) {
        decision_refuse(asked->decision, REASON_NO_SITE, 421);
        return false;
    }
    asked->decision->site = site;
    asked->site = snapshot_site(asked->snapshot, site);
    return true;
}

static bool asks_for_server(const struct request *request)
{
    return request->path.len == 1 && request->path.ptr[0] == '*';
}

static struct asked asked_of(struct decide_context *context, const struct request *request,
                             int64_t now_ns, struct decision *out)
{
    struct asked asked = {.context = context,
                          .snapshot = context->snapshot,
                          .request = request,
                          .now_ns = now_ns,
                          .decision = out};
    asked.budget.steps = regex_steps_per_request;
    return asked;
}

static inline void decide_asked(struct asked *asked)
{
    struct decision *out = asked->decision;
    if (asks_for_server(asked->request)) {
        out->reason = REASON_OPTIONS;
        out->status = 204;
    } else if (is_misdirected(asked)) {
        decision_refuse(out, REASON_MISDIRECTED, 421);
    } else if (find_site(asked) && normalise(asked)) {
        decide_on_site(asked);
    }
}

void decide(struct decide_context *context, const struct request *request,
            const struct client *peer, int64_t now_ns, struct decision *out)
{
    struct asked asked = asked_of(context, request, now_ns, out);
    decision_init(out, request, peer);
    if (hear_proxies(&asked, peer)) {
        decide_asked(&asked);
    }
}

void decide_known(struct decide_context *context, const struct request *request,
                  const struct client *client, int64_t now_ns, struct decision *out)
{
    struct asked asked = asked_of(context, request, now_ns, out);
    decision_init(out, request, client);
    decide_asked(&asked);
}
