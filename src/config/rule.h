/* SPDX-License-Identifier: MIT */
/* The parts of rules: what matches, what is done, and the rule that holds both. Internal
 * to config/. */
#pragma once

#include "config/read.h"

/* The keys of routes, then those that only detours have. Maps that know fewer of them (a
 * default, a rest, a fallback) use the same numbers. */
enum rule_key {
    KEY_NAME,
    KEY_HOST,
    KEY_PATH,
    KEY_PREFIX,
    KEY_METHODS,
    KEY_COOKIES,
    KEY_CLIENTS,
    KEY_WHEN,
    KEY_SHARE,
    KEY_REST,
    KEY_TO,
    KEY_POOL,
    KEY_PAGE,
    KEY_ORIGIN,
    KEY_RESPOND,
    KEY_STATUS,
    KEY_QUERY,
    KEY_MAX_AGE,
    KEY_NOTE,
    KEY_HEADERS,
    KEY_LABELS,
    KEY_RETRY_AFTER,
    ROUTE_KEYS,
    KEY_SITE = ROUTE_KEYS,
    KEY_FROM,
    KEY_UNTIL,
    KEY_FOR,
    KEY_REPEAT,
    KEY_ZONE,
    KEY_RAMP,
    KEY_RETURN_OVER,
    KEY_AT_END,
    KEY_BYPASS,
    KEY_EXCEPT,
    KEY_REASON,
    KEY_OWNER,
    KEY_UNTIL_HEALTHY,
    DETOUR_KEYS,
};
extern const char *const rule_keys[DETOUR_KEYS];

enum { rule_headers_max = 16, labels_max = 8, label_values_max = 1000, tests_max = 64 };

/* What an action may refer to. */
struct scope {
    const struct model_site *site; /* NULL: none, or not known */
    const struct pattern *path;
    const struct pattern *host;
    const struct model_labels *labels;
    size_t label_count;
    bool detour;   /* 301 and 308 are refused */
    bool fallback; /* of a pool: no pools, no captures, no permanent redirects */
    bool rest;     /* no permanent redirects */
};

/* Whether every request meets them. */
static inline bool conditions_ask_nothing(const struct model_conditions *conditions)
{
    return conditions->methods == 0 && conditions->headers.count == 0 &&
           conditions->cookies.count == 0 && conditions->query.count == 0 &&
           conditions->client_count == 0;
}

/* match.c */
bool read_pattern(struct load *load, const struct node *node, enum pattern_kind kind,
                  const struct pattern **out);
bool read_prefix(struct load *load, const struct node *node, struct span *out);
bool read_conditions(struct load *load, const struct node *const *at, struct model_conditions *out);

/* target.c */
bool read_labels(struct load *load, const struct node *node, const struct model_labels **out,
                 size_t *count_out);
bool read_target(struct load *load, const struct node *node, const struct scope *scope,
                 const struct template **out);
/* A place without variables: an absolute http or https URL. */
bool read_page_url(struct load *load, const struct node *node, const struct template **out);
/* The origin of an absolute URL; ERR_SYNTAX. Lives in arena. */
enum err origin_of(struct span text, struct arena *arena, struct origin *out);
/* Reports an origin that allowed_targets does not hold. */
bool target_allowed(struct load *load, struct place place, const struct origin *origin);
bool read_allowed_targets(struct load *load, const struct node *node);
/* Captures whose names no template can spell, or that hide a built-in variable. */
bool check_captures(struct load *load, const struct node *node, const struct pattern *pattern);
/* Whether it is one that every request brings: scheme host port path query method. */
bool variable_is_builtin(struct span name);

/* health.c: how an origin is probed; `off` too. */
bool read_health(struct load *load, const struct node *node, struct model_health *out);

/* window.c: everything that says when a detour is open. */
bool read_window(struct load *load, const struct node *const *at, const struct node *node,
                 struct schedule *out);

/* trigger.c: `from: when_origin_fails`, in the place of a window. */
bool is_trigger(const struct node *node);
/* site: NULL when it is not known. */
bool read_trigger(struct load *load, const struct node *const *at, const struct model_site *site,
                  struct model_detour *detour);

/* page.c */
bool read_pages(struct load *load, const struct node *node);
/* What `page` of an action says: the name of a page of ours, or a URL. */
bool read_page(struct load *load, const struct node *node, struct model_action *out);

/* origin.c */
bool read_declared_origins(struct load *load, const struct node *node);
/* What `origin` of an action says: the name of one of `origins`, or a URL. */
bool read_passed_origin(struct load *load, const struct node *node, const struct scope *scope,
                        uint32_t *out);
/* One that is declared. */
bool find_origin(struct load *load, struct place place, struct span name, uint32_t *out);
/* All of them together: too many ports, and those that nothing uses. */
void check_declared_origins(struct load *load);

/* action.c */
/* One of to, pool, page, origin and respond. *headers is set to the map of fields that a respond
 * brings beside the rule's own, if it does. */
bool read_action(struct load *load, const struct node *const *at, struct place place,
                 const struct scope *scope, struct model_action *out, const struct node **headers);
/* The same, or {status: 404} alone: an answer of our own. */
bool read_action_or_status(struct load *load, const struct node *const *at, struct place place,
                           const struct scope *scope, struct model_action *out,
                           const struct node **headers);
/* The same of a map whose keys these are. It may bring no fields; no_headers says where they
 * belong. */
bool read_action_map(struct load *load, const struct node *node, const char *what,
                     const char *const *keys, const char *no_headers, const struct scope *scope,
                     struct model_action *out);
/* The fields of a rule, and then those that its respond brought; either may be NULL. */
bool read_fields(struct load *load, const struct node *headers, const struct node *more,
                 struct model_rule *rule);

/* rule.c */
/* Everything but kind, name and identity. scope.path, .host and .labels are filled here. */
bool read_rule(struct load *load, const struct node *node, const struct node *const *at,
               struct scope *scope, struct model_rule *rule);
bool read_default(struct load *load, const struct node *node, struct scope *scope,
                  struct model_rule *rule);

/* sections */
bool read_geo(struct load *load, const struct node *node); /* place.c */
bool read_pools(struct load *load, const struct node *node);
bool read_sites(struct load *load, const struct node *node);
/* One of the list `detours`, whoever says it. */
bool read_detour(struct load *load, const struct node *node, struct model_detour *detour);
bool read_admin(struct load *load, const struct node *node);

/* events.c */

bool read_events(struct load *load, const struct node *node);
bool read_cors(struct load *load, const struct node *node, struct model_cors *out);

/* validate.c, shadow.c, loop.c: what only the whole file can say; of all but the detours,
 * which do not change it, and of the detours. */
void validate_rest(struct load *load);
void validate_detours(struct load *load);
void check_shadows(struct load *load, const struct model_site *site);
void check_loops_of_routes(struct load *load);
void check_loops_of_detours(struct load *load);
/* Of the routes whose pools have servers of run time. */
void check_loops_of_servers(struct load *load);
bool detour_leads_here(struct load *load, const struct model_detour *detour);

/* top.c: all of the file but its detours, whose list is *detours_out; NULL: it has none. */
void read_top(struct load *load, const struct node *root, const struct node **detours_out);
void limits_default(struct model_limits *limits);
