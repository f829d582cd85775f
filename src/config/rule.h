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
    KEY_BYPASS,
    KEY_EXCEPT,
    KEY_REASON,
    KEY_OWNER,
    DETOUR_KEYS,
};
extern const char *const route_keys[ROUTE_KEYS];
extern const char *const detour_keys[DETOUR_KEYS];
extern const char *const default_keys[ROUTE_KEYS];
extern const char *const rest_keys[ROUTE_KEYS];
extern const char *const fallback_keys[ROUTE_KEYS];

enum { rule_headers_max = 16, labels_max = 8, label_values_max = 1000, tests_max = 64 };

/* What an action may refer to. */
struct scope {
    const struct model_site *site; /* NULL: none, or not known */
    const struct pattern *path;
    const struct pattern *host;
    const struct model_labels *labels;
    size_t label_count;
    bool detour;       /* 301 and 308 are refused */
    bool fallback;     /* of a pool: no pools, no captures, no permanent redirects */
    bool rest;         /* no permanent redirects */
    uint32_t own_site; /* index of site; UINT32_MAX: none */
};

/* Header fields that a respond: map brought, to be merged into the rule's. */
struct extra_fields {
    const struct node *headers; /* NULL: none */
};

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
bool read_page(struct load *load, const struct node *node, const struct template **out);
/* The origin of an absolute URL; ERR_SYNTAX. Lives in arena. */
enum err origin_of(struct span text, struct arena *arena, struct origin *out);
/* Reports an origin that allowed_targets does not hold. */
bool target_allowed(struct load *load, struct place place, const struct origin *origin);
bool read_allowed_targets(struct load *load, const struct node *node);
/* Captures whose names no template can spell, or that hide a built-in variable. */
bool check_captures(struct load *load, const struct node *node, const struct pattern *pattern);
/* The numbers of variables that requests bring: scheme host port path query method. */
bool variable_is_builtin(struct span name);

/* action.c */
bool has_action(const struct node *const *at);
bool read_action(struct load *load, const struct node *const *at, struct place place,
                 const struct scope *scope, struct model_action *out, struct extra_fields *extra);
/* {status: 404} alone: an answer of our own. */
bool read_bare_status(struct load *load, const struct node *const *at, struct place place,
                      struct model_action *out);
bool read_action_map(struct load *load, const struct node *node, const char *what,
                     const char *const *keys, const struct scope *scope, struct model_action *out,
                     struct extra_fields *extra);
bool read_fields(struct load *load, const struct node *headers, const struct node *more,
                 struct model_rule *rule);

/* rule.c */
/* Everything but kind, name and identity. scope.path, .host and .labels are filled here. */
bool read_rule(struct load *load, const struct node *node, const struct node *const *at,
               struct scope *scope, struct model_rule *rule);
bool read_default(struct load *load, const struct node *node, struct scope *scope,
                  struct model_rule *rule);

/* sections */
bool read_pools(struct load *load, const struct node *node);
bool read_sites(struct load *load, const struct node *node);
bool read_detours(struct load *load, const struct node *node);
bool read_cors(struct load *load, const struct node *node, struct model_cors *out);

/* validate.c, shadow.c, loop.c: what only the whole file can say. */
void validate(struct load *load);
void check_shadows(struct load *load, const struct model_site *site);
void check_loops(struct load *load);
