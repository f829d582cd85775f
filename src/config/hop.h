/* SPDX-License-Identifier: MIT */
/* One hop of the walks that look for redirects which lead back: a sample request, whether a rule
 * matches it, and where that sends it. Internal to config/. */
#pragma once

#include "config/rule.h"

#include "config/chains.h"
#include "uri/location.h"

enum { hops_max = 10 };

struct hop {
    const struct model_rule *rule;
    uint32_t site;
    struct span host;
    struct span path;
};

struct walk {
    struct load *load;
    struct arena *arena;               /* of this walk */
    const struct model_detour *detour; /* where it began, or NULL */
    int64_t from_ns, until_ns;         /* while all detours on the way are open */
    size_t server;                     /* of its first rule's pool, that it goes by */
    struct hop hops[hops_max + 1];
    size_t count;
};

struct search {
    struct load *load;
    size_t steps_left;
    struct path_scratch *path_scratch;
    struct chains routes; /* of all sites, counted through */
    struct chains detours;
    bool any_rule;          /* a cycle is reported by whichever rule it was found from */
    uint32_t *first_routes; /* of each site */
    uint8_t location[location_bytes_max];
};

/* What patterns matched. */
struct found {
    struct pattern_groups path;
    struct pattern_groups host;
};

/* Whether the rule matches, by its path and its host alone. */
enum match hop_match(struct search *search, const struct model_rule *rule, struct span host,
                     struct span path, struct found *found);

/* Whether the detour leaves the path alone, or might. */
bool hop_is_excepted(struct search *search, const struct model_detour *detour, struct span path);

/* A path that the rule is likely to match, in the walk's arena. False: none comes to mind. */
bool hop_sample_path(struct walk *walk, const struct model_rule *rule, struct span *out);

/* A host of the site with which it does. */
bool hop_sample_host(struct search *search, struct walk *walk, const struct model_rule *rule,
                     const struct model_site *site, struct span path, struct found *found,
                     struct span *out);

/* Servers of a pool that are hosts of this file: these alone can lead back. */
struct own_servers {
    uint32_t *items; /* their indexes in the model */
    size_t count;
};
enum { own_servers_max = 100 }; /* of a pool, that are looked at */
/* NULL: no memory, which is noted. */
const struct own_servers *hop_own_servers(struct load *load, uint32_t pool);

/* Where the rule of a hop sends it; server: which one of a pool's, and its fallback behind the last
 * of them. Valid until the next call. */
bool hop_location(struct search *search, const struct walk *walk, const struct hop *hop,
                  const struct found *found, size_t server, struct span *out);

/* Where the location leads within this file; false when it leaves it. */
bool hop_arrive(struct search *search, struct walk *walk, struct span location, struct hop *out);
